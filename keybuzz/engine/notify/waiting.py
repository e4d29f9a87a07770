"""What a receiver knows and what waits for it, in a file of the state folder that several processes share."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keybuzz.engine.notify.messages import Message, Told, told_document, told_of
from keybuzz.model.core.errors import ContactError
from keybuzz.site.files.private import open_private, private_subfolder, read_private
from keybuzz.site.files.whole import put

FOLDER = "notify"
LARGEST = 1 << 24
"""Bytes of the file: more than the most messages of the most lines can take."""
_POLL = 0.05


@dataclass
class Known:
    """What is in the file, to be changed."""

    told: Told = field(default_factory=Told)
    waiting: list[Message] = field(default_factory=list)

    def text(self) -> bytes:
        """Return it as the file has it."""
        waiting = [asdict(message) for message in self.waiting]
        document = {**told_document(self.told), "waiting": waiting}
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")


@dataclass
class Memory:
    """The file of one receiver, for one command."""

    state: Path
    name: str
    end: float
    """Until when its locks are waited for, on the monotonic clock."""
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def changed(self) -> Iterator[Known]:
        """Yield what is known, while no other process changes it; what was changed is written."""
        path = self._folder() / f"{self.name}.json"
        with self._locked(f"{self.name}.lock"):
            known = self._read(path)
            before = known.text()
            yield known
            if (after := known.text()) != before:
                put(path, after, 0o600)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Be the one process that sends to this receiver; others can still add to what waits."""
        with self._locked(f"{self.name}.sending"):
            yield

    def _folder(self) -> Path:
        return private_subfolder(self.state / FOLDER)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self._folder() / name
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            while not _taken(descriptor):
                if time.monotonic() > self.end:
                    raise ContactError("another kbz is telling this receiver", where=str(path))
                time.sleep(_POLL)
            yield
        finally:
            os.close(descriptor)

    def _read(self, path: Path) -> Known:
        """Return what the file says; a file that cannot be read is put aside, with a warning."""
        try:
            large = path.lstat().st_size > LARGEST
            document = json.loads(b"" if large else read_private(path, LARGEST))
            waiting = [
                Message(**{**item, "lines": tuple(item["lines"])}) for item in document["waiting"]
            ]
            return Known(told_of(document), waiting)
        except FileNotFoundError:
            return Known()
        except (ValueError, KeyError, TypeError, AttributeError):
            aside = path.replace(path.with_suffix(".broken"))
            self.warnings.append(f"{path} is damaged or too large; it is {aside.name} now")
            return Known()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
