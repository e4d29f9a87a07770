"""The output of a program on one host as the input of a program on another, by way of the controller.

No more than a few pieces are held here: where the receiver is slower, the program waits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING

from keybuzz.site.backups.archive import Outflow
from keybuzz.transport.link import hide_of, session_of

if TYPE_CHECKING:
    from nornir.core import Nornir

    from keybuzz.transport.session import Execution, Hide, Session

_PIECES = 64
_POLL = 0.2
_SAID = 4096


class Flow:
    """A program at work on another host, and what it prints."""

    def __init__(self, opened: Session, source: Outflow, seconds: float, hide: Hide) -> None:
        """Start it."""
        self._session = opened
        self._source = source
        self._seconds = seconds
        self._hide = hide
        self._pieces: Queue[bytes | None] = Queue(_PIECES)
        self._enough = Event()
        self._error: BaseException | None = None
        self._failed: Execution | None = None
        self._said = b""
        self._heard = time.monotonic()
        self._silent = False
        self._thread = Thread(target=self._work, name="outflow", daemon=True)
        self._thread.start()

    def pieces(self) -> Iterator[bytes]:
        """Yield what it prints. That it ended says nothing of how: `finish` does.

        Empty bytes mean that it has printed nothing for a moment: who sends them on can stop then.
        """
        while not self._enough.is_set():
            try:
                piece = self._pieces.get(timeout=_POLL)
            except Empty:
                self._require_a_word()
                yield b""
                continue
            if piece is None:
                return
            yield piece

    def finish(self, done: Execution) -> Execution:
        """Return how both ended, after the receiver has: half of an output is never taken for the whole.

        Raises what cut the contact with the program's host.
        """
        good = done.exit_code == 0 and not done.timed_out
        while good and self._thread.is_alive():
            try:  # a receiver may need less than all
                self._pieces.get(timeout=_POLL)
            except Empty:
                self._require_a_word()
        if self._silent:
            return replace(done, exit_code=1, stdout="", stderr=self._silence())
        if self._error is not None:
            raise self._error
        return self._failed or done

    def end(self) -> None:
        """End it where it is still at work: its receiver is gone."""
        self._enough.set()
        if self._thread.is_alive():
            self._session.close()
        self._thread.join()

    def _require_a_word(self) -> None:
        """End the program where it has said nothing for too long. What it printed is never taken for the whole."""
        if self._thread.is_alive() and time.monotonic() - self._heard > self._source.silence:
            self._silent = True
            self._session.close()  # the thread meets that end, and so does who reads the pieces

    def _silence(self) -> str:
        said = str(self._hide(self._said.decode(errors="replace"))).strip()
        told = f"it has printed nothing for {self._source.silence:g} s and was ended"
        return f"{self._source.host}: {told}{'; before: ' if said else ''}{said}"

    def _work(self) -> None:
        try:
            done = self._session.execute(
                self._source.argv, self._source.stdin, timeout=self._seconds, on_output=self._take
            )
            if done.exit_code != 0 or done.timed_out:
                self._failed = self._with_words(done)
        except BaseException as error:  # `finish` raises it
            self._error = error
        finally:
            self._put(None)

    def _with_words(self, done: Execution) -> Execution:
        said = str(self._hide(self._said.decode(errors="replace"))).strip()
        return replace(done, stderr=f"{self._source.host}: {said or f'exit {done.exit_code}'}")

    def _take(self, name: str, data: bytes) -> None:
        if name == "stdout":
            self._put(data)
        else:
            self._said = (self._said + data)[-_SAID:]
        self._heard = time.monotonic()

    def _put(self, piece: bytes | None) -> None:
        while not self._enough.is_set():
            with suppress(Full):
                self._pieces.put(piece, timeout=_POLL)
                return


@contextmanager
def flowing(everyone: Nornir, source: Outflow, seconds: float) -> Iterator[Flow]:
    """Give the program of another host, at work; ContactError where that host is not reached."""
    host = everyone.inventory.hosts[source.host]
    opened = session_of(host, str(host["connection"]), everyone.config)
    flow = Flow(opened, source, seconds, hide_of(everyone.config.user_defined))
    try:
        yield flow
    finally:
        flow.end()
