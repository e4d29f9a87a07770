"""Whole files: temporary file beside it, owner and mode before content, validator, rename, reader told.

A marker beside the file stays until its reader has been told: a run that dies in between leaves a file that says
"not loaded", and the next run tells the reader.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat

from keybuzz.agent.children import run as run_child
from keybuzz.agent.ending import CLEANUPS
from keybuzz.agent.errors import AgentError
from keybuzz.agent.kinds.files import ABSENT, ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keybuzz.agent.context import Context
    from keybuzz.agent.kinds import Query, State

PREVIOUS = "/var/lib/kbz/previous"
_SHOWN_BYTES = 65536
_SENSITIVE = re.compile(r"(?i)((?:pass\w*|secret|token|\w*key|cookie)[\"']?\s*[:= ]\s*)\S.*")


def _beside(path: str, word: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.kbz-{word}")


def read_file(query: Query, context: Context) -> State:
    """Read digest, owner, mode, and whether the last change has reached its reader."""
    path = query["name"]
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ABSENT
    if stat.S_ISDIR(status.st_mode):
        # Docker makes a directory where a bind's file was missing (facts/03).
        return {"present": True, "attributes": {"digest": "(a directory)", **ownership(status)}}
    with open(path, "rb") as file:
        content = file.read()
    return {
        "present": True,
        "attributes": {
            "digest": context.digest(content, query["secret"]),
            "loaded": not os.path.exists(_beside(path, "pending")),
            **ownership(status),
        },
        "text": _shown(content, query["secret"]),
    }


def _shown(content: bytes, secret: bool) -> str:
    """Return the text for a diff; in a file with secrets, whatever looks like a value of one is masked."""
    text = content[:_SHOWN_BYTES].decode(errors="replace")
    return _SENSITIVE.sub(r"\1‹secret›", text) if secret else text


def write_file(order: Query, context: Context) -> None:
    """Put the file in place, then tell its reader."""
    path = order["name"]
    _clear_empty_directory(path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    content = order["text"].encode()
    if _differs(path, content, order):
        _replace(path, content, order, context)
    _tell(order, context)
    _discard(_beside(path, "pending"))


def _clear_empty_directory(path: str) -> None:
    if not os.path.isdir(path) or os.path.islink(path):
        return
    try:
        os.rmdir(path)
    except OSError:
        raise AgentError(
            f"{path} must be a file and is a directory with something in it",
            "look at it, move it away",
        ) from None


def _differs(path: str, content: bytes, order: Query) -> bool:
    try:
        status = os.lstat(path)
        with open(path, "rb") as file:
            same = file.read() == content
    except FileNotFoundError:
        return True
    wanted = (order["owner"], order["group"], order["mode"])
    return not same or (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) != wanted


def _replace(path: str, content: bytes, order: Query, context: Context) -> None:
    temporary = _beside(path, "new")
    _discard(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    # An agent that loses its controller right here takes the temporary file with it.
    descriptor, ticket = CLEANUPS.begin(
        lambda: os.open(temporary, flags, 0o600), lambda _: _discard(temporary)
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), order["owner"], order["group"])
            os.fchmod(file.fileno(), order["mode"])
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _validate(temporary, order["validator"], context)
        _keep_previous(path)
        if order["reload"]:
            _touch(_beside(path, "pending"))
        os.rename(temporary, path)
        _sync_directory(os.path.dirname(path))
    finally:
        _discard(temporary)
        CLEANUPS.forget(ticket)


def _discard(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _validate(temporary: str, validator: dict[str, Any] | None, context: Context) -> None:
    if validator is None:
        return
    if "image" in validator:
        binds = [f"{temporary}:{validator['mount_at']}:ro"]
        code, output = context.docker.run_once(validator["image"], validator["command"], binds)
        output = _without(output, validator["tolerated"])
        code = code if output else 0
    else:
        done = run_child(
            [part.replace("{}", temporary) for part in validator["command"]], timeout=30
        )
        code, output = done.exit_code, (done.stdout + done.stderr).decode(errors="replace")
    if code != 0:
        raise AgentError(
            f"{validator['command'][0]} does not accept the new file: {_tail(output)}",
            "the file in place was not touched",
        )


def _without(output: str, tolerated: list[str]) -> str:
    lines = (line for line in output.splitlines() if line.strip())
    return "\n".join(line for line in lines if not any(text in line for text in tolerated))


def _tail(output: str) -> str:
    lines = [_SENSITIVE.sub(r"\1‹secret›", line) for line in output.strip().splitlines()]
    return " | ".join(lines[-5:])


def _keep_previous(path: str) -> None:
    """Keep the version before, for `kbz config restore`."""
    if not os.path.isfile(path):
        return
    target = PREVIOUS + path
    os.makedirs(PREVIOUS, mode=0o700, exist_ok=True)
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    shutil.copy2(path, target)
    status = os.stat(path)
    os.chown(target, status.st_uid, status.st_gid)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tell(order: Query, context: Context) -> None:
    """Tell the reader of the file, when it runs; a reader that starts later reads it anyway."""
    reload = order["reload"]
    if reload is None:
        return
    if "unit" in reload:
        done = run_child(["systemctl", reload["verb"], reload["unit"]], timeout=60)
        if done.exit_code != 0:
            raise AgentError(
                f"systemctl {reload['verb']} {reload['unit']} failed: "
                + _tail(done.stderr.decode(errors="replace")),
                f"journalctl -u {reload['unit']}",
            )
        return
    container = context.docker.inspect(reload["container"])
    if container and container["State"]["Running"]:
        context.docker.act(
            "POST", f"/containers/{reload['container']}/kill?signal={reload['signal']}"
        )
