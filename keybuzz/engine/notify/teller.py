"""Tells the receivers of site.yaml how a verb ended. It never fails the verb, nor holds it up for long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keybuzz.engine.cuts import Cuts
from keybuzz.engine.notify.messages import (
    Message,
    Told,
    failed_drift,
    health_message,
    message_of,
    topic_of,
)
from keybuzz.engine.notify.senders import NeverTakenError, Sender
from keybuzz.engine.notify.waiting import Memory
from keybuzz.model.core.errors import ContactError, KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.redact import Redactor
from keybuzz.site.credentials.store import hidden

if TYPE_CHECKING:
    from keybuzz.site.parameters.receivers import Receiver
    from keybuzz.site.site import Site

MOST_WAITING = 100
"""Messages that are kept for a receiver that does not take them; the oldest are dropped first."""
SECONDS = 15.0
"""For all receivers of a command together."""
_AGAIN = "it is tried again with the next message"


def notify(
    site: Site, document: Mapping[str, Any], cuts: Cuts, seconds: float = SECONDS
) -> tuple[str, ...]:
    """Tell every receiver that wants to know how a verb ended; return what went wrong, each as a warning.

    The time is for all of them, side by side. It, or a signal, ends the waiting: what was not taken stays for the
    next time.
    """
    topic = topic_of(str(document["verb"]))
    masked = Redactor(hidden(site.credentials)).value(dict(document))
    end = time.monotonic() + seconds
    wanted = [receiver for receiver in site.settings.receivers if topic in receiver.about]
    tellings = [_Telling(site, receiver, masked, end) for receiver in wanted]
    why = f"it did not take it within {seconds:g} s"
    try:
        cuts.allow_from_now()
        for telling in tellings:
            telling.start()
        for telling in tellings:
            telling.ended.wait(max(end - time.monotonic(), 0.0))
        cuts.forbid()
    except KeyboardInterrupt:
        why = "a signal cut it off"
    return tuple(warning for telling in tellings for warning in telling.warnings(why))


def try_out(site: Site, receiver: Receiver) -> None:
    """Hand a receiver a message that calls itself a test; ContactError when it was not taken. What waits stays."""
    line = "this is a test: kbz can tell this receiver"
    message = Message("runs", f"kbz notify test ({socket.gethostname()})", (line,), 0, 0)
    if missed := Sender(site.settings.credentials).send(receiver, message):
        raise ContactError(f"{receiver.name}: {missed}", where=receiver.where)


def unit_failed(site: Site, unit: str) -> tuple[str, ...]:
    """Tell that a unit of systemd has failed, such as `kbz-drift.service`; return the warnings."""
    verb = unit.removeprefix("kbz-").removesuffix(".service")
    command = proposed("systemctl", "status", unit)
    error = f"{unit} failed; {command} says why"
    document = {"verb": verb, "exit_code": 1, "error": error, "command": command}
    return notify(site, document, Cuts())


class _Telling(threading.Thread):
    """One receiver being told. It ends with the process: what is written of it is whole at any moment."""

    def __init__(
        self, site: Site, receiver: Receiver, document: Mapping[str, Any], end: float
    ) -> None:
        super().__init__(name=f"notify-{receiver.name}", daemon=True)
        self._sender = Sender(site.settings.credentials)
        self._receiver, self._document, self._end = receiver, document, end
        self._memory = Memory(site.settings.state, receiver.name, end)
        self._wrong: list[str] = []
        self._again = ""
        self.ended = threading.Event()
        """Set at its end: a `join` that a signal interrupts takes the thread for ended (CPython 3.11)."""

    def warnings(self, unfinished: str) -> tuple[str, ...]:
        """Return what went wrong so far; `unfinished` is why it was not waited for."""
        receiver = self._receiver
        late = f"{receiver.where}: {receiver.name} was not told: {unfinished}{self._again}"
        # Asked first: what it says at its very end is not missed then.
        last = () if self.ended.is_set() else (late,)
        return tuple(f"notify: {text}" for text in (*self._memory.warnings, *self._wrong, *last))

    def run(self) -> None:
        """Tell it; nothing is raised, whatever happens."""
        receiver = self._receiver
        try:
            self._keep()
            self._again = f"; {_AGAIN}"
            self._send_all()
        except KbzError as error:
            self._wrong.append(f"{error.where}: {error.sentence}{self._again}")
        except Exception as error:  # its text may hold an address that is a secret
            name = type(error).__name__
            self._wrong.append(
                f"{receiver.where}: {receiver.name} was not told: {name}{self._again}"
            )
        finally:
            self.ended.set()

    def _keep(self) -> None:
        """Write down what there is to tell, before it is told: it may come twice, and is never lost."""
        with self._memory.changed() as known:
            message, known.told = _judged(self._document, known.told, self._receiver.good_looks)
            known.waiting = [*known.waiting, *([message] if message else [])][-MOST_WAITING:]

    def _send_all(self) -> None:
        with self._memory.changed() as known:
            if not known.waiting:
                return
        done: Message | None = None
        with self._memory.sending():
            while True:
                with self._memory.changed() as known:
                    if done is not None and done in known.waiting:
                        known.waiting.remove(done)
                    left = len(known.waiting)
                    done = known.waiting[0] if left else None
                if done is None:
                    return
                if time.monotonic() > self._end:
                    where = self._receiver.where
                    self._wrong.append(f"{where}: {left} not sent for want of time; {_AGAIN}")
                    return
                self._send(done)

    def _send(self, message: Message) -> None:
        """Hand over one message, or say why it never will be; ContactError when it must wait."""
        where, name = self._receiver.where, self._receiver.name
        try:
            if missed := self._sender.send(self._receiver, message):
                self._wrong.append(f"{where}: {name}: {missed}")
        except NeverTakenError as error:
            self._wrong.append(f"{where}: {error.sentence}; the message is dropped")


def _judged(
    document: Mapping[str, Any], told: Told, good_looks: int
) -> tuple[Message | None, Told]:
    """Return what there is to tell one who was told so much before, and what that one knows then."""
    where = socket.gethostname()
    if document["verb"] == "health":
        return health_message(document, told, good_looks, where)
    message = message_of(document, where)
    if document["verb"] == "drift":
        failed, told = failed_drift(document, told, where)
        message = message or failed
    return message, told
