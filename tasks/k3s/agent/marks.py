"""How data of K3s, or another Kubernetes, is recognised wherever it lies."""

from __future__ import annotations

import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.host.data_marks import HEAD, begin, is_sqlite


def mark_k3s(folder: str, names: dict[str, int]) -> str | None:
    """Return what it is: a server's token and datastore, a node's certificates, etcd; None for a folder without."""
    if "tls" in names and ("node-token" in names or "token" in names):
        return _server(folder)
    if "state.db" in names and is_sqlite(f"{folder}/state.db"):
        return "a datastore in SQLite"
    if "client-kubelet.crt" in names or "kubelet.kubeconfig" in names:
        return "a node's certificates"
    if names.get("member") == stat.S_IFDIR and opener.is_folder(f"{folder}/member/snap"):
        return "a member of etcd"
    return None


def _server(folder: str) -> str:
    """Return where a server's datastore is, and which cluster's: by its authority, for the token is a secret."""
    if opener.is_folder(f"{folder}/db/etcd"):
        store = "etcd"
    elif opener.is_file(f"{folder}/db/state.db"):
        store = "SQLite"
    else:
        store = "elsewhere"
    authority = begin(f"{folder}/tls/server-ca.crt", HEAD)
    if not authority:
        return f"a server, its datastore {store}"
    import hashlib

    return (
        f"a server, its datastore {store}, authority {hashlib.sha256(authority).hexdigest()[:12]}"
    )
