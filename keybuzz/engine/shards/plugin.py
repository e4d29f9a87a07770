"""Runner `kbz_sharded` for scripts that call InitNornir themselves."""

from __future__ import annotations

from keybuzz.transport.runner import BoundedRunner


class Sharded(BoundedRunner):
    """Runs every task on this machine: only a Nornir of keybuzz.init knows the site that workers are held against."""

    def __init__(
        self,
        num_workers: int = 50,
        back_end: str = "process",
        shard_size: int = 50,
        shards: int = 2,
        deadline: int = 300,
        relays: dict[str, dict[str, str]] | None = None,
        pool: dict[str, object] | None = None,
    ) -> None:
        super().__init__(num_workers)
