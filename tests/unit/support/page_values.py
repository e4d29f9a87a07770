"""A fleet with some trouble, and half a year of it, for the tests of the page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from keybuzz.engine.look.looks import keep_look
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.content import Content
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member, Topology
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference, Plan
from keybuzz.model.core.record import plan_text, report_document
from keybuzz.model.host.files import File
from keybuzz.model.host.system import Package, Sysctl
from keybuzz.model.reports.drift import DriftItem, compare
from keybuzz.model.reports.drill import DrillReport, Scenario, Tally, Trial, Verdict
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.page.page import Facts
from keybuzz.report.page.past import Past, past_of
from keybuzz.report.text.drill import drill_document
from keybuzz.report.text.inventory import by_own_group
from keybuzz.site.site import Site

NOW = 1_790_000_000.0
DAY = 86_400.0
AWAY = "k8s-worker-04"
HOSTILE = "<script>alert('x')</script> & \"quoted\" ‹ü›"
DRIFT = (31, 30, 30, 24, 24, 11, 11, 12, 9, 9, 9, 2, 2, 0, 0, 1, 0, 0, 0, 4, 4, 3, 0, 0, 0, 5, 3, 3)
SILENT = (4, 13, 22, 27)
"""Runs of drift in which a host did not answer."""
HOSTS = (
    "redis-01",
    "redis-02",
    "redis-03",
    "db-master-01",
    "db-slave-01",
    "db-slave-02",
    AWAY,
    "vault-01",
)
THINGS = (
    "file:/etc/motd",
    "package:jq",
    "sysctl:net.core.somaxconn",
    "file:/etc/chrony/chrony.conf",
)
PG = "16.4"
LOOK = "kbz exec --limit redis-03 -- docker ps -a"
CLOCK = "base.clock.synchronised"
CLUSTERS = (
    Topology(
        "keybuzz-pg",
        (
            Member("db-master-01", "replica", "streaming", (("lag", "0 B"), ("timeline", "4"), ("PostgreSQL", PG))),
            Member("db-slave-01", "leader", "running", (("lag", "0 B"), ("timeline", "4"), ("PostgreSQL", PG))),
            Member("db-slave-02", "replica", "streaming", (("lag", "312 B"), ("timeline", "4"), ("PostgreSQL", PG))),
        ),
    ),
    Topology(
        "kb-redis",
        (
            Member("redis-01", "replica", "replicates", (("lag", "0 B"), ("sentinel", "quorum"), ("Redis", "7.2.5"))),
            Member("redis-02", "master", "running", (("lag", "0 B"), ("sentinel", "quorum"), ("Redis", "7.2.5"))),
            Member("redis-03", "?", "no answer", (("lag", "?"), ("sentinel", "no answer"), ("Redis", "?"))),
        ),
    ),
    Topology(
        "keybuzz-galera",
        tuple(
            Member(
                f"maria-0{n}", "primary component", "Synced",
                (("size", "3"), ("seqno", "48211"), ("flow control", "0")),
            )
            for n in (1, 2, 3)
        ),
    ),
    Topology(
        "postgres-proxy",
        tuple(
            Member(f"haproxy-0{n}", "entry", "serves", (("leader", "db-slave-01"), ("clients", str(40 + n))))
            for n in (1, 2)
        ),
    ),
)  # fmt: skip


def plan() -> Plan:
    """Return what is not as described: a package, a setting, and a file with a diff."""
    motd = File("/etc/motd", Content.plain("new\n"))
    diff = "--- /etc/motd\n+++ /etc/motd\n@@ -1 +1 @@\n-" + HOSTILE + "\n+new\n"
    return Plan(
        {
            "mail-core-01": (
                Change("mail-core-01", "base", Package("jq"), Action.CREATE),
                Change("mail-core-01", "base", motd, Action.UPDATE, (Difference("digest", "a", "b"),), diff=diff),
            ),
            "redis-03": (
                Change(
                    "redis-03", "base", Sysctl("vm.overcommit_memory", "1"), Action.UPDATE,
                    (Difference("value", "0", "1"),),
                ),
            ),
        }
    )  # fmt: skip


def health(site: Site) -> Report:
    """Return the answer of a health check of the whole fleet."""
    names = [server.name for server in site.servers]
    findings = [
        *(Finding("base.reachable", Level.OK, "answers", name) for name in names if name != AWAY),
        *(Finding("base.docker.running", Level.OK, "Docker 27", name) for name in names if name != AWAY),
        Finding("base.reachable", Level.UNKNOWN, "nothing answers at 10.0.0.113:22: timed out", AWAY),
        Finding("redis.node.answers", Level.CRITICAL, "connection refused", "redis-03", LOOK),
        Finding("redis.sentinel.answers", Level.CRITICAL, "connection refused", "redis-03", LOOK),
        *(
            Finding("redis.memory.limit", Level.WARN, "no maxmemory", f"redis-0{n}", "the owner decides")
            for n in (1, 2)
        ),
        *(
            Finding(CLOCK, Level.WARN, "the clock is not synchronised yet", name, "timedatectl timesync-status")
            for name in names[10:19]
        ),
        Finding("base.units.failed", Level.WARN, f"failed: {HOSTILE}", "mail-core-01"),
        Finding("patroni.leader.single", Level.OK, "db-slave-01 leads"),
        Finding("galera.cluster.one", Level.OK, "3 of 3 members"),
    ]  # fmt: skip
    hosts = {name: HostReport(name, Outcome.OK) for name in names}
    hosts[AWAY] = HostReport(AWAY, Outcome.UNREACHABLE, what="nothing answers at 10.0.0.113:22")
    return Report("health", ("base",), hosts, plan(), tuple(findings), CLUSTERS, 2.4)


def found_by_drift(number: int) -> list[DriftItem]:
    """Return what a drift run finds: as many differences as it counts, and strays beside them."""
    last = number == len(DRIFT) - 1
    found = [
        *((f"drift/{HOSTS[at % 8]}/{THINGS[at // 8]}", "digest") for at in range(DRIFT[number])),
        ("stray/monitor-01/unit:netdata.service", "was made by hand"),
    ]
    if number > 3 and number not in SILENT:
        found.append((f"drift/{AWAY}/sysctl:vm.swappiness", "value"))
    if number > 18 and not last:
        found.append(("stray/redis-02/container:old-redis", "created, of image 67a9dc8ad38d"))
    if number in SILENT:
        found.append((f"silent/{AWAY}", "nothing answers at 10.0.0.113:22"))
    if last:
        found.append(("drift/patroni/role:reporting", "is not there"))
        found.append(("stray/mail-core-01/cron:/etc/cron.d/legacy#6b36969f9ced", HOSTILE))
    gone = f"drift/{AWAY}/" if number in SILENT else "none"
    return [
        DriftItem(identity, identity.split("/")[1], what)
        for identity, what in found
        if not identity.startswith(gone)
    ]


def remembered(path: Path) -> Path:
    """Fill a journal with drift runs, drills and others."""
    journal = Journal(path)
    items: tuple[DriftItem, ...] = ()
    for number, differences in enumerate(DRIFT):
        start = NOW - (len(DRIFT) - number) * DAY
        run = journal.begin("drift", ("kbz drift",), ("base", "patroni"), start, path.parent)
        away = {AWAY: HostRecord(AWAY, Outcome.UNREACHABLE, 0, "away")} if number in SILENT else {}
        found = {"mail-core-01": HostRecord("mail-core-01", Outcome.CHANGED, differences, "")}
        text = plan_text(plan()) if number == len(DRIFT) - 1 else ""
        seen = [
            h for h in (*HOSTS, "monitor-01", "mail-core-01") if number not in SILENT or h != AWAY
        ]
        looked = [f"{kind}/{host}/" for kind in ("drift", "stray") for host in seen]
        items = compare(found_by_drift(number), items, [*looked, f"silent/{AWAY}"], run)
        journal.end(run, start + 9, 2 if differences else 0, found | away, text, "", items)
        if number % 9 == 2:
            _drill(journal, start, 20.0 + number, path)
    for words, code in (
        ("kbz run patroni --limit db", 0),
        ("kbz run redis", 3),
        ("kbz drift", 130),
    ):
        run = journal.begin(words.split()[1], (words,), ("patroni",), NOW - 900, path.parent)
        journal.end(run, NOW - 860, code, {}, "", "redis is frozen (FRZ-1)" if code == 3 else "")
    return path


def _drill(journal: Journal, start: float, seconds: float, path: Path) -> None:
    run = journal.begin("drill", ("kbz drill patroni",), ("patroni",), start + 600, path.parent)
    trials = (
        Trial(Scenario.SWITCHOVER, "db-master-01", Verdict.RECOVERED, (), seconds / 9, 60, Tally(4120, 0, 1, 1)),
        Trial(Scenario.HOST_KILLED, "db-slave-01", Verdict.RECOVERED, (), seconds, 60, Tally(3980, 0, 2, 0)),
        Trial(Scenario.LINK_CUT, "db-slave-01", Verdict.FAILED, (), seconds * 1.6, 60, Tally(2911, 3, 4, 1)),
        Trial(Scenario.CONTAINER_KILLED, "db-slave-02", Verdict.NOT_AVAILABLE, ("why",)),
    )  # fmt: skip
    report = DrillReport("patroni", "patroni", "10.0.0.10:5432", trials, 200.0, number=run)
    journal.end(run, start + 900, 1, {}, "", "")
    Documents(path).keep(run, json.dumps(drill_document(report)))


def looked(path: Path, report: Report, moment: float) -> int:
    """Let the journal remember a look, as a verb does that has ended; return its number."""
    journal = Journal(path)
    words = (f"kbz {report.verb}",)
    run = journal.begin(report.verb, words, report.modules, moment - report.seconds, path.parent)
    hosts = {host: HostRecord(host, item.outcome, 0, "") for host, item in report.hosts.items()}
    text = plan_text(report.plan)
    journal.end(run, moment, int(report.exit_code), hosts, text, "")
    answer = report_document(replace(report, number=run))
    keep_look(journal, Documents(path), run, answer)
    return run


def facts(site: Site, path: Path, *, live: bool = True) -> Facts:
    """Return everything that a page shows."""
    return Facts(
        where="KeyBuzz, lab kbz",
        revision="8361394",
        made=NOW,
        zone=UTC,
        groups=by_own_group(site.servers, site.catalogue),
        past=past_of(Journal(path), Documents(path), 30),
        health=report_document(health(site)) if live else None,
        means={"redis.node.answers": "Redis does not answer, or does not take the password."},
    )


def past(path: Path) -> Past:
    """Return what a journal remembers."""
    return past_of(Journal(path), Documents(path), 30)


def fresh(folder: Path) -> tuple[Path, Journal]:
    """Return an empty journal, and where it is."""
    path = folder / "j.sqlite"
    return path, Journal(path)
