"""The host's lease, so that two controllers never change it at once: taken in the first frame, or by operation `hold`.

The kernel holds it (flock) for as long as this agent lives, and not longer. The file says who holds it. Only the holder
of a second lock, the turn, may take it. An agent that replaces another one of the same command keeps the turn until
that one has ended, so that there is no moment in which another controller finds both free.
"""

from __future__ import annotations

import fcntl
import os
import time
from _thread import start_new_thread

from keybuzz.agent.runtime import ending
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.runtime.channel import Channel

LEASE = "/run/kbz/lease"
TURN = "/run/kbz/lease.turn"
LONGEST = 1000
"""Bytes that a holder may say of himself."""
TURN_WAIT = 1.0
"""Seconds to wait for a turn: only an agent that replaces another one has it for longer than a moment."""
_POLL = 0.05
_LOOKS = 6
"""How often within the time that a controller may be silent it is looked at."""

_held: list[int] = []
"""The descriptors of the lease (and of the turn), while they are held. One list, because an agent is one holder."""
_watched: list[float] = []
"""For how many seconds the controller may be silent; empty while nothing watches it."""


def run(request: dict[str, object], channel: Channel) -> dict[str, object]:
    """Take the lease for `holder`, or give it back without one; say who holds it when it is not free."""
    if request.get("holder") is None:
        release()
        return {"held": False, "holder": ""}
    return _taken(request, channel)


def at_opening(
    terms: dict[str, object], here: dict[str, object], channel: Channel
) -> dict[str, object]:
    """Take the lease in the first frame, on the machine that is meant; an answer without a holder says nothing of it.

    What does not work then is told to the controller when it asks for the lease by itself.
    """
    if not _meant(terms, here):
        return {"held": False, "holder": ""}
    try:
        return _taken(terms, channel)
    except (AgentError, OSError):
        return {"held": False, "holder": ""}


def take(holder: str, token: str) -> str:
    """Hold the lease from now on; return who holds it instead, or an empty text."""
    if _held:
        return ""
    turn, lease = _open(TURN), _open(LEASE)
    kept: tuple[int, ...] = ()
    try:
        other, kept = _take(turn, lease, holder, token)
    finally:
        for descriptor in {turn, lease}.difference(kept):
            os.close(descriptor)
    _held.extend(kept)
    if turn in kept:
        start_new_thread(_follow, (turn, lease, holder))
    return other


def release() -> None:
    """Give the lease back."""
    while _held:
        os.close(_held.pop())


def _meant(terms: dict[str, object], here: dict[str, object]) -> bool:
    """Return whether this is the machine of the terms; what they leave empty is not compared."""
    address, pin, names = (terms.get(name) for name in ("address", "pin", "names"))
    addresses = here["addresses"]
    called = str(here["name"]).lower()
    return (
        (not address or (isinstance(addresses, list) and address in addresses))
        and (not pin or pin == here["id"])
        and (
            not isinstance(names, list)
            or not names
            or called in names
            or called.partition(".")[0] in names
        )
    )


def _taken(terms: dict[str, object], channel: Channel) -> dict[str, object]:
    holder, token, silence = (terms.get(name) for name in ("holder", "token", "silence"))
    if not isinstance(holder, str) or not isinstance(token, str) or not token:
        raise AgentError("hold needs `holder` and `token`, both texts")
    other = take(holder, token)
    if not other and isinstance(silence, int | float) and silence > 0:
        _watch(channel, float(silence))
    return {"held": not other, "holder": other}


def _take(turn: int, lease: int, holder: str, token: str) -> tuple[str, tuple[int, ...]]:
    """Take the turn, then the lease; return who else holds it, and the descriptors that are to stay open."""
    patience = time.monotonic() + TURN_WAIT
    while not _locked(turn):
        if time.monotonic() > patience:
            return _holder(lease), ()
        time.sleep(_POLL)
    if _locked(lease):
        _write(lease, holder)
        return "", (lease,)
    other = _holder(lease)
    # An agent of the same command, whose connection is replaced, has not ended yet: this one follows it.
    return ("", (turn, lease)) if token in other else (other, ())


def _follow(turn: int, lease: int, holder: str) -> None:
    fcntl.flock(lease, fcntl.LOCK_EX)
    if lease in _held:  # it may have been given back meanwhile, and its number be another file's
        _write(lease, holder)
        _held.remove(turn)
        os.close(turn)


def _watch(channel: Channel, silence: float) -> None:
    """End this agent when its controller is silent for so long: a machine without power closes no connection."""
    if not _watched:
        start_new_thread(_end_in_silence, (channel,))
    _watched[:] = [silence]


def _end_in_silence(channel: Channel) -> None:
    while True:
        (silence,) = _watched
        time.sleep(silence / _LOOKS)
        if _held and channel.silence() > silence:
            os.write(2, f"nothing was heard of the controller for {silence:g} s\n".encode())
            ending.end(1)


def _open(path: str) -> int:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(path, flags, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lease: int) -> str:
    return os.pread(lease, LONGEST, 0).decode(errors="replace") or "a holder that has just begun"


def _write(lease: int, holder: str) -> None:
    os.ftruncate(lease, 0)
    os.pwrite(lease, holder.encode()[:LONGEST], 0)
