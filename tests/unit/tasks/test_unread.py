"""No check says ok about what it could not read, and none falls silent: the registry of all checks of all modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.causes import explained
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer, Reading
from tests.unit.tasks.healthy import healthy, with_answers
from tests.unit.tasks.parts import Part, emptied, others, parts

MODULES = {module.name: module for module in all_modules()}
each_module = pytest.mark.parametrize("name", MODULES)
Place = tuple[str, str]
"""A check and its host; none for a whole cluster."""

DESCRIBED_ONLY = {"rabbitmq.partition.handling"}
"""Checks of the description: nothing is read for them."""
ONLY_WHEN_BAD = {
    "patroni.restart.pending",
    "k3s.node.stranger",
    "base.maintenance.over",  # of an entry of policies.yaml, by the engine
}
"""Checks that say nothing in health."""
TOLD_BY_ANY = {
    "patroni.paused": "each member tells the one store",
    "patroni.settings.undescribed": "each member tells the one store",
    "redis-proxy.backend.single": "each Sentinel names the one master",
    "k3s.nodes.ready": "each API server tells the one store, as do those below",
    **dict.fromkeys(
        f"k3s.{name}"
        for name in (
            *("dns.available", "metrics.available", "etcd.members", "ingress.ready"),
            *("node.ready", "node.schedulable", "version.frozen", "flannel.private"),
            *("network.reaches", "ingress.answers"),
        )
    ),
}
"""Checks of what any one host tells of all: one that answers is enough, and without any they are not ok."""
EMPTY_IS_GOOD = {
    "base.mounts.answer": "no mount is served by another program or server, or each of them answers",
    "base.hosts.file": "without lines it names no server",
    "base.units.failed": "systemctl lists what has failed, and ended well",
    "base.system.read": "the host answered; what it lacks has checks of its own",
    "base.kernel.same": "all say the same",
    "base.clock.source": "no server is named: the time service's own ones",
    "base.resolvers.used": "without the file, programs ask their own host",
    "redis.units.none": "no such file",
    "rabbitmq.units.none": "no such file",
    "redis.sentinel.answers": "it answered; what it did not say has checks of its own",
    "rabbitmq.node.answers": "it answered; what it did not say has checks of its own",
    "rabbitmq.alarms.none": "the health check of RabbitMQ lists what is wrong",
    "rabbitmq.cluster.running": "no member is missing; the members have a check of their own",
    "rabbitmq.partitions.none": "RabbitMQ lists what is wrong",
    "rabbitmq.node.maintenance": "RabbitMQ lists what is wrong",
    "rabbitmq.queues.copies": "no queue is there",
    "rabbitmq.queues.quorum": "no queue is there",
    "galera.application.login": "a login without a statement answers nothing when it is let in",
}
"""Checks that an empty answer satisfies, each with the reason."""
SAYS_WHAT_IT_LACKS = {"base.memory.oom": "cannot be read"}
"""Checks that are ok by one of two sources, and say that the other was silent: containers have no /dev/kmsg."""
DEEP = {"galera.data.alike", "galera.tables.replicated", *(f"{name}.probe" for name in MODULES)}
"""Checks of `kbz health --deep`, which asks for itself."""


def reachable(check: str) -> bool:
    return check.endswith(".reachable")


def found(name: str, live: Live) -> dict[Place, Finding]:
    """Return what is said of each place; the worst where more than one thing is."""
    said: dict[Place, Finding] = {}
    for finding in sorted(MODULES[name].checks(live), key=lambda finding: finding.level):
        said[finding.check, finding.host] = finding
    return said


@cache
def good(name: str) -> dict[Place, Finding]:
    return found(name, healthy(name))


def ok(findings: dict[Place, Finding]) -> set[Place]:
    return {place for place, finding in findings.items() if finding.level is Level.OK}


def asked(live: Live, host: str) -> Iterator[tuple[Reading, Answer]]:
    """Yield what a host was asked, with what it answered."""
    view = live.hosts[host]
    for reading in view.readings:
        answer = view.answers.get(reading.name)
        if answer is not None and answer.known:
            yield reading, answer


def every_part(name: str) -> Iterator[tuple[str, Reading, Part, Answer]]:
    live = healthy(name)
    hosts = tuple(live.hosts)
    for host in dict.fromkeys((*hosts[:2], hosts[-1])):  # of each role one
        for reading, answer in asked(live, host):
            for part in parts(reading, answer.value):
                yield host, reading, part, answer


def instead(live: Live, host: str, answers: Iterable[Answer]) -> Iterator[Live]:
    for answer in answers:
        yield with_answers(live, host, {answer.name: answer})


def excused(finding: Finding, part: Part) -> bool:
    if part.reading in ("k3s.network", "k3s.ingress"):
        return False
    lacks = SAYS_WHAT_IT_LACKS.get(finding.check)
    return finding.check in TOLD_BY_ANY or (lacks is not None and lacks in finding.message)


def nothing_read(live: Live, *, states: bool, answers: bool = True) -> Live:
    """Return the same hosts, which answer and cannot read anything."""
    hosts = {
        host: replace(
            view,
            answers={n: Answer(n, problem="was refused") for n in view.answers}
            if answers
            else view.answers,
            states={i: State(i, False, problem="was refused") for i in view.states}
            if states
            else view.states,
        )
        for host, view in live.hosts.items()
    }
    return replace(live, hosts=hosts)


@each_module
def test_in_health_everything_is_ok_and_every_check_speaks(name: str) -> None:
    said = good(name)
    bad = {place for place in said.keys() - ok(said) if place[0] not in DESCRIBED_ONLY}
    assert bad == set()
    ids = {info.id for info in MODULES[name].check_infos} - DEEP - ONLY_WHEN_BAD
    assert {check for check, _ in said} == ids


@each_module
def test_where_nothing_could_be_read_nothing_is_ok_and_nothing_is_missing(name: str) -> None:
    said = found(name, nothing_read(healthy(name), states=True))
    assert {check for check, _ in ok(said) if not reachable(check)} <= DESCRIBED_ONLY
    assert {check for check, _ in good(name)} <= {check for check, _ in said}


@each_module
def test_where_no_reading_was_answered_every_check_still_speaks_of_every_host(name: str) -> None:
    live = nothing_read(healthy(name), states=False)
    said = found(name, live)
    assert good(name).keys() - said.keys() == set()


@each_module
def test_an_empty_answer_silences_no_check_and_is_good_only_where_that_is_said(name: str) -> None:
    live = healthy(name)
    for host in live.hosts:
        empty = {reading.name: emptied(reading) for reading, _ in asked(live, host)}
        live = with_answers(live, host, empty)
    said = found(name, nothing_read(live, answers=False, states=True))
    assert {check for check, _ in good(name)} <= {check for check, _ in said}
    ok_now = {check for check, _ in ok(said) if not reachable(check)}
    assert ok_now <= EMPTY_IS_GOOD.keys() | DESCRIBED_ONLY


@each_module
def test_a_part_that_could_not_be_read_is_never_ok(name: str) -> None:
    """What a check judges is found by what would make it red: without that part it must not be green."""
    live, faults, judged = healthy(name), [], set()
    for host, reading, part, answer in every_part(name):
        depends: set[Place] = set()
        for other in instead(live, host, others(reading, part, answer)):
            depends |= ok(good(name)) - ok(found(name, other))
        judged |= depends
        for without in instead(live, host, part.missing(answer)):
            said = found(name, without)
            for place in depends & ok(said):
                if not excused(said[place], part):
                    faults.append(f"{place} is ok without {part} of {host}")
            faults += [
                f"{place} is silent without {part} of {host}"
                for place in good(name).keys() - said.keys()
            ]
    assert sorted(set(faults)) == []
    assert judged, "no check judges anything"


@each_module
def test_unknown_is_told_with_its_reason_and_a_next_step(name: str) -> None:
    said = found(name, nothing_read(healthy(name), states=True))
    for finding in said.values():
        if finding.level is Level.UNKNOWN and not reachable(finding.check):
            assert "was refused" in finding.message, finding
            assert finding.hint, finding


@each_module
def test_every_level_that_is_said_is_in_the_registry(name: str) -> None:
    said = found(name, nothing_read(healthy(name), states=True))
    levels = {info.id: info.levels for info in MODULES[name].check_infos}
    for finding in said.values():
        assert finding.level is Level.OK or finding.level in levels[finding.check], finding


@each_module
def test_a_host_that_did_not_answer_is_one_finding_about_that_host(name: str) -> None:
    """What else follows from that is told under it."""
    live = healthy(name)
    away, *rest = live.hosts
    hosts = {host: live.hosts[host] for host in rest}
    said = MODULES[name].checks(replace(live, hosts=hosts, unreachable={away: "timed out"}))
    about = [finding for finding in said if finding.host == away]
    assert [(reachable(f.check), f.level) for f in about] == [(True, Level.UNKNOWN)]


@each_module
def test_a_service_that_does_not_answer_is_the_cause_of_what_is_not_known(name: str) -> None:
    """One fault stays one fault, however many checks it blinds."""
    said = explained(
        found(name, nothing_read(healthy(name), states=False)).values(), MODULES.values()
    )
    infos = {info.id: info for info in MODULES[name].check_infos}
    for finding in said:
        by = infos[finding.check].read_by
        if finding.level is Level.UNKNOWN and any(f.check in by and f.level for f in said):
            assert finding.cause, finding


def test_what_could_not_be_read_is_no_cause_of_a_verdict() -> None:
    unknown = Finding("redis.master.single", Level.UNKNOWN, "could not be read")
    broken = Finding("redis.replica.link", Level.CRITICAL, "the link is down", "redis-1")
    found = explained((unknown, broken), MODULES.values())
    assert [finding.cause for finding in found] == ["", ""]
