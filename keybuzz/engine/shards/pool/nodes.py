"""The processes of a pool: its scheduler, and a worker in each region. Each does what shards need, and nothing else.

Dask's own have some hundred handlers, of which a dozen take code. These keep the few that a shard goes through, listen
for them on one port with TLS, and serve no pages.
"""

from __future__ import annotations

from typing import Any

from distributed import Scheduler, Status, Worker

from keybuzz.engine.shards.pool import settings

_SCHEDULER = frozenset(
    {
        *("connection_stream", "identity", "register-client", "register-worker"),
        *("heartbeat_worker", "unregister"),
    }
)
_SCHEDULER_STREAMS = frozenset(
    {
        *("update-graph", "client-desires-keys", "client-releases-keys", "cancel-keys"),
        *("heartbeat-client", "close-client", "subscribe-topic", "unsubscribe-topic"),
        *("task-finished", "task-erred", "add-keys", "release-worker-data", "keep-alive"),
        *("log-event", "worker-status-change", "reschedule", "long-running"),
    }
)
_WORKER = frozenset({"identity"})
_WORKER_STREAMS = frozenset(
    {
        *("close", "compute-task", "cancel-compute", "free-keys", "worker-status-change"),
        *("remove-replicas", "remove-worker", "refresh-who-has"),
    }
)


class PoolScheduler(Scheduler):
    """Hands shards to workers of their region, and lines back."""

    def __init__(self, address: str, tls: settings.CheckedSecurity, folder: str) -> None:
        host, _, port = address.rpartition(":")
        super().__init__(
            host=host,
            port=int(port),
            protocol="tls",
            security=tls,
            dashboard=False,
            extensions={},
            local_directory=folder,
            preload=[],
        )
        _keep(self.handlers, _SCHEDULER)
        _keep(self.stream_handlers, _SCHEDULER_STREAMS)

    def start_http_server(self, *args: Any, **options: Any) -> None:
        """Serve no pages."""


class ShardWorker(Worker):
    """Serves shards of its region, each in a process of its own."""

    def __init__(
        self, scheduler: str, address: str, tls: settings.CheckedSecurity, folder: str, **own: Any
    ) -> None:
        self.command: tuple[str, ...] = own.pop("command")
        host, _, port = address.rpartition(":")
        super().__init__(
            settings.tls_address(scheduler),
            host=host,
            port=int(port),
            protocol="tls",
            security=tls,
            dashboard=False,
            extensions={},
            local_directory=folder,
            memory_limit=0,
            **own,
        )
        _keep(self.handlers, _WORKER)
        _keep(self.stream_handlers, _WORKER_STREAMS)

    def start_http_server(self, *args: Any, **options: Any) -> None:
        """Serve no pages."""

    def wants(self, key: str) -> bool:
        """Return whether the shard is still wanted: its controller may have gone, or this worker be about to end."""
        task = self.state.tasks.get(key)
        if self.status is not Status.running:
            return False
        return task is not None and task.state == "executing"


def _keep(handlers: dict[str, Any], names: frozenset[str]) -> None:
    for name in [name for name in handlers if name not in names]:
        del handlers[name]
