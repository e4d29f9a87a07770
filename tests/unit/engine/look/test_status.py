"""`kbz status`: quorum left, what was last done, and one screen that fits."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.look.status import newest, troubles
from keybuzz.engine.memory.journal import RunRecord
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member, Topology
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.status import ClusterStatus, Frozen, Passed, Status
from keybuzz.report.text.status import ago, facts, status_document, status_text

PATRONI = ClusterStatus(
    "patroni",
    "PostgreSQL HA",
    Topology(
        "keybuzz-pg",
        (
            Member("db-2", "replica", "streaming", (("lag", "0 B"),)),
            Member("db-1", "leader", "running", (("lag", "0 B"),)),
            Member("db-3", "replica", "streaming", (("lag", "1024 B"),)),
        ),
    ),
    members=3,
    up=3,
    needed=2,
    spare=1,
    frozen=Frozen.YES,
    findings=(),
    run=Passed(7, "run", 7300.0, 0),
)
ENTRY = ClusterStatus(
    "redis-proxy",
    "Entry to Redis",
    Topology("redis-proxy", (Member("haproxy-01", "entry", "serves", (("master", "10.0.0.123"),)),)),
    members=2,
    up=1,
    needed=1,
    spare=0,
    frozen=Frozen.NO,
    findings=(Finding("redis-proxy.watcher", Level.CRITICAL, "had its last success 400 s ago", "haproxy-02"),),
    run=Passed(8, "run", 30.0, None),
    drift=Passed(9, "drift", 90.0, 2),
)  # fmt: skip
HOSTS = ("db-1", "db-2", "db-3", "haproxy-01", "haproxy-02")
STATUS = Status((PATRONI, ENTRY), HOSTS, (("haproxy-02", "no route"),), (), 1.25)


def test_the_screen() -> None:
    assert status_text(STATUS) == (
        "ok        patroni        3/3 up, 1 spare frozen  run 2 h ago (exit 0); drift never\n"
        "          leader     db-1 running\n"
        "          replica    db-2 streaming lag 0 B, db-3 streaming lag 1024 B\n"
        "\n"
        "critical  redis-proxy    1/2 up, 0 spare free    run 30 s ago (no end); drift 1 min ago (exit 2)\n"
        "          entry      haproxy-01 serves → 10.0.0.123\n"
        "          critical   redis-proxy.watcher  haproxy-02: had its last success 400 s ago\n"
        "\n"
        "ok        hosts          4 of 5 answer\n"
        "checked 4 of 5 hosts; 1 of 2 clusters are well; 1.2 s; exit 4\n"
    )


@given(
    st.lists(st.text("abcdefgh-0123456789", min_size=1, max_size=20), max_size=12),
    st.text(max_size=300).filter(str.isprintable),
)
def test_every_line_stays_within_100_columns(hosts: list[str], message: str) -> None:
    members = tuple(Member(host, "replica", "streaming") for host in hosts)
    wide = replace(
        PATRONI,
        topology=Topology("keybuzz-pg", members),
        run=Passed(1, "run", 59 * 60 + 1, None),
        drift=Passed(2, "drift", 59 * 60 + 1, 2),
        findings=(Finding("patroni.member.state", Level.WARN, message, "db-1"),),
    )
    lines = status_text(replace(STATUS, clusters=(wide,))).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(host in status_text(replace(STATUS, clusters=(wide,))) for host in hosts)


@pytest.mark.parametrize(
    ("up", "said"),
    [
        (3, "3/3 up, 1 spare"),
        (2, "2/3 up, 0 spare"),
        (1, "1/3 up, needs 2"),
        (0, "0/3 up, needs 2"),
    ],
)
def test_what_is_left_of_a_quorum(up: int, said: str) -> None:
    assert said in status_text(replace(STATUS, clusters=(replace(PATRONI, up=up, spare=up - 2),)))


def test_what_is_not_installed_shows_no_members() -> None:
    text = status_text(replace(STATUS, clusters=(replace(PATRONI, frozen=Frozen.VIRGIN),)))
    assert "virgin" in text
    assert "db-1" not in text


@pytest.mark.parametrize(
    ("level", "away", "code"),
    [
        (Level.OK, (), ExitCode.GOOD),
        (Level.WARN, (), ExitCode.GOOD),
        (Level.UNKNOWN, (), ExitCode.DIFFERENT),
        (Level.CRITICAL, (), ExitCode.DIFFERENT),
        (Level.OK, (("db-1", "no route"),), ExitCode.UNREACHABLE),
    ],
)
def test_the_exit_code(level: Level, away: tuple[tuple[str, str], ...], code: ExitCode) -> None:
    findings = (Finding("base.disk.space", level, "full", "db-1"),) if level else ()
    assert Status((PATRONI,), HOSTS, away, findings, 1.0).exit_code is code
    inside = replace(PATRONI, findings=findings)
    assert Status((inside,), HOSTS, away, (), 1.0).exit_code is code


def test_the_document_says_the_same() -> None:
    document = json.loads(json.dumps(status_document(STATUS)))
    first, second = document["clusters"]
    assert first["quorum"] == {"members": 3, "up": 3, "needed": 2, "spare": 1}
    assert first["last_run"]["exit_code"] == 0
    assert first["last_drift"] is None
    assert second["last_run"]["exit_code"] is None
    assert second["findings"][0]["check"] == "redis-proxy.watcher"
    assert document["checked"] == {"answered": 4, "selected": 5}
    assert document["exit_code"] == 4


def test_a_watcher_hears_of_a_new_leader_and_not_of_a_moving_number() -> None:
    moved = (
        Member("db-2", "replica", "streaming", (("lag", "7 B"),)),
        *PATRONI.topology.members[1:],
    )
    lag = replace(PATRONI, topology=Topology("keybuzz-pg", moved))
    older = replace(
        ENTRY, findings=(replace(ENTRY.findings[0], message="had its last success 405 s ago"),)
    )
    assert set(facts(STATUS)) == set(facts(replace(STATUS, clusters=(lag, older))))
    leads = replace(
        PATRONI, topology=Topology("keybuzz-pg", (Member("db-2", "leader", "running"),))
    )
    assert "patroni: db-2 is leader, running" in set(facts(replace(STATUS, clusters=(leads,))))


def test_what_follows_from_a_cluster_s_own_fault_is_not_told_beside_it() -> None:
    found = troubles(
        (
            Finding("redis.node.answers", Level.CRITICAL, "no", "r-2"),
            Finding("redis.replica.link", Level.WARN, "1 of 2", "r-1", cause="redis.node.answers"),
            Finding("redis.memory.limit", Level.WARN, "none", "r-1"),
            Finding("redis.sentinel.quorum", Level.WARN, "1", "r-1", cause="base.reachable"),
            Finding("redis-proxy.write", Level.CRITICAL, "no", "h-1"),
            Finding("redis.version.same", Level.OK, "7"),
        ),
        "redis",
    )
    assert [finding.check for finding in found] == [
        "redis.node.answers",
        "redis.memory.limit",
        "redis.sentinel.quorum",
    ]
    told = status_text(replace(STATUS, clusters=(replace(PATRONI, findings=found[2:]),)))
    assert "warn       redis.sentinel.quorum  r-1: follows from base.reachable" in told


def test_the_newest_run_of_a_cluster_is_none_that_only_looked() -> None:
    def record(number: int, verb: str, *modules: str) -> RunRecord:
        return RunRecord(
            number, verb, (), modules, "me@here", "", time.time() - 60, time.time(), 0, ""
        )

    records = (
        record(5, "drift", "redis"),
        record(4, "run", "redis"),
        record(3, "drift", "base", "patroni"),
        record(2, "restart", "patroni"),
        record(1, "run", "patroni"),
    )

    def every_run(run: int) -> bool:
        return run > 0

    assert (run := newest(records, "patroni", every_run, looks=False)) is not None
    assert (run.number, run.verb) == (2, "restart")
    assert 59 <= run.seconds <= 120
    assert (drift := newest(records, "patroni", every_run, looks=True)) is not None
    assert drift.number == 3
    assert newest(records, "galera", every_run, looks=True) is None
    # Run 3 named Patroni and was limited to hosts of others.
    assert newest(records, "patroni", lambda run: run != 3, looks=True) is None
    assert (run := newest(records, "patroni", lambda run: run != 2, looks=False)) is not None
    assert run.number == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "just now"),
        (1, "1 s ago"),
        (119, "1 min ago"),
        (7300, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_how_long_ago(seconds: float, said: str) -> None:
    assert ago(seconds) == said
