"""Operation `hold`: the host's lease, so that two controllers never change it at once.

The kernel holds it (flock) for as long as this agent lives, and not longer. The file says who holds it.
"""

from __future__ import annotations

import fcntl
import os
from _thread import start_new_thread

from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.runtime.channel import Channel

LEASE = "/run/kbz/lease"
LONGEST = 1000
"""Bytes that a holder may say of himself."""

_held: list[int] = []
"""The descriptor of the lease, while it is held. One list, because an agent is one holder."""


def run(request: dict[str, object], channel: Channel) -> dict[str, object]:
    """Take the lease for `holder`, or give it back without one; say who holds it when it is not free."""
    holder, token = request.get("holder"), request.get("token")
    if holder is None:
        release()
        return {"held": False, "holder": ""}
    if not isinstance(holder, str) or not isinstance(token, str) or not token:
        raise AgentError("hold needs `holder` and `token`, both texts")
    other = take(holder, token)
    return {"held": not other, "holder": other}


def take(holder: str, token: str) -> str:
    """Hold the lease from now on; return who holds it instead, or an empty text."""
    if _held:
        return ""
    lease = _open()
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.pread(lease, LONGEST, 0).decode(errors="replace")
        if token not in other:
            os.close(lease)
            return other or "a holder that has just begun"
        # An agent of the same command, whose connection is lost, has not ended yet: this one follows it.
        start_new_thread(_follow, (lease, holder))
    else:
        _write(lease, holder)
    _held.append(lease)
    return ""


def release() -> None:
    """Give the lease back."""
    while _held:
        os.close(_held.pop())


def _open() -> int:
    folder = os.path.dirname(LEASE)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(LEASE, flags, 0o600)


def _follow(lease: int, holder: str) -> None:
    fcntl.flock(lease, fcntl.LOCK_EX)
    if lease in _held:  # it may have been given back meanwhile, and its number be another file's
        _write(lease, holder)


def _write(lease: int, holder: str) -> None:
    os.ftruncate(lease, 0)
    os.pwrite(lease, holder.encode()[:LONGEST], 0)
