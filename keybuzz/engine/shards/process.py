"""Workers as processes on the controller: no service, no port, and nothing to install."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress

from keybuzz.engine.shards.cut import HERE
from keybuzz.engine.shards.place import Worker
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.visible import one_line
from keybuzz.transport.replies import TooLargeError

_PATIENCE = 5.0
"""Seconds for a worker to end."""
_TOLD = 300
"""Characters of what a worker wrote to stderr that are told."""


WORKER = "keybuzz.cli.site.shard_worker"
"""The module that is a worker's program."""


def command(config: str) -> tuple[str, ...]:
    """Return what starts a worker with this Python and this nornir_config.yaml."""
    return (sys.executable, "-P", "-m", WORKER, config)  # -P: not what lies in the current folder


class Processes:
    """Starts workers on this machine."""

    called = f"the worker on {HERE}"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def start(self) -> Worker:
        """Start a process; ContactError when the system refuses."""
        try:
            return ProcessWorker(self._command)
        except OSError as error:
            raise ContactError(f"{self.called} cannot be started: {error}") from error

    def close(self) -> None:
        """Nothing is shared."""


class ProcessWorker:
    """One process: its Spec on stdin, its messages on stdout. It ends when its stdin does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 # it is open as long as the worker
        # A Ctrl-C of the terminal is the controller's: it ends its workers itself.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Write the Spec; a process that has ended already says so by its lines."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield what it says."""
        stream = self._process.stdout
        assert stream is not None
        while line := stream.readline(longest + 1):
            if len(line) > longest:
                raise TooLargeError(f"a line is longer than {longest} bytes")
            if line.endswith(b"\n"):  # else it was cut off by the end of the worker
                yield line

    def ending(self) -> str:
        """Return how it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        return ending(self._process.poll(), self._said())

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_PATIENCE)

    def close(self) -> None:
        """End it, and close its pipes."""
        self.stop()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _said(self) -> str:
        """Return the last line of its stderr."""
        end = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, end - _TOLD))
        lines = self._stderr.read().decode(errors="replace").split("\n")
        return one_line(next((line for line in reversed(lines) if line.strip()), ""))


def ending(code: int | None, said: str) -> str:
    """Return an exit code in words, with the last that was said."""
    if code is None:
        return "said nothing more, and did not end"
    words = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{words}: {said}" if said else words
