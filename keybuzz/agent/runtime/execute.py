"""Operation `exec`: run one command and stream what it writes."""

from __future__ import annotations

from keybuzz.agent.runtime import children
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.runtime.frames import PREFIXES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from keybuzz.agent.runtime.channel import Channel

_PAUSE = 0.05
"""Seconds without an uploaded byte after which the child is looked at."""


def run(request: dict[str, object], channel: Channel) -> dict[str, object]:
    """Run `argv` with `stdin` (a text, or else the uploaded bytes), at most `timeout` seconds."""
    argv, timeout, env = request["argv"], request["timeout"], request.get("env") or {}
    if not (isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv)):
        raise AgentError("exec needs `argv`, a list of texts that is not empty")
    if not isinstance(timeout, int | float) or not isinstance(env, dict):
        raise TypeError("exec needs `timeout` in seconds, and `env` as an object")
    stdin = request.get("stdin")
    # The child may end, or run out of its time, while its source says nothing.
    uploaded = channel.receive_with_pauses(_PAUSE)
    feed: Iterable[bytes] = (stdin.encode(),) if isinstance(stdin, str) else uploaded

    def send(name: str, data: bytes) -> None:
        channel.send_bytes(data, PREFIXES[name])

    code, timed_out = children.stream(argv, send, stdin=feed, timeout=timeout, env=env)
    return {"exit_code": code, "timed_out": timed_out}
