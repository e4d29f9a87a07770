"""Whole files: temporary file beside it, owner and mode before content, validator, rename, reader told.

A marker beside the file stays until its reader has been told: a run that dies in between leaves a file that says
"not loaded", and the next run tells the reader.
"""

from __future__ import annotations

import os
import stat

from keybuzz.agent.guard import opener
from keybuzz.agent.guard.marks import is_secret_file
from keybuzz.agent.kinds.host.files import ABSENT, ownership
from keybuzz.agent.runtime.atomic import beside, discard, replacing
from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError, proposed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

PREVIOUS = "/var/lib/kbz/previous"
_SHOWN_BYTES = 65536
_NO_SUCH_UNIT = 5
_RELOAD = "reload"
"""Exit code of systemctl for a unit that is not there yet: it reads the file when it starts."""
_MASK = "‹secret›"
_SENSITIVE = r"(?i)((?:pass\w*|secret|token|\w*key|cookie)[\"']?\s*[:= ]\s*)\S.*"


def read_file(query: Query, context: Context) -> State:
    """Read digest, owner, mode, and whether the last change has reached its reader."""
    path = query["name"]
    try:
        status = opener.status(path)
    except FileNotFoundError:
        return ABSENT
    if not stat.S_ISREG(status.st_mode):
        # Never opened: a link may lead to what must not be read, and a pipe would hold us for ever.
        return {
            "present": True,
            "attributes": {"digest": f"({opener.kind_of(status)})", **ownership(status)},
        }
    content = _content(path)
    return {
        "present": True,
        "attributes": {
            "digest": context.digest(content, query["secret"]),
            "loaded": not opener.is_there(beside(path, "pending")),
            **ownership(status),
        },
        "text": _shown(content, query, context),
    }


def _content(path: str) -> bytes:
    return opener.read(path, opener.LARGE)


def _shown(content: bytes, query: Query, context: Context) -> str:
    """Return the text for a diff; what is in the place of a described secret has a mark there.

    A secret that was changed by hand, or rotated, is in no store: its place gives it away. The controller masks by
    rule what else is one.
    """
    text = content[:_SHOWN_BYTES].decode(errors="replace")
    if is_secret_file(query["name"]):
        return context.mark(text)
    if not query["secret"]:
        return text
    import re

    places = [
        (re.compile("(.*)".join(map(re.escape, pieces))), pieces)
        for pieces in query["secret_lines"]
    ]
    return "\n".join(_marked(line, places, context) for line in text.split("\n"))


def _marked(line: str, places: list[tuple[re.Pattern[str], list[str]]], context: Context) -> str:
    for place, pieces in places:
        if match := place.fullmatch(line):
            secrets = [context.mark(secret) for secret in match.groups()]
            return "".join(map("".join, zip(pieces, [*secrets, ""], strict=True)))
    return line


def _without_secret(line: str) -> str:
    import re  # not before it is needed: it costs more time than to read a hundred files

    return re.sub(_SENSITIVE, rf"\1{_MASK}", line)


def write_file(order: Query, context: Context) -> None:
    """Put the file in place, then tell its reader."""
    path = order["name"]
    _clear_the_way(path)
    opener.make_folders(os.path.dirname(path))
    content = order["text"].encode()
    if _differs(path, content, order):
        _replace(path, content, order, context)
    _tell(order, context)
    discard(beside(path, "pending"))


def _clear_the_way(path: str) -> None:
    """Remove an empty directory. A link is replaced by the file, never followed; nothing else is touched."""
    try:
        with opener.place(path) as found:
            status = found.status()
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                return
            detail = ""
            if stat.S_ISDIR(status.st_mode):
                detail = " with something in it"
                try:
                    os.rmdir(found.name, dir_fd=found.folder)
                except OSError:
                    pass
                else:
                    return
    except FileNotFoundError:
        return
    what = f"must be a file and is {opener.kind_of(status)}{detail}"
    raise opener.UnsafeFileError(path, what)


def _differs(path: str, content: bytes, order: Query) -> bool:
    try:
        status = opener.status(path)
    except FileNotFoundError:
        return True
    wanted = (order["owner"], order["group"], order["mode"])
    found = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    return not stat.S_ISREG(status.st_mode) or found != wanted or _content(path) != content


def _replace(path: str, content: bytes, order: Query, context: Context) -> None:
    with replacing(path, content, order["owner"], order["group"], order["mode"]) as temporary:
        _validate(temporary, order["validator"], context)
        keep_previous(path)
        if order["reload"]:
            _touch(beside(path, "pending"))


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
    lines = [_without_secret(line) for line in output.strip().splitlines()]
    return " | ".join(lines[-5:])


def keep_previous(path: str) -> None:
    """Keep the version before below PREVIOUS, so that a person can go back to it."""
    if not opener.is_file(path):
        return
    with os.fdopen(opener.opened(path), "rb") as file:
        status = os.fstat(file.fileno())
        content = opener.whole(file.fileno(), path, opener.LARGE)
    target = PREVIOUS + path
    opener.make_folders(PREVIOUS, 0o700)
    opener.make_folders(os.path.dirname(target))
    mode = stat.S_IMODE(status.st_mode)
    with replacing(target, content, status.st_uid, status.st_gid, mode) as copy:
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def _touch(path: str) -> None:
    with opener.place(path) as found:
        found.discard()
        os.close(found.create())


def _tell(order: Query, context: Context) -> None:
    """Tell the reader of the file, when it runs; a reader that starts later reads it anyway."""
    reload = order["reload"]
    if reload is None:
        return
    if "unit" in reload:
        if reload["verb"] == "restart":
            # systemd counts starts within seconds, whoever asked for them, and refuses the sixth.
            run_child(["systemctl", "reset-failed", reload["unit"]], timeout=60)
        if reload["verb"] == _RELOAD and not _can_reload(reload["unit"]):
            return
        done = run_child(["systemctl", reload["verb"], reload["unit"]], timeout=60)
        absent = reload["verb"] == "try-restart" and done.exit_code == _NO_SUCH_UNIT
        if done.exit_code != 0 and not absent:
            raise AgentError(
                f"systemctl {reload['verb']} {reload['unit']} failed: "
                + _tail(done.stderr.decode(errors="replace")),
                proposed("journalctl", "-u", reload["unit"]),
            )
        return
    container = context.docker.inspect(reload["container"])
    # Docker calls one that it is about to start again "running", with the process 0: for kill(2) that is our own group.
    if container and container["State"]["Running"] and container["State"]["Pid"] > 0:
        _signal(container["State"]["Pid"], reload["signal"])


def _can_reload(unit: str) -> bool:
    """Return whether a unit runs and can be told without a restart."""
    asked = ["systemctl", "show", "--property=CanReload,ActiveState", unit]
    said = run_child(asked, timeout=60).stdout.decode(errors="replace").split()
    return {"CanReload=yes", "ActiveState=active"} <= set(said)


def _signal(process: int, name: str) -> None:
    """Signal a container's first process, not by Docker: any `docker kill` counts as a stop by hand.

    The container would stay down after the next start of the host or of Docker (moby issue 41302).
    """
    import signal

    try:
        os.kill(process, signal.Signals[f"SIG{name}"])
    except ProcessLookupError:
        pass  # it ended meanwhile; it reads the file when it starts
