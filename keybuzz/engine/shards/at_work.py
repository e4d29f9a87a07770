"""Shards at work: who asks which, what is heard of each host, and what is left when time is over."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keybuzz.engine.look.observe import LOST, NOT_ASKED
from keybuzz.engine.shards.contract import (
    Accepted,
    Ended,
    HostReply,
    HostSilent,
    Message,
    Refused,
    Spec,
    line_limit,
    read_message,
    spec_line,
)
from keybuzz.engine.shards.cut import Shard, by_place
from keybuzz.engine.shards.place import Place, Worker
from keybuzz.model.core.errors import ContactError, InputError, KbzError, sentence_of
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.shards import ShardOptions
from keybuzz.transport.replies import ReplyError, share

Heard = HostReply | KbzError
Hear = Callable[[str, Heard], None]
_LOOK_UP = 0.25
"""Seconds after which a Ctrl-C is noticed at the latest."""
_AGAIN = "look again; kbz workers check asks the workers"
_HEAD = 64
"""Values of a message around what a host replied."""


@dataclass(slots=True)
class _Told:
    """What a worker has told of its shard."""

    accepted: bool = False
    ended: bool = False
    reason: str = ""
    """Why its other hosts are not heard."""


@dataclass(slots=True)
class AtWork:
    """One look over all shards."""

    places: Mapping[str, Place]
    specs: Mapping[str, Spec]
    options: ShardOptions
    hear: Hear
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _waiting: dict[str, str] = field(default_factory=dict)
    """Host to why it would be unheard if nothing more came."""
    _open: int = 0
    """Shards that have not ended."""
    _closed: bool = False
    _workers: set[Worker] = field(default_factory=set)

    def run(self, shards: tuple[Shard, ...], seconds: float | None, late: str) -> dict[str, str]:
        """Ask all shards; return the hosts of which nothing was heard, each with the reason.

        `hear` is called for every other host, one at a time. What is not heard after `seconds` is `late`.
        """
        self._waiting = {host: late for shard in shards for host in shard.hosts}
        self._open = len(shards)
        until = None if seconds is None else time.monotonic() + seconds
        for place, own in by_place(shards).items():
            todo = deque(own)
            for number in range(min(self.options.shards, len(own))):
                # A place that does not answer may hold its thread longer than the command lives.
                name = f"unheard-{place}-{number}"
                threading.Thread(
                    target=self._work, args=(place, todo), name=name, daemon=True
                ).start()
        try:
            with self._lock:
                while self._open and (until is None or time.monotonic() < until):
                    self._lock.wait(_LOOK_UP)
        finally:
            with self._lock:
                self._closed = True
                left, workers = dict(self._waiting), tuple(self._workers)
            for worker in workers:
                worker.stop()
        return left

    def _work(self, place: str, todo: deque[Shard]) -> None:
        while True:
            try:
                shard = todo.popleft()
            except IndexError:
                return
            reason = self._ask(self.places[place], shard)
            with self._lock:
                if reason:
                    self._waiting |= {h: reason for h in shard.hosts if h in self._waiting}
                self._open -= 1
                self._lock.notify()

    def _ask(self, place: Place, shard: Shard) -> str:
        """Let one worker ask a shard; return why the hosts are unheard of which it told nothing."""
        try:
            worker = place.start()
        except ContactError as error:
            return f"{NOT_ASKED}: {error.sentence}"
        except Exception as error:
            return f"{NOT_ASKED}: {place.called}: {sentence_of(error)}"
        timer = threading.Timer(self.options.deadline, worker.stop)
        timer.daemon = True
        try:
            with self._lock:
                if self._closed:
                    return ""
                self._workers.add(worker)
            timer.start()
            return self._listen(place, shard, worker, timer)
        finally:
            timer.cancel()
            worker.close()
            with self._lock:
                self._workers.discard(worker)

    def _listen(self, place: Place, shard: Shard, worker: Worker, timer: threading.Timer) -> str:
        spec, told = self.specs[shard.name], _Told()
        limits = share(spec.of)
        try:
            worker.send(spec_line(spec))
            for line in worker.lines(line_limit(limits)):
                message = read_message(line, shard.name, limits.parts + _HEAD)
                self._take(message, shard, spec, told)
                if told.reason or told.ended:
                    break
        except ReplyError as error:
            return f"{LOST}: {place.called} is not understood: {one_line(str(error))} → {_AGAIN}"
        except Exception as error:
            return f"{LOST}: {place.called}: {sentence_of(error)} → {_AGAIN}"
        if told.reason:
            return f"{NOT_ASKED}: {place.called} refuses: {told.reason}"
        if told.ended:
            return f"{LOST}: {place.called} told nothing of it"
        if not timer.is_alive() and timer.finished.is_set():
            return f"{LOST} within {self.options.deadline} s, the deadline of a shard → {_AGAIN}"
        return f"{LOST}: {place.called} {worker.ending()} → {_AGAIN}"

    def _take(self, message: Message, shard: Shard, spec: Spec, told: _Told) -> None:
        match message:
            case Refused(what, hint):
                told.reason = one_line(f"{what} → {hint}" if hint else what)
            case Accepted(kbz):
                told.accepted = kbz == spec.kbz
                if not told.accepted:
                    told.reason = one_line(f"its kbz is {kbz}, and this one is {spec.kbz}")
            case Ended():
                told.ended = True
            case HostReply(host) | HostSilent(host):
                if not told.accepted or host not in shard.hosts:
                    raise ReplyError("it tells of a host that it was not asked for")
                self._host(message)

    def _host(self, message: HostReply | HostSilent) -> None:
        with self._lock:
            if self._closed or self._waiting.pop(message.host, None) is None:
                return
            self.hear(message.host, _heard(message))


def _heard(message: HostReply | HostSilent) -> Heard:
    if isinstance(message, HostReply):
        return message
    return ContactError(message.what) if message.contact else InputError(one_line(message.what))
