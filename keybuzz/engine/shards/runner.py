"""Runner `kbz_sharded`: what only looks is asked by workers, everything else by this process."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from nornir.core.task import AggregatedResult, MultiResult, Result, Task

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import LOST, described
from keybuzz.engine.shards.at_work import AtWork, Heard
from keybuzz.engine.shards.contract import FORMAT_VERSION, HostReply, Spec
from keybuzz.engine.shards.cut import Shard, cut
from keybuzz.engine.shards.fingerprint import program
from keybuzz.engine.shards.heard import observation_of
from keybuzz.engine.shards.place import Controller
from keybuzz.engine.shards.places import places
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, KbzError
from keybuzz.model.core.redact import Redactor
from keybuzz.model.inventory.shards import ShardOptions
from keybuzz.transport.runner import BoundedRunner

if TYPE_CHECKING:
    from nornir.core.inventory import Host


class ShardedRunner:
    """Sends the names of hosts to workers, shard by shard, and makes results of what they tell.

    A shard is asked once: the hosts of one that is lost have an error that says so, and no other worker asks them.
    A Nornir whose connections go further than a look keeps all its hosts to itself: leases, gates and steps are
    the controller's.
    """

    def __init__(
        self,
        options: ShardOptions,
        controller: Controller,
        seconds: float | None = None,
        late: str = "",
    ) -> None:
        self.options = options
        self._controller = controller
        self._seconds = seconds
        self._late = late or f"{LOST} within {options.deadline} s, the deadline of a shard"
        self._local = BoundedRunner(options.num_workers)

    def within(self, seconds: float, late: str) -> ShardedRunner:
        """Return one for which hosts that have not answered after these seconds have an error that says `late`."""
        return ShardedRunner(self.options, self._controller, seconds, late)

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Return a MultiResult for every host."""
        known = task.nornir.config.user_defined
        if task.task is not described or known.get("access") is not Access.LOOK or not hosts:
            return self._local.run(task, hosts)
        return self._sharded(task, hosts)

    def _sharded(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        by_name = {host.name: host for host in hosts}
        shards = cut((host["server"] for host in hosts), self.options)
        results: dict[str, MultiResult] = {}

        def hear(host: str, heard: Heard) -> None:
            results[host] = _settled(task, by_name[host], heard)

        run = secrets.token_hex(8)
        specs = {shard.name: self._spec(task, run, shard, len(hosts)) for shard in shards}
        with places(self.options, self._controller) as started:
            work = AtWork(started, specs, self.options, hear)
            unheard = work.run(shards, self._seconds, self._late)
        for unheard_host, why in unheard.items():
            hear(unheard_host, ContactError(why))
        found = AggregatedResult(task.name)
        for name in by_name:
            found[name] = results[name]
        return found

    def _spec(self, task: Task, run: str, shard: Shard, of: int) -> Spec:
        descriptions: Mapping[str, HostDescription] = cast("Any", task.params)["descriptions"]
        return Spec(
            FORMAT_VERSION,
            run,
            shard.name,
            program(),
            self._controller.site,
            "describe",
            {host: tuple(descriptions[host].modules) for host in shard.hosts},
            of,
            self.options.num_workers,
            float(self.options.deadline),
        )


def _settled(task: Task, host: Host, heard: Heard) -> MultiResult:
    """Return the host's result, and tell the processors, as if its task had run here."""
    done = task.copy()
    done.host = host
    task.processors.task_instance_started(done, host)
    try:
        found = observation_of(done, heard) if isinstance(heard, HostReply) else heard
    except KbzError as error:
        found = error
    if isinstance(found, KbzError):
        # What a worker says of a failure is a host's word, or its own: it loses the secrets of the store like a reply.
        redactor = task.nornir.config.user_defined.get("redactor", Redactor(()))
        found.what, found.hint = redactor.text(found.what), redactor.text(found.hint)
    failed = isinstance(found, Exception)
    result = Result(
        host,
        result=str(found) if failed else found,
        failed=failed,
        exception=found if isinstance(found, Exception) else None,
        severity_level=logging.ERROR if failed else task.severity_level,
    )
    result.name = task.name  # type: ignore[assignment]  # nornir infers None for this attribute
    done.results.insert(0, result)
    task.processors.task_instance_completed(done, host, done.results)
    return done.results
