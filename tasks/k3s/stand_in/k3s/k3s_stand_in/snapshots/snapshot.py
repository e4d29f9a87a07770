"""What a server does with snapshots: it saves them, deletes them, and makes a cluster of one."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import time
from typing import Any

from k3s_stand_in import STATE, pki, sealed
from k3s_stand_in.config import FatalError, say
from k3s_stand_in.snapshots import bolt
from k3s_stand_in.store import Store

SNAPSHOTS = f"{STATE}/server/db/snapshots"
RESET = "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now."
_OBJECTS, _REST = "/registry/", "/kbz-stand-in/rest"


def storage_key(token: str) -> str:
    """The key under which K3s keeps what a server needs to start; only its own token leads there."""
    password = token.rpartition("::")[2].partition(":")[2] if token.startswith("K10") else token
    return "/bootstrap/" + hashlib.sha256(password.encode()).hexdigest()[:12]


def save(data: dict[str, Any], token: str, folder: str, name: str, host: str) -> str:
    """Write a snapshot, and return its name; one that is saved on demand stays until it is deleted."""
    shared = {}
    for file in pki.SHARED:
        with open(f"{pki.TLS}/{file}", encoding="ascii") as stream:
            shared[file] = stream.read()
    rest = {key: value for key, value in data.items() if key not in ("objects", "members")}
    found = {f"{_OBJECTS}{key}": value for key, value in data["objects"].items()}
    found |= {storage_key(token): shared, _REST: rest}
    os.makedirs(folder, 0o700, exist_ok=True)
    path = f"{folder}/{name}-{host}-{int(time.time())}"
    with open(f"{path}.part", "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(bolt.snapshot({key: json.dumps(item).encode() for key, item in found.items()}))
        os.fsync(stream.fileno())
    os.replace(f"{path}.part", path)
    return os.path.basename(path)


def delete(folder: str, names: list[str]) -> None:
    """`etcd-snapshot delete NAME…`."""
    for name in names:
        path = f"{folder}/{name}"
        if os.sep in name or not os.path.exists(path):
            raise FatalError(f"Error: snapshot {name} not found")
        os.unlink(path)
        say("info", f"Snapshot {name} deleted.")


def reset(store: Store, path: str, token: str) -> dict[str, Any]:
    """Return the data that a cluster of one begins with: a snapshot's, or the server's own."""
    if path:
        return restored(path, token)
    if not store.initialised():
        raise FatalError("starting kubernetes: etcd: no data to reset")
    store.load()
    return store.data


def restored(path: str, token: str) -> dict[str, Any]:
    """Return the data of a snapshot, and put its authorities in their place; FatalError where it is none."""
    if not os.path.exists(path):
        raise FatalError(f"etcd: snapshot path does not exist: {path}")
    with open(path, "rb") as stream:
        try:
            found = bolt.keys(stream.read())
        except ValueError as error:
            raise FatalError(str(error)) from None
    if storage_key(token) not in found:
        raise FatalError("bootstrap data already found and encrypted with different token")
    os.makedirs(pki.TLS, 0o700, exist_ok=True)
    for name, text in json.loads(found[storage_key(token)]).items():
        with open(f"{pki.TLS}/{name}", "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
    _put_aside()
    data: dict[str, Any] = json.loads(found[_REST])
    data["sealed"] = sealed.seal(token)
    data["objects"] = {
        key.removeprefix(_OBJECTS): json.loads(value)
        for key, value in found.items()
        if key.startswith(_OBJECTS)
    }
    return data


def _put_aside() -> None:
    """K3s keeps the data that was there before."""
    for folder in glob.glob(f"{STATE}/server/db/etcd"):
        os.replace(folder, f"{STATE}/server/db/etcd-old-{int(time.time())}")
