"""The programs of a pool, `kbz workers scheduler` and `kbz workers serve`, until a signal ends them."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from keybuzz.engine.shards.pool.place import resource
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.inventory.shards import Tls

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

    from keybuzz.engine.shards.pool.settings import CheckedSecurity

Tell = Callable[[str], None]


def _prepared(tls: Tls) -> CheckedSecurity:
    try:
        from keybuzz.engine.shards.pool import settings, wire
    except ImportError:
        raise InputError(
            "the extra `scale` is not installed", hint="pip install 'kbz[scale]'"
        ) from None
    settings.prepare(wire.TASKS)
    return settings.security(tls)


def run_scheduler(address: str, tls: Tls, tell: Tell) -> None:
    """Serve until a signal ends it; InputError without TLS that works."""
    secured = _prepared(tls)
    from keybuzz.engine.shards.pool.nodes import PoolScheduler

    async def serve(folder: str) -> None:
        async with PoolScheduler(address, secured, folder) as node:
            tell(f"the scheduler listens at {address}")
            await _until_ended(node)

    with tempfile.TemporaryDirectory(prefix="kbz-pool-") as folder:
        asyncio.run(serve(folder))


def run_worker(
    scheduler: str,
    address: str,
    region: str,
    shards: int,
    tls: Tls,
    command: Sequence[str],
    tell: Tell,
) -> None:
    """Serve shards of a region until a signal or the scheduler's end; ContactError when it cannot be reached."""
    secured = _prepared(tls)
    from keybuzz.engine.shards.pool.nodes import ShardWorker
    from keybuzz.engine.shards.pool.settings import knock

    try:
        knock(scheduler, secured)
    except ContactError as error:
        raise ContactError(error.what, where=f"the scheduler at {scheduler}") from None

    async def serve(folder: str) -> bool:
        own = {
            "command": tuple(command),
            "nthreads": shards,
            "resources": {resource(region): shards},
        }
        async with ShardWorker(scheduler, address, secured, folder, **own) as node:
            tell(f"a worker of {region} serves the scheduler at {scheduler}")
            return await _until_ended(node)

    with tempfile.TemporaryDirectory(prefix="kbz-pool-") as folder:
        asked = asyncio.run(serve(folder))
    if not asked:
        raise ContactError("the connection to the scheduler has ended", where=scheduler)


async def _until_ended(node: Scheduler | Worker) -> bool:
    """Return whether a signal ended it."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    finished = node.finished()  # type: ignore[no-untyped-call]  # Dask's have no types
    waits = [asyncio.create_task(asked.wait()), asyncio.create_task(finished)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
        with suppress(asyncio.CancelledError):
            await wait
    return asked.is_set()
