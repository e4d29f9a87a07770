"""One fault is one finding: what follows from it is told under it, and nothing is left out."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.judging import stopping
from keybuzz.model.core.finding import Finding, Level

MODULES = all_modules()
IDS = [info.id for module in MODULES for info in module.check_infos]


def roots(*findings: Finding) -> list[tuple[str, str]]:
    return [(f.check, f.host) for f in explained(findings, MODULES) if f.level and not f.cause]


def bad(check: str, host: str = "", level: Level = Level.CRITICAL) -> Finding:
    return Finding(check, level, "broken", host)


def test_a_node_that_is_out_is_told_once() -> None:
    assert roots(
        bad("galera.cluster.one"),
        bad("galera.node.synced", "maria-03"),
        bad("galera.application.login", "maria-03"),
        bad("proxysql.monitor", "proxysql-01"),
        bad("proxysql.monitor", "proxysql-02"),
    ) == [("galera.node.synced", "maria-03")]


def test_a_host_that_is_away_is_told_once_by_the_root_of_all() -> None:
    found = explained(
        (
            bad("base.reachable", "redis-03", Level.UNKNOWN),
            bad("redis.member.reachable", "redis-03", Level.UNKNOWN),
            bad("redis.replica.link", "redis-01", Level.WARN),
            bad("redis.sentinel.quorum", "redis-01", Level.WARN),
        ),
        MODULES,
    )
    assert [finding.cause for finding in found] == ["", *["base.reachable"] * 3]


def test_another_host_s_fault_explains_nothing_that_must_be_the_same_host_s() -> None:
    docker = bad("base.docker.running", "db-1")
    assert len(roots(docker, bad("redis.node.answers", "db-2"))) == 2
    assert roots(docker, bad("redis.node.answers", "db-1")) == [("base.docker.running", "db-1")]


def test_a_warning_explains_no_failure() -> None:
    warning = bad("base.disk.space", "db-1", Level.WARN)
    assert len(roots(warning, bad("redis.node.answers", "db-1"))) == 2
    full = replace(warning, level=Level.CRITICAL)
    assert roots(full, bad("redis.node.answers", "db-1")) == [("base.disk.space", "db-1")]


def test_a_gate_names_the_verdict_and_not_what_cannot_be_read_for_it() -> None:
    unknown = bad("redis.master.single", level=Level.UNKNOWN)
    silent = bad("redis.node.answers", "redis-1")
    warning = bad("redis.memory.limit", "redis-1", Level.WARN)
    assert list(stopping((warning, unknown, silent))) == [silent, unknown]


def test_what_is_well_explains_nothing_and_needs_no_explanation() -> None:
    well = Finding("base.docker.running", Level.OK, "runs", "db-1")
    found = explained((well, bad("redis.node.answers", "db-1")), MODULES)
    assert [finding.cause for finding in found] == ["", ""]


@given(
    st.lists(
        st.builds(
            bad,
            st.sampled_from(IDS),
            st.sampled_from(["", "a", "b"]),
            st.sampled_from(list(Level)),
        ),
        max_size=12,
    )
)
def test_nothing_is_lost_and_whatever_is_wrong_leaves_a_root(findings: list[Finding]) -> None:
    found = explained(findings, MODULES)
    assert [replace(finding, cause="") for finding in found] == findings
    if any(finding.level for finding in findings):
        worst = {f.check for f in found if f.level and not f.cause}
        assert worst
        assert {f.cause for f in found} - {""} <= worst
