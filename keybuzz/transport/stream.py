"""The duplex byte stream below a session, and its one implementation, over any socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol


class StreamError(Exception):
    """The stream cannot be used any more; the text says why, with the other side's last words."""


class DeadlineError(StreamError):
    """Nothing came, or nothing could be sent, in time."""


class Stream(Protocol):
    """Bytes to and from an agent. Deadlines are absolute, on the clock of `time.monotonic`."""

    def write(self, data: bytes, deadline: float) -> None:
        """Send all of `data`, waiting while the other side does not read."""

    def read_exactly(self, size: int, deadline: float) -> bytes:
        """Return exactly `size` bytes."""

    def close(self) -> None:
        """Release everything, from any thread, repeatedly. Blocked calls raise StreamError."""


class Socket(Protocol):
    """What a socket and an SSH channel have in common."""

    def settimeout(self, timeout: float) -> None: ...
    def sendall(self, data: bytes) -> None: ...
    def recv(self, size: int) -> bytes: ...


class SocketStream:
    """A Stream over a socket or an SSH channel.

    `release` closes it for good and wakes blocked calls. `last_words` is asked after an unexpected
    end for what the other side said on its error stream.
    """

    def __init__(
        self, socket: Socket, release: Callable[[], object], last_words: Callable[[], str]
    ) -> None:
        self._socket = socket
        self._release = release
        self._last_words = last_words
        self._closing = Lock()
        self._writing = Lock()

    def write(self, data: bytes, deadline: float) -> None:
        """See Stream. What several threads write is written one after the other."""
        late = "the host did not read what was sent to it"
        if not self._writing.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DeadlineError(late)
        try:
            self._arm(deadline)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise DeadlineError(late) from error
        except OSError as error:
            raise self._ended(error) from error
        finally:
            self._writing.release()

    def read_exactly(self, size: int, deadline: float) -> bytes:
        """See Stream."""
        data = bytearray()  # a list of pieces would take many times as much, when they are small
        while (missing := size - len(data)) > 0:
            try:
                self._arm(deadline)
                piece = self._socket.recv(missing)
            except TimeoutError as error:
                if time.monotonic() < deadline:  # the timeout was that of another thread's write
                    continue
                raise DeadlineError("the host did not answer in time") from error
            except OSError as error:
                raise self._ended(error) from error
            if not piece:
                raise self._ended(None)
            data += piece
        return bytes(data)

    def close(self) -> None:
        """See Stream."""
        if self._closing.acquire(blocking=False):  # never released: there is one close
            self._release()

    def _arm(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def _ended(self, error: OSError | None) -> StreamError:
        said = self._last_words().strip() if not self._closing.locked() else ""
        reason = said or (str(error) if error else "")
        return StreamError(reason or "the connection was closed")
