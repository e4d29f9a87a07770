"""Fleets as the verbs report them: all is well, one fault on forty hosts, and three of 48 servers up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from keybuzz.engine import events
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.status import status
from keybuzz.engine.memory.journal import Journal, RunRecord
from keybuzz.engine.verbs import look
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member, Topology
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference, Plan
from keybuzz.model.host.docker import Container
from keybuzz.model.host.system import Sysctl
from keybuzz.model.reports.drift import DriftItem, DriftReport, Standing
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.model.reports.stages import PlannedStage, StageWork
from keybuzz.model.reports.status import ClusterStatus, Frozen, Passed, Status
from tests.unit.support.scripted_hosts import SITE, Json, Script, scripted

HOSTS = tuple(server.name for server in SITE.servers)
UP = ("db-master-01", "install-01", "redis-01")
DB = ("db-master-01", "db-slave-01", "db-slave-02")
SICK = tuple(host for host in HOSTS if host not in (*DB, "install-01"))[:40]
FAULT = "base.disk.space"
MODULES = ("base", "patroni", "redis", "rabbitmq", "k3s")
CHECKS = (
    *("base.reachable", "base.docker.running", "base.resolvers.effective"),
    *("patroni.leader.single", "patroni.member.state", "patroni.member.reachable"),
    *("redis.master.single", "redis.node.answers", "redis.member.reachable"),
    *("rabbitmq.cluster.whole", "rabbitmq.member.reachable"),
    *("k3s.etcd.members", "k3s.nodes.ready", "k3s.member.reachable"),
)
"""What the screens show, whatever else modules learn to check."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What each verb says of it."""

    status: Status
    health: Report
    plan: Report
    run: Report
    drift: Report
    history: tuple[RunRecord, ...]
    progress: tuple[events.Event, ...]


def fleets() -> dict[str, Fleet]:
    """Return the three fleets by name."""
    return {"green": green(), "one-fault": one_fault(), "3-of-48": nearly_empty()}


def topologies() -> tuple[Topology, ...]:
    """Return clusters that are well."""
    lag = ("0 B", "0 B", "16 kB")
    patroni = tuple(
        Member(
            host,
            "leader" if host == DB[0] else "replica",
            "running" if host == DB[0] else "streaming",
            (("lag", behind), ("timeline", "1"), ("PostgreSQL", "16.4"), ("pgvector", "0.7.0")),
        )
        for host, behind in zip(DB, lag, strict=True)
    )
    masters = [f"k8s-master-0{n}" for n in (1, 2, 3)]
    workers = [f"k8s-worker-0{n}" for n in (1, 2, 3, 4, 5)]
    nodes = [Member(host, "server", "Ready") for host in masters]
    nodes += [Member(host, "agent", "Ready") for host in workers]
    return Topology("keybuzz-pg", patroni), Topology("k3s", tuple(nodes))


def findings(bad: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Return the findings of the fleet, with one fault on some hosts."""
    sick = tuple(bad)
    disks = [
        Finding(
            FAULT,
            Level.WARN,
            f"/opt/keybuzz/data on 10.0.0.{place + 1} is {80 + place % 9} % full",
            host,
            f"kbz exec --limit {host} -- df -h",
        )
        if host in sick
        else Finding(FAULT, Level.OK, "room enough", host)
        for place, host in enumerate(HOSTS)
    ]
    return (
        *(Finding("base.reachable", Level.OK, "answers", host) for host in HOSTS),
        *disks,
        Finding("patroni.leader.single", Level.OK, "db-master-01 leads"),
        Finding("k3s.etcd.members", Level.OK, "3 of 3"),
    )


def green() -> Fleet:
    """Return a fleet that is well."""
    return _fleet(findings(), Plan({}), (), ())


def one_fault() -> Fleet:
    """Return a fleet in which forty hosts have the same fault, and the same difference."""
    swappiness = Sysctl("vm.swappiness", "10")
    changes = {
        host: (Change(host, "base", swappiness, Action.UPDATE, (Difference("value", "60", "10"),)),)
        for host in SICK
    }
    image = (Difference("image", "patroni:1.0", "patroni:1.1"),)
    changes |= {
        host: (Change(host, "patroni", Container("patroni", "x:1"), Action.UPDATE, image, True),)
        for host in DB
    }
    items = tuple(
        DriftItem(
            f"drift/{host}/sysctl:vm.swappiness", host, "value: 60 → 10", Standing.STILL, since=3
        )
        for host in SICK
    )
    bad = findings(SICK)
    return _fleet(bad, Plan(changes), tuple(f for f in bad if f.check == FAULT and f.level), items)


def _fleet(
    found: tuple[Finding, ...],
    plan: Plan,
    wrong: tuple[Finding, ...],
    items: tuple[DriftItem, ...],
) -> Fleet:
    hosts = {host: HostReport(host, Outcome.OK, remaining=len(plan.of(host))) for host in HOSTS}
    report = Report("health", ("base", "patroni", "k3s"), hosts, plan, found, topologies(), 1.2)
    pg, k3s = topologies()
    clusters = (
        ClusterStatus(
            module="patroni", title="PostgreSQL HA", topology=pg, members=3, up=3, needed=2, spare=1,
            frozen=Frozen.YES, findings=(), run=Passed(7, "run", 7300.0, 0),
        ),
        ClusterStatus(
            module="k3s", title="K3s", topology=k3s, members=3, up=3, needed=2, spare=1,
            frozen=Frozen.NO, findings=(), drift=Passed(9, "drift", 90.0, 2),
        ),
    )  # fmt: skip
    made = sum(map(len, plan.changes.values()))
    changed = {
        host: HostReport(host, Outcome.CHANGED if plan.of(host) else Outcome.OK, len(plan.of(host)))
        for host in HOSTS
    }
    run = replace(report, verb="run", hosts=changed, number=12)
    return Fleet(
        Status(clusters, HOSTS, (), wrong, 1.2),
        report,
        replace(report, verb="plan", stages=_stages(plan)),
        run,
        replace(report, verb="drift", number=11, drift=DriftReport(items, 10)),
        _history(0 if not made else 2),
        (
            events.Reading(48, "base, patroni, k3s"),
            events.Planned(plan, 48),
            *((_stage(plan)) if made else ()),
        ),
    )


def _stages(plan: Plan) -> tuple[PlannedStage, ...]:
    """Return the stages of base, and of Patroni as its rollout chooses them: the leader last."""
    if not plan.size:
        return ()

    def of(host: str, role: str) -> tuple[StageWork, ...]:
        return (StageWork(host, (role,), 1, ("container:patroni",)),)

    hosts = [c.host for found in plan.changes.values() for c in found if c.module == "base"]
    handing = (StageWork("db-master-01", ("leader",), 1, ()),)
    return (
        PlannedStage("base", "settings", tuple(StageWork(host, (), 1, ()) for host in hosts)),
        PlannedStage("patroni", "replace db-slave-01", of("db-slave-01", "replica")),
        PlannedStage("patroni", "replace db-slave-02", of("db-slave-02", "replica")),
        PlannedStage(
            "patroni", "hand over from db-master-01", handing, heirs=("db-slave-01", "db-slave-02")
        ),
        PlannedStage(
            "patroni",
            "then what is left, from what the hosts are by then",
            of("db-master-01", "replica"),
            open=True,
        ),
    )


def _stage(plan: Plan) -> tuple[events.Event, ...]:
    """Return one large stage, as its events come."""
    steps = [c for changes in plan.changes.values() for c in changes if c.module == "base"]
    where = tuple(change.host for change in steps)
    told: list[events.Event] = [events.StageStarted("base", "settings", where, len(steps))]
    for change in steps:
        told.append(events.StepStarted(change.host, change.identity))
        told.append(events.StepEnded(change.host, change.identity, Outcome.CHANGED))
    told.append(events.StageEnded("base", "settings", where, len(steps), len(steps)))
    told += [events.GateWaiting("patroni is whole", "2 of 3 stream"), events.GateHeld("base", 0.0)]
    return (*told, events.GateHeld("patroni is whole", 22.0))


def _history(code: int) -> tuple[RunRecord, ...]:
    """Return a run, a day of looks by the schedule, and an earlier run."""
    began = 1_790_000_000.0
    who = ("root@install-01", "a1b2c3d")
    looks = [
        RunRecord(number, "drift", ("kbz", "drift", "--only-new"), ("base",), *who,
                  began + number * 3600, began + number * 3600 + 1.4, code, "")
        for number in range(24, 2, -1)
    ]  # fmt: skip
    first = RunRecord(2, "run", ("kbz", "run", "patroni", "--limit", "db"), ("base", "patroni"),
                      *who, began + 7000, began + 7061.5, 0, "")  # fmt: skip
    return (*looks, first, replace(first, number=1, exit_code=1, note="db-slave-02: no space left"))


@lru_cache(maxsize=2)
def nearly_empty(*, lab: bool = False) -> Fleet:
    """Return what the product itself says when 3 of 48 servers answer; in a lab the others were never started."""

    def lost(host: str, request: Json) -> Iterable[bytes]:
        del request
        address = SITE.server(host).address
        raise ContactError(f"{address}:22 does not answer: no route to host", where=host)

    heard: list[events.Event] = []
    away = frozenset(HOSTS) - set(UP)
    script = Script(dict.fromkeys(away, lost))
    every = frozenset(HOSTS)
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        absent = away if lab else frozenset()
        work = Workspace(SITE, scripted(script), journal, heard.append, "kbz status", absent=absent)
        modules = tuple(module for module in all_modules() if module.name in MODULES)
        seen = _only_told(replace(status(work, modules, every), seconds=1.2))
        heard.clear()
        health = replace(look(work, "health", modules, every), seconds=1.2)
        told_of = tuple(f for f in health.findings if f.check in CHECKS)
        health = replace(health, findings=told_of)
    planned = replace(health, verb="plan", plan=Plan({}))
    run = replace(health, verb="run", plan=Plan({}), number=12)
    drift = replace(health, verb="drift", plan=Plan({}), number=11, drift=_silent(health.hosts))
    told = (*heard, events.Planned(Plan({}), 3, 0 if lab else 45))
    return Fleet(seen, health, planned, run, drift, _history(4), told)


def _only_told(seen: Status) -> Status:
    clusters = tuple(
        replace(cluster, findings=tuple(f for f in cluster.findings if f.check in CHECKS))
        for cluster in seen.clusters
    )
    findings = tuple(f for f in seen.findings if f.check in CHECKS)
    return replace(seen, clusters=clusters, findings=findings)


def _silent(hosts: Mapping[str, HostReport]) -> DriftReport:
    items = (
        DriftItem(f"silent/{host}", host, item.what)
        for host, item in hosts.items()
        if item.outcome is Outcome.UNREACHABLE
    )
    return DriftReport(tuple(items), 10)
