"""Child processes: each in a session of its own, both streams drained at once, never left behind.

A child has a deadline, after which its whole process group gets TERM and then KILL. When the agent
ends first (Ctrl-C, lost link), the group is killed as well.
"""

from __future__ import annotations

import os
import select
import time

from keybuzz.agent.runtime import signals, spawn
from keybuzz.agent.runtime.ending import CLEANUPS
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Sink = Callable[[str, bytes], object]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
KILL_GRACE = 2.0
"""Seconds between TERM and KILL."""
LEFT_BEHIND = 1.0
"""Seconds to wait after a child ended for streams that something it started still holds."""
DEFAULT_LIMIT = 16 * 1024 * 1024
_PIPE = 64 * 1024
_LOOK_UP = 0.5
"""Seconds after which a signal is noticed at the latest that another thread got: it ends no poll of this one."""


class Completed:
    """How a child ended. `exit_code` is negative for a signal, as in subprocess."""

    __slots__ = ("exit_code", "stderr", "stdout", "timed_out")

    def __init__(self, exit_code: int, stdout: bytes, stderr: bytes, timed_out: bool) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        self.timed_out = timed_out


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    env: Mapping[str, str] | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Completed:
    """Run a child and return all it wrote; AgentError when a stream exceeds `limit` bytes."""
    collected: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    room = {"stdout": limit, "stderr": limit}

    def collect(name: str, data: bytes) -> None:
        room[name] -= len(data)
        if room[name] < 0:
            raise AgentError(f"{argv[0]} wrote more than {limit} bytes to {name}")
        collected[name].append(data)

    feed = (stdin,) if stdin else ()
    code, timed_out = stream(argv, collect, stdin=feed, timeout=timeout, env=env)
    return Completed(code, b"".join(collected["stdout"]), b"".join(collected["stderr"]), timed_out)


def stream(
    argv: Sequence[str],
    sink: Sink,
    *,
    stdin: Iterable[bytes] = (),
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> tuple[int, bool]:
    """Run a child, hand what it writes to `sink("stdout" | "stderr", data)` as it comes.

    Returns exit code and whether it ran out of time. `env` is added to a small fixed environment
    (PATH, LC_ALL=C, HOME, USER). Empty bytes in `stdin` mean that nothing has come for a moment.
    AgentError when the program cannot be started.
    """
    environment = {"PATH": PATH, "LC_ALL": "C"}
    environment.update({key: os.environ[key] for key in ("HOME", "USER") if key in os.environ})
    environment.update(env or {})
    child, ticket = CLEANUPS.begin(lambda: _Child(argv, environment), _Child.kill)
    try:
        child.pump(sink, stdin, time.monotonic() + timeout)
    except BaseException:
        child.kill()
        raise
    finally:
        CLEANUPS.forget(ticket)
        code = child.close()
    return code, child.timed_out


class _Child:
    """One running process group and the pipes to it."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        try:
            self.process = spawn.start(argv, env)
        except OSError as error:
            raise AgentError(f"{argv[0]} cannot be started: {error}") from error
        self.exit_descriptor = os.pidfd_open(self.process.pid)
        self.input = self.process.stdin
        self.outputs = {self.process.stdout: "stdout", self.process.stderr: "stderr"}
        self.exited = False
        self.timed_out = False
        self.killed = False
        self.until = 0.0

    def pump(self, sink: Sink, feed: Iterable[bytes], until: float) -> None:
        """Move bytes until the child ended and its streams closed, or its time is over."""
        self.until = until
        source, pending = iter(feed), memoryview(b"")
        poller = select.poll()
        os.set_blocking(self.input, False)
        poller.register(self.input, select.POLLOUT)
        for descriptor in (*self.outputs, self.exit_descriptor):
            poller.register(descriptor, select.POLLIN)
        while self.outputs or not self.exited:
            left = self.until - time.monotonic()
            if left <= 0 and not self._out_of_time():
                self._last_words(sink)
                return
            for descriptor, _ in poller.poll(min(max(left, 0), _LOOK_UP) * 1000):
                if descriptor == self.input:
                    pending = self._write(poller, source, pending)
                elif descriptor == self.exit_descriptor:
                    self._ended(poller)
                elif not self._read(descriptor, sink):
                    poller.unregister(descriptor)

    def kill(self) -> None:
        """TERM, a moment to comply, KILL; for the whole group. The leader is not reaped before."""
        self._signal(signals.SIGTERM)
        waiter = select.poll()
        waiter.register(self.exit_descriptor, select.POLLIN)
        waiter.poll(KILL_GRACE * 1000)
        self._signal(signals.SIGKILL)
        waiter.poll(KILL_GRACE * 1000)

    def close(self) -> int:
        """Release everything and return the exit code; -9 if even KILL could not end it."""
        if self.timed_out:
            self._signal(signals.SIGKILL)
        os.close(self.exit_descriptor)
        self._close_input()
        os.close(self.process.stdout)
        os.close(self.process.stderr)
        pid, status = os.waitpid(self.process.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else -int(signals.SIGKILL)

    def _write(
        self, poller: select.poll, source: Iterator[bytes], pending: memoryview
    ) -> memoryview:
        if not pending:
            piece = next(source, None)
            if piece is not None and not piece:
                return pending  # a source that waits itself: what the child does is looked at first
            pending = memoryview(piece or b"")
        try:
            if pending:
                return pending[os.write(self.input, pending) :]
        except BrokenPipeError:
            pass  # it ended, or closed its input: what is left of the input is not needed
        poller.unregister(self.input)
        self._close_input()
        return pending

    def _close_input(self) -> None:
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def _read(self, descriptor: int, sink: Sink) -> bool:
        data = os.read(descriptor, _PIPE)
        if data:
            sink(self.outputs[descriptor], data)
        else:
            del self.outputs[descriptor]
        return bool(data)

    def _ended(self, poller: select.poll) -> None:
        poller.unregister(self.exit_descriptor)
        self.exited = True
        if not self.timed_out:
            self.until = time.monotonic() + LEFT_BEHIND

    def _out_of_time(self) -> bool:
        """Take the next step against a child whose time is over; False when there is none left."""
        if self.killed or (self.exited and not self.timed_out):
            return False
        self.killed = self.timed_out
        self._signal(signals.SIGKILL if self.timed_out else signals.SIGTERM)
        self.timed_out = True
        self.until = time.monotonic() + KILL_GRACE
        return True

    def _last_words(self, sink: Sink) -> None:
        """Read what lies in the pipes: all that the child wrote, though a daemon holds them."""
        poller = select.poll()
        for descriptor in self.outputs:
            poller.register(descriptor, select.POLLIN)
        for descriptor, _ in poller.poll(0):
            self._read(descriptor, sink)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass  # all of it has ended
