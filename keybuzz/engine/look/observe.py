"""One request per host, all modules at once: states of all resources and answers to all readings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.heard import answer_to, state_of
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.look.resting import in_maintenance_now
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, sentence_of
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change, Plan, State
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import DigestKey
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from keybuzz.transport.link import session
from keybuzz.transport.replies import Limits, ProbeReply, share

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.plugins.runners import RunnerPlugin
    from nornir.core.task import Result, Task

Probing = Callable[["Task", Mapping[str, HostDescription], Access], "Result"]
"""A Nornir task that asks a host: `probe` or `described`."""
PROBE_TIMEOUT = 90.0
"""Seconds for one host to answer everything about itself."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one host answered in one round trip."""

    states: Mapping[str, State]
    answers: Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All hosts at one moment."""

    observations: Mapping[str, Observation]
    unreachable: Mapping[str, str] = field(default_factory=dict)
    """Host to reason."""

    def with_newer(self, newer: Snapshot) -> Snapshot:
        """Return this snapshot with what a later one, of fewer hosts or resources, says instead."""
        observations = dict(self.observations)
        for host, seen in newer.observations.items():
            old = observations.get(host, Observation({}, {}))
            observations[host] = Observation(
                {**old.states, **seen.states}, {**old.answers, **seen.answers}
            )
        for host in newer.unreachable:
            observations.pop(host, None)
        away = {h: why for h, why in self.unreachable.items() if h not in newer.observations}
        return Snapshot(observations, {**away, **newer.unreachable})


def probe(task: Task, descriptions: Mapping[str, HostDescription], access: Access) -> Result:
    """Nornir task: the result is the host's Observation. One request, one reply."""
    from nornir.core.task import Result

    modules = descriptions[task.host.name].modules.values()
    return Result(host=task.host, result=ask(task, modules, access))


def described(task: Task, descriptions: Mapping[str, HostDescription], access: Access) -> Result:
    """Nornir task: as `probe`, of nothing but what can be described again from the names in `descriptions`.

    So the runner `kbz_sharded` may let a worker ask: the names go there, and neither questions nor secrets.
    """
    return probe(task, descriptions, access)


def ask(
    task: Task, descriptions: Iterable[Description], access: Access = Access.LOOK
) -> Observation:
    """Ask the host about everything in the descriptions, but for readings that go beyond `access`."""
    wanted = questions(descriptions, access)
    limits = share(len(task.nornir.inventory.hosts))
    return observation(wanted, *replied(task, wanted, limits))


@dataclass(frozen=True, slots=True)
class Questions:
    """What one host is asked, in this order."""

    resources: tuple[Resource, ...]
    readings: tuple[Reading, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The identities of the resources and the names of the readings; they hold no secret."""
        return (*(r.identity for r in self.resources), *(r.name for r in self.readings))

    def fits(self, states: Sequence[object], answers: Sequence[object]) -> bool:
        """Return whether there is one reply to each question."""
        return len(states) == len(self.resources) and len(answers) == len(self.readings)


def questions(descriptions: Iterable[Description], access: Access) -> Questions:
    """Return what the descriptions ask, but for readings that go beyond `access`."""
    wanted = tuple(descriptions)
    return Questions(
        tuple(r for description in wanted for r in (*description.resources, *description.cluster)),
        tuple(
            reading
            for description in wanted
            for reading in description.readings
            if access.allows(reading.needs)
        ),
    )


def replied(
    task: Task, wanted: Questions, limits: Limits
) -> tuple[ProbeReply, tuple[float, float]]:
    """Ask the task's host in one request; return its reply, and between which moments it came."""
    site: Site = task.nornir.config.user_defined["site"]
    opened = session(task)
    asked = time.time()
    reply = opened.request(
        "probe",
        {
            "key": site.digest_key.key.hex(),
            "resources": [resource.query() for resource in wanted.resources],
            "readings": [reading.query() for reading in wanted.readings],
        },
        ProbeReply,
        timeout=PROBE_TIMEOUT,
        limits=limits,
    )
    between = (asked, time.time())
    if not wanted.fits(reply.states, reply.answers):
        raise opened.misspoke("it does not answer everything that was asked")
    return reply, between


def observation(wanted: Questions, reply: ProbeReply, between: tuple[float, float]) -> Observation:
    """Return what a reply that fits the questions says."""
    return Observation(
        {
            resource.identity: state_of(resource, found)
            for resource, found in zip(wanted.resources, reply.states, strict=True)
        },
        {
            reading.name: answer_to(reading, found, between)
            for reading, found in zip(wanted.readings, reply.answers, strict=True)
        },
    )


def only(descriptions: Mapping[str, HostDescription], module: str) -> dict[str, HostDescription]:
    """Return what the descriptions say of one module, on the hosts that have it."""
    return {
        host: HostDescription({module: found.modules[module]}, ())
        for host, found in descriptions.items()
        if module in found.modules
    }


def observe(
    nornir: Nornir,
    descriptions: Mapping[str, HostDescription],
    access: Access = Access.LOOK,
    task: Probing = probe,
) -> Snapshot:
    """Ask all hosts of the descriptions at once; a host that does not answer is in `unreachable`.

    Readings that go beyond `access` are left out: a gate, or `--deep`, asks for them by name.
    """
    chosen = nornir.filter(filter_func=lambda host: host.name in descriptions)
    chosen.data.reset_failed_hosts()
    observations: dict[str, Observation] = {}
    unreachable: dict[str, str] = {}
    done = chosen.run(task=task, descriptions=descriptions, access=access, on_failed=True)
    for host, results in done.items():
        error = results[0].exception
        if error is None:
            observations[host] = results[0].result
        elif isinstance(error, ContactError):
            unreachable[host] = error.sentence
        else:
            unreachable[host] = f"could not be read: {sentence_of(error)}"
    chosen.data.reset_failed_hosts()
    return Snapshot(observations, unreachable)


def observe_within(
    nornir: Nornir,
    descriptions: Mapping[str, HostDescription],
    access: Access,
    deadline: float | None,
    task: Probing = probe,
) -> Snapshot:
    """Return what hosts say after this many seconds at the latest: those that have not answered by then are unheard."""
    if deadline is None:
        return observe(nornir, descriptions, access, task)
    if task is described and isinstance(nornir.runner, Timed):
        timed = nornir.with_runner(nornir.runner.within(deadline, f"{_UNHEARD} {deadline:g} s"))
        return observe(timed, descriptions, access, task)
    answered = Snapshot({}, {})
    ended = threading.Condition()
    waiting = set(descriptions)
    failures: list[BaseException] = []

    def ask(host: str) -> None:
        nonlocal answered
        try:
            answer = observe(nornir, {host: descriptions[host]}, access)
            with ended:
                answered = answered.with_newer(answer)
        except BaseException as failure:
            failures.append(failure)
        with ended:
            waiting.discard(host)
            ended.notify()

    for host in sorted(descriptions):
        threading.Thread(target=ask, args=(host,), name=f"unheard-{host}", daemon=True).start()
    with ended:
        ended.wait_for(lambda: not waiting, timeout=deadline)
        unheard = dict.fromkeys(sorted(waiting), f"{_UNHEARD} {deadline:g} s")
        found = Snapshot(dict(answered.observations), {**answered.unreachable, **unheard})
    if failures:
        raise failures[0]
    return found


_UNHEARD = "was not heard within"
"""How the reason of a host begins that had no time to answer."""
NOT_ASKED = "was not asked"
"""How the reason begins where a worker refused, or was never there."""
LOST = "was not heard"
"""How the reason begins where the worker of its shard was lost."""


def outcome_of_silence(reason: str) -> Outcome:
    """Return how a host ended that said nothing: one that had no time may still be reached."""
    return Outcome.UNKNOWN if reason.startswith((LOST, NOT_ASKED)) else Outcome.UNREACHABLE


@runtime_checkable
class Timed(Protocol):
    """A runner that ends by itself in time."""

    def within(self, seconds: float, late: str) -> RunnerPlugin:
        """Return one for which hosts that have not answered after these seconds have an error that says `late`."""


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot with the descriptions it answers: from here on everything is pure."""

    descriptions: Mapping[str, HostDescription]
    snapshot: Snapshot
    selected: frozenset[str]
    key: DigestKey

    def live(self, module: Module, site: Site) -> Live:
        """Return the live state of one module over all members that were asked."""
        views: dict[str, HostView] = {}
        for host, observation in self.snapshot.observations.items():
            if module.name in self.descriptions[host].modules:
                description = self.descriptions[host].modules[module.name]
                views[host] = HostView(
                    site.server(host),
                    observation.states,
                    _own(module, self.descriptions[host], observation.answers),
                    self._host_changes(module, host),
                    (*description.resources, *description.cluster),
                    description.readings,
                )
        members = site.members(module.group)
        away = self.snapshot.unreachable
        here = in_maintenance_now(site)
        live = Live(
            module=module.name,
            members=members,
            hosts=dict(sorted(views.items())),
            unreachable={m.name: away[m.name] for m in members if m.name in away},
            selected=self.selected,
            resting=tuple(server for server in site.servers if server.name in here),
        )
        return self._with_cluster_changes(module, live, frozenset(here))

    def _host_changes(self, module: Module, host: str) -> tuple[Change, ...]:
        if host not in self.selected:
            return ()
        description = self.descriptions[host].modules[module.name]
        states = self.snapshot.observations[host].states
        return plan_host(host, module.name, description.resources, states, self.key)

    def _with_cluster_changes(self, module: Module, live: Live, resting: frozenset[str]) -> Live:
        """Add the changes inside the cluster to the host that takes writes now.

        What is about a member in maintenance is left as it is.
        """
        writer = _writer(module, live)
        holder = writer or next((h for h in live.hosts if h in self.selected), None)
        if holder is None or not live.selected & set(live.hosts):
            return live
        every = self.descriptions[holder].modules[module.name].cluster
        cluster = tuple(resource for resource in every if resource.about_member not in resting)
        states = self.snapshot.observations[holder].states if writer else {}
        added = plan_host(holder, module.name, cluster, states, self.key)
        view = live.hosts[holder]
        changed = replace(view, changes=(*view.changes, *added))
        return replace(live, hosts={**live.hosts, holder: changed})

    def plan(self, modules: Iterable[Module], site: Site) -> Plan:
        """Return all changes of all modules, host by host."""
        changes: dict[str, tuple[Change, ...]] = {}
        for module in modules:
            for host, view in self.live(module, site).hosts.items():
                if view.changes:
                    changes[host] = (*changes.get(host, ()), *view.changes)
        return Plan(
            dict(sorted(changes.items())),
            tuple(
                item
                for host in sorted(self.selected & set(self.descriptions))
                for item in self.descriptions[host].not_applicable
            ),
        )


def _own(
    module: Module, known: HostDescription, answers: Mapping[str, Answer]
) -> dict[str, Answer]:
    """Return the answers that a module may read: none whose name begins with the name of another one there."""
    others = tuple(f"{name}." for name in known.modules if name != module.name)
    return {name: answer for name, answer in answers.items() if not name.startswith(others)}


def _writer(module: Module, live: Live) -> str | None:
    """Return the host that takes writes now; None also where what the hosts say cannot be judged."""
    try:
        return module.writer(live)
    except Exception:
        return None
