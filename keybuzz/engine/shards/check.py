"""Each place of a site's workers: which hosts are asked from there, and whether a worker there would take a shard."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from keybuzz.engine.shards.contract import (
    FORMAT_VERSION,
    Accepted,
    Ended,
    Refused,
    Spec,
    line_limit,
    read_message,
    spec_line,
)
from keybuzz.engine.shards.cut import Shard, by_place, cut, remote_regions
from keybuzz.engine.shards.fingerprint import program
from keybuzz.engine.shards.place import Controller, Place, Worker
from keybuzz.engine.shards.places import places
from keybuzz.model.core.errors import ContactError, sentence_of
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.shards import ShardOptions
from keybuzz.model.reports.workers import Verdict, WorkerCheck, WorkerPlace
from keybuzz.site.site import Site
from keybuzz.transport.replies import ReplyError, share

_SECONDS = 60.0
"""For one worker to say that it would begin."""
_NAME = "check"


def worker_places(site: Site, options: ShardOptions) -> tuple[WorkerPlace, ...]:
    """Return the places, each with what is asked from there; a relay or a pool without hosts is one, too. Pure."""
    shards = by_place(cut(site.servers, options))
    region = {server.name: server.region for server in site.servers}
    names = (*shards, *(name for name in remote_regions(options) if name not in shards))
    return tuple(_place(name, shards.get(name, ()), region, options) for name in names)


def _place(
    name: str, shards: tuple[Shard, ...], region: Mapping[str, str], options: ShardOptions
) -> WorkerPlace:
    hosts = [host for shard in shards for host in shard.hosts]
    regions = tuple(sorted({region[host] for host in hosts} - {""}))
    return WorkerPlace(name, _how(name, options), regions, len(hosts), len(shards))


def _how(name: str, options: ShardOptions) -> str:
    if options.pool is not None and name in options.pool.regions:
        return f"dask tls://{options.pool.address}"
    relay = options.relays.get(name)
    return "process" if relay is None else f"ssh {relay.user}@{relay.address}:{relay.port}"


def check(
    wanted: tuple[WorkerPlace, ...], options: ShardOptions, controller: Controller
) -> tuple[WorkerCheck, ...]:
    """Start a worker at each place, and let it say whether it would begin. No host is asked."""
    spec = Spec(
        FORMAT_VERSION,
        secrets.token_hex(8),
        _NAME,
        program(),
        controller.site,
        "describe",
        {},
        0,
        1,
        _SECONDS,
    )
    with places(options, controller) as found, ThreadPoolExecutor(max(1, len(wanted))) as pool:
        answers = pool.map(lambda place: _check(place.name, found[place.name], spec), wanted)
        return tuple(answers)


@dataclass(slots=True)
class _Said:
    verdict: Verdict = Verdict.LOST
    what: str = ""
    kbz: str = ""


def _check(name: str, place: Place, spec: Spec) -> WorkerCheck:
    started = time.monotonic()
    said = _Said()
    try:
        worker = place.start()
    except ContactError as error:
        said = _Said(Verdict.UNREACHABLE, error.sentence)
    except Exception as error:
        said = _Said(Verdict.UNREACHABLE, sentence_of(error))
    else:
        said = _heard(worker, spec)
    return WorkerCheck(name, said.verdict, said.what, said.kbz, time.monotonic() - started)


def _heard(worker: Worker, spec: Spec) -> _Said:
    said = _Said()
    timer = threading.Timer(_SECONDS, worker.stop)
    timer.daemon = True
    timer.start()
    limits = share(1)
    try:
        worker.send(spec_line(spec))
        for line in worker.lines(line_limit(limits)):
            match read_message(line, spec.shard, limits.parts):
                case Accepted(kbz):
                    said.kbz = one_line(kbz)
                case Refused(what, hint):
                    words = one_line(f"{what} → {hint}" if hint else what)
                    return _Said(Verdict.REFUSES, words)
                case Ended() if said.kbz == spec.kbz:
                    return _Said(Verdict.READY, "", said.kbz)
                case _:
                    break
        said.what = f"the worker {worker.ending()}"
    except ReplyError as error:
        said.what = f"it is not understood: {one_line(str(error))}"
    except Exception as error:
        said.what = sentence_of(error)
    finally:
        timer.cancel()
        worker.close()
    return said
