"""Programs that the controller streams: written beside, compared by digest, then renamed over the old one."""

from __future__ import annotations

import hashlib
import os

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host.files import ABSENT, ownership
from keybuzz.agent.runtime.atomic import beside
from keybuzz.agent.runtime.ending import CLEANUPS
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_BLOCK = 1 << 20
_KNOWN: dict[tuple[str, int, int, int, int], str] = {}
"""Digests of files as they were: a gate asks twice a second, and such a program has 70 MB."""


def read_artefact(query: Query, context: Context) -> State:
    """Read digest, owner and mode; a file that has not changed is read once."""
    del context
    path = query["name"]
    if not opener.is_file(path):
        return ABSENT
    with os.fdopen(opener.opened(path), "rb") as file:
        status = os.fstat(file.fileno())
        mark = (path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if mark not in _KNOWN:
            _KNOWN[mark] = _digest(file)
    return {"present": True, "attributes": {"digest": _KNOWN[mark], **ownership(status)}}


def _digest(file: BinaryIO) -> str:
    made = hashlib.sha256()
    while block := file.read(_BLOCK):
        made.update(block)
    return f"sha256:{made.hexdigest()}"


def write_artefact(order: Query, context: Context) -> None:
    """Write what the controller sends, block by block; a running program keeps the file that it was started from."""
    path, wanted = order["name"], order["digest"]
    opener.make_folders(os.path.dirname(path))
    new = opener.place(beside(path, "new"))
    new.discard()
    descriptor, ticket = CLEANUPS.begin(new.create, lambda _: new.discard())
    made = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as file:
            for block in context.channel.receive_bytes():
                made.update(block)
                file.write(block)
            os.fchown(file.fileno(), 0, 0)
            os.fchmod(file.fileno(), order["mode"])
            file.flush()
            os.fsync(file.fileno())
        if f"sha256:{made.hexdigest()}" != wanted:
            raise AgentError(
                f"what came for {path} has the digest sha256:{made.hexdigest()[:12]}…, not the one of versions.yaml",
                "the file in place was not touched",
            )
        target = os.path.basename(path)
        os.rename(new.name, target, src_dir_fd=new.folder, dst_dir_fd=new.folder)
    finally:
        new.discard()
        CLEANUPS.forget(ticket)
        os.close(new.folder)
