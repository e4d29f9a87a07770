"""Sends bytes along with a request, beside the thread that waits for the answer."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from threading import Event, Thread

from keybuzz.agent.runtime.frames import bytes_frame, chunks
from keybuzz.transport.stream import Stream, StreamError


class Upload:
    """One upload, in its own thread: the host may answer before it has read everything.

    A source that waits for something itself yields empty bytes now and then, so that it can be left.
    """

    def __init__(self, stream: Stream, source: Iterable[bytes], deadline: float) -> None:
        self.error: BaseException | None = None
        """What `source` raised. The stream is closed then: the host must not use half an upload."""
        self._stream = stream
        self._source = source
        self._deadline = deadline
        self._enough = Event()
        self._thread = Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Send no more than the end mark, and wait for it; the host has already answered."""
        self._enough.set()
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._thread.is_alive():
            self._stream.close()

    def _run(self) -> None:
        try:
            for data in self._source:
                for piece in chunks(data):
                    if self._enough.is_set():
                        break
                    self._stream.write(bytes_frame(piece), self._deadline)
                if self._enough.is_set():
                    break
            self._stream.write(bytes_frame(b""), self._deadline)
        except StreamError:
            pass  # the thread that reads the answer meets the same end, and reports it
        except BaseException as error:
            self.error = error
            self._stream.close()
        finally:
            if isinstance(self._source, Generator):
                self._source.close()  # what it has opened is not left to the garbage collector
