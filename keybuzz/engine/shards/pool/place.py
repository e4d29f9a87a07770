"""The controller's side of a pool: one connection to its scheduler for a look, and a worker for each shard."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from keybuzz.agent.runtime.frames import REPLY_LIMIT
from keybuzz.engine.shards.contract import read_spec
from keybuzz.engine.shards.place import Worker
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.shards import Pool
from keybuzz.transport.replies import ReplyError, TooLargeError

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_UP = 0.25
_PATIENCE = 5.0
_PENDING = 4 * REPLY_LIMIT
"""Bytes that a worker may have told before they are read."""
_SAID = 300
"""Characters of how a worker ended."""


@dataclass(slots=True)
class Scheduler:
    """A pool's scheduler, connected to when the first shard is at hand; shared by the places of all its regions."""

    pool: Pool
    _client: Client | None = None
    _workers: dict[str, PoolWorker] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def client(self) -> Client:
        """Return the connection; ContactError when there is none, InputError without the extra or without TLS."""
        try:
            import distributed

            from keybuzz.engine.shards.pool import settings, wire
        except ImportError:
            raise InputError(
                "the extra `scale` is not installed", hint="pip install 'kbz[scale]'"
            ) from None
        with self._turn:
            if self._client is None:
                settings.prepare(wire.PLAIN)
                tls = settings.security(self.pool.tls)
                settings.knock(self.pool.address, tls)
                client = distributed.Client(
                    settings.tls_address(self.pool.address),
                    security=tls,
                    timeout=settings.CONNECT,
                    set_as_default=False,
                    name="kbz",
                )
                client.subscribe_topic(client.id, self._heard)
                self._client = client
            return self._client

    def submit(self, worker: PoolWorker, line: bytes, region: str) -> tuple[str, Future[None]]:
        """Hand a Spec on, as data for the one function that the workers have; it is never run twice."""
        from keybuzz.engine.shards.pool.shard import serve_shard

        spec = read_spec(line)
        key = f"kbz-{spec.run}-{spec.shard}"
        client = self.client()
        with self._turn:
            self._workers[key] = worker
        future = client.submit(
            serve_shard,
            line,
            key,
            client.id,
            key=key,
            pure=False,
            retries=0,
            resources={resource(region): 1},
        )
        return key, future

    def forget(self, key: str) -> None:
        """Hear nothing more of a shard."""
        with self._turn:
            self._workers.pop(key, None)

    def close(self) -> None:
        """End the connection: the scheduler drops what waits, and workers end what they do for it."""
        if self._client is not None:
            with suppress(Exception):
                self._client.close(timeout=_PATIENCE)
            self._client = None

    def _heard(self, event: tuple[float, Any]) -> None:
        """Take what a worker told; whatever has another shape is left out, and its shard ends without it."""
        match event[1]:
            case [str() as key, str() as what, said]:
                with self._turn:
                    worker = self._workers.get(key)
                if worker is not None:
                    worker.hear(what, said)


def resource(region: str) -> str:
    """Return the name of what workers of a region have."""
    return f"region-{region}"


class PoolPlace:
    """The workers of one region."""

    def __init__(self, region: str, scheduler: Scheduler) -> None:
        self._region = region
        self._scheduler = scheduler

    @property
    def called(self) -> str:
        """The words for it in messages."""
        return f"the pool of {self._region} ({self._scheduler.pool.address})"

    def start(self) -> Worker:
        """Make ready for one more shard; ContactError when no worker of the region is there."""
        hint = "see that its scheduler and workers run (docs/scale.md), and ask again: kbz workers check"
        try:
            client = self._scheduler.client()
            found = client.scheduler_info(n_workers=-1)["workers"].values()
        except InputError:
            raise
        except ContactError as error:
            raise ContactError(
                f"{self.called} cannot be reached: {error.what}", hint=hint
            ) from None
        except Exception as error:
            raise ContactError(
                f"{self.called} cannot be reached: {one_line(str(error))[:_SAID]}", hint=hint
            ) from None
        if not any(resource(self._region) in worker["resources"] for worker in found):
            raise ContactError(f"{self.called} has no worker now", hint=hint)
        return PoolWorker(self._region, self._scheduler)

    def close(self) -> None:
        """End the connection that all regions share."""
        self._scheduler.close()


class PoolWorker:
    """One shard in the pool."""

    def __init__(self, region: str, scheduler: Scheduler) -> None:
        self._region = region
        self._scheduler = scheduler
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._key = ""
        self._future: Future[None] | None = None
        self._ending = ""

    def send(self, line: bytes) -> None:
        """Hand the Spec on."""
        self._key, self._future = self._scheduler.submit(self, line, self._region)

    def hear(self, what: str, said: object) -> None:
        """Take what the worker told; more than there may be is dropped, and loses the shard."""
        if what == "line" and isinstance(said, bytes):
            with self._lock:
                self._pending += len(said)
                if self._pending <= _PENDING:
                    self._said.put(said)
        elif what == "ending" and isinstance(said, str):
            self._ending = self._ending or one_line(said)[:_SAID]

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield what the worker says, until its task has ended."""
        while True:
            ended = self._future is None or self._future.status != "pending"
            try:
                said = self._said.get(timeout=_LOOK_UP)
            except queue.Empty:
                if ended:
                    return
                continue
            with self._lock:
                if self._pending > _PENDING:
                    raise TooLargeError(f"more than {_PENDING} bytes wait to be read")
                self._pending -= len(said)
            if len(said) > longest:
                raise TooLargeError(f"a line is longer than {longest} bytes")
            if not said.endswith(b"\n"):
                raise ReplyError("it says something that is no line")
            yield said

    def ending(self) -> str:
        """Return how it ended."""
        status = "lost" if self._future is None else self._future.status
        if status == "error":
            return "was lost: the worker that had it is gone, or its connection to the scheduler"
        if status != "finished":
            return "was lost: the connection to its scheduler ended"
        return self._ending or "ended, and told nothing"

    def stop(self) -> None:
        """Let the scheduler drop it; the worker ends what it does for it."""
        if self._future is not None:
            with suppress(Exception):
                self._future.release()

    def close(self) -> None:
        """Stop it, and hear nothing more of it."""
        self.stop()
        self._scheduler.forget(self._key)
