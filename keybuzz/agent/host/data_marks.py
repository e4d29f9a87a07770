"""What a folder is by the files in it: which service's data, or which proxy's configuration, and its identity."""

from __future__ import annotations

import re
import stat

from keybuzz.agent import parts
from keybuzz.agent.guard import opener
from keybuzz.agent.wire.json_text import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = dict[str, int]

SERVING = ("haproxy", "pgbouncer")
"""Kinds that are no data: a configuration, whose identity is the ports that it listens on."""
_HEAD = 1 << 16
_BIND = re.compile(r"(?m)^\s*(?:bind|listen\s+\S+)\s+(?:\S*:)?(\d+)")
_LISTEN_PORT = re.compile(r"(?m)^\s*listen_port\s*=\s*(\d+)")


def identify(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield which service's data a folder is, and its identity where it has one."""
    if "PG_VERSION" in names and "global" in names:
        yield "postgresql", _postgresql(folder)
    if "grastate.dat" in names or "ibdata1" in names:
        yield "mariadb", _galera(folder) if "grastate.dat" in names else ""
    if ".minio.sys" in names:
        yield "minio", _minio(folder)
    nodes = [
        name for name, kind in names.items() if name.startswith("rabbit@") and kind == stat.S_IFDIR
    ]
    if nodes:
        yield "rabbitmq", min(nodes, key=len)
    if version := _redis(folder, names):
        yield "redis", version
    yield from _of_a_cluster(folder, names)
    yield from _in_files(folder, names)
    for kind in parts.table(parts.MARKS):
        mark = parts.function(parts.MARKS, "mark", kind)
        identity = mark(folder, names) if mark is not None else None
        if identity is not None:
            yield kind, identity


def _of_a_cluster(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield what K3s, or another Kubernetes, keeps: a server's token and datastore, a node's certificates, etcd."""
    if "tls" in names and ("node-token" in names or "token" in names):
        yield "k3s", _k3s(folder)
    elif "state.db" in names and _is_sqlite(f"{folder}/state.db"):
        yield "k3s", "a datastore in SQLite"
    elif "client-kubelet.crt" in names or "kubelet.kubeconfig" in names:
        yield "k3s", "a node's certificates"
    elif names.get("member") == stat.S_IFDIR and opener.is_folder(f"{folder}/member/snap"):
        yield "k3s", "a member of etcd"


def _in_files(folder: str, names: Names) -> Iterator[tuple[str, str]]:
    """Yield what single files are: a Sentinel's state, ProxySQL's database, the configuration of a proxy."""
    for name, kind in names.items():
        path = f"{folder}/{name}"
        if kind != stat.S_IFREG:
            continue
        if name.endswith(".conf") and "sentinel" in name and (found := _sentinel(path)):
            yield "sentinel", found
        elif name == "proxysql.db":
            yield "proxysql", "its database" if _is_sqlite(path) else "a file that is no database"
        elif name.endswith(".cfg") and (found := _ports(_BIND, path)):
            yield "haproxy", found
        elif name == "pgbouncer.ini" and (found := _ports(_LISTEN_PORT, path)):
            yield "pgbouncer", found


def _postgresql(folder: str) -> str:
    version = _text(f"{folder}/PG_VERSION").strip()[:8]
    control = _bytes(f"{folder}/global/pg_control", 8)
    system = str(int.from_bytes(control, "little")) if len(control) == 8 else "?"
    return f"PostgreSQL {version}, system identifier {system}"


def _galera(folder: str) -> str:
    lines = dict(
        line.split(":", 1) for line in _text(f"{folder}/grastate.dat").splitlines() if ":" in line
    )
    return f"cluster {lines.get('uuid', '?').strip()[:36]}"


def _minio(folder: str) -> str:
    try:
        found = loads(_text(f"{folder}/.minio.sys/format.json"))
    except ValueError:
        return "without a format.json"
    return f"deployment {str(found.get('id', '?'))[:36]}" if isinstance(found, dict) else "?"


def _redis(folder: str, names: Names) -> str:
    """Return the newest format among RDB files and append-only files; empty for none."""
    versions = []
    for name, kind in names.items():
        if kind == stat.S_IFREG and name.endswith((".rdb", ".aof")):
            head = _bytes(f"{folder}/{name}", 9)
            if head[:5] == b"REDIS" and head[5:].isdigit():
                versions.append(int(head[5:]))
            elif name.endswith(".aof") and head[:1] == b"*":
                versions.append(0)
    if "appendonlydir" in names or any(name.endswith(".aof.manifest") for name in names):
        versions.append(0)
    if not versions:
        return ""
    return f"RDB {max(versions)}" if max(versions) else "an append-only file"


def _k3s(folder: str) -> str:
    """Return where a server's datastore is, and which cluster's: by its authority, for the token is a secret."""
    if opener.is_folder(f"{folder}/db/etcd"):
        store = "etcd"
    elif opener.is_file(f"{folder}/db/state.db"):
        store = "SQLite"
    else:
        store = "elsewhere"
    authority = _bytes(f"{folder}/tls/server-ca.crt", _HEAD)
    if not authority:
        return f"a server, its datastore {store}"
    import hashlib

    return (
        f"a server, its datastore {store}, authority {hashlib.sha256(authority).hexdigest()[:12]}"
    )


def _sentinel(path: str) -> str:
    for line in _text(path).splitlines():
        words = line.split()
        if words[:2] == ["sentinel", "monitor"] and len(words) > 3:
            return f"monitors {words[2]} at {words[3]}"
    return ""


def _ports(pattern: re.Pattern[str], path: str) -> str:
    found = sorted({int(port) for port in pattern.findall(_text(path))})
    return f"listens on {', '.join(map(str, found))}" if found else ""


def _is_sqlite(path: str) -> bool:
    return _bytes(path, 16) == b"SQLite format 3\0"


def _bytes(path: str, size: int) -> bytes:
    try:
        return opener.head(path, size)
    except OSError:
        return b""


def _text(path: str) -> str:
    return _bytes(path, _HEAD).decode("utf-8", "replace")
