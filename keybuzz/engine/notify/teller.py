"""Tells the receivers of site.yaml how a verb ended. It never fails the verb: what was not taken is tried again."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.engine.notify.messages import (
    Message,
    Told,
    failed_drift,
    health_message,
    message_of,
    told_document,
    told_of,
    topic_of,
)
from keybuzz.engine.notify.senders import Sender
from keybuzz.model.core.errors import KbzError, sentence_of
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.redact import Redactor
from keybuzz.site.credentials.store import hidden
from keybuzz.site.files.private import open_private, private_subfolder, read_private
from keybuzz.site.files.whole import put

if TYPE_CHECKING:
    from keybuzz.site.parameters.receivers import Receiver
    from keybuzz.site.site import Site

FOLDER = "notify"
MOST_WAITING = 100
"""Messages that are kept for a receiver that does not take them; the oldest are dropped first."""
_LARGEST = 1 << 22


def notify(site: Site, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell every receiver that wants to know how a verb ended; return what went wrong, each as a warning."""
    warnings: list[str] = []
    topic = topic_of(str(document["verb"]))
    masked = Redactor(hidden(site.credentials)).value(dict(document))
    for receiver in site.settings.receivers:
        if topic not in receiver.about:
            continue
        try:
            _tell(site, receiver, masked)
        except KbzError as error:
            warnings.append(f"notify: {error.where}: {error.sentence}")
        except Exception as error:
            warnings.append(f"notify: {receiver.name} was not told: {sentence_of(error)}")
    return tuple(warnings)


def try_out(site: Site, receiver: Receiver) -> None:
    """Hand a receiver a message that calls itself a test; KbzError when it was not taken. What waits stays."""
    line = "this is a test: kbz can tell this receiver"
    message = Message("runs", f"kbz notify test ({socket.gethostname()})", (line,), 0, 0)
    Sender(site.settings.credentials).send(receiver, message)


def unit_failed(site: Site, unit: str) -> tuple[str, ...]:
    """Tell that a unit of systemd has failed, such as `kbz-drift.service`; return the warnings."""
    verb = unit.removeprefix("kbz-").removesuffix(".service")
    command = proposed("systemctl", "status", unit)
    error = f"{unit} failed; {command} says why"
    return notify(site, {"verb": verb, "exit_code": 1, "error": error, "command": command})


def _tell(site: Site, receiver: Receiver, document: Mapping[str, Any]) -> None:
    where = socket.gethostname()
    with _memory(site.settings.state, receiver.name) as path:
        told, waiting = _read(path)
        message = message_of(document, where)
        if message is None and document["verb"] == "health":
            message, told = health_message(document, told, receiver.good_looks, where)
        elif message is None and document["verb"] == "drift":
            message, told = failed_drift(document, told, where)
        waiting = [*waiting, *([message] if message else [])][-MOST_WAITING:]
        # First it is written down, and then told: a message may come twice, and is never lost.
        _write(path, told, waiting)
        sender = Sender(site.settings.credentials)
        try:
            while waiting:
                sender.send(receiver, waiting[0])
                del waiting[0]
        finally:
            _write(path, told, waiting)


@contextmanager
def _memory(state: Path, name: str) -> Iterator[Path]:
    """Yield the file of what a receiver knows; one process at a time has it."""
    folder = private_subfolder(state / FOLDER)
    descriptor = open_private(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder / f"{name}.json"
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[Told, list[Message]]:
    """Return what is known and what waits; nothing where there is no file, or it is broken."""
    try:
        document = json.loads(read_private(path, _LARGEST))
        waiting = [
            Message(**{**item, "lines": tuple(item["lines"])}) for item in document["waiting"]
        ]
        return told_of(document), waiting
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Told(), []


def _write(path: Path, told: Told, waiting: list[Message]) -> None:
    document = {**told_document(told), "waiting": [asdict(message) for message in waiting]}
    put(path, json.dumps(document).encode(), 0o600)
