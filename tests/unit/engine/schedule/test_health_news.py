"""`kbz health --only-new`: what came and went since the look before, and nothing when nothing did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.look.looks import findings_before, keep_look
from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.record import report_document
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.screen.health_news import health_news
from tests.unit.cli.test_every_verb import Place, place
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz", "place"]  # the fixtures

HOSTS = ("redis-01", "redis-02")
FULL = Finding("base.disk", Level.CRITICAL, "/ is 91 % full", "redis-01")
QUORUM = Finding("redis.quorum", Level.CRITICAL, "1 of 3 sentinels")
PROBE = Finding("redis.probe", Level.CRITICAL, "cannot be written")


def report(*findings: Finding, hosts: tuple[str, ...] = HOSTS) -> Report:
    reports = {host: HostReport(host, Outcome.OK) for host in hosts}
    return Report("health", ("base", "redis"), reports, Plan({}), findings, (), 1.0)


def well(finding: Finding) -> Finding:
    return replace(finding, level=Level.OK, message="is well")


def test_the_first_look_tells_all_and_the_next_only_what_came_or_went() -> None:
    assert health_news(None, report(FULL, well(QUORUM))).splitlines() == [
        "  new    critical base.disk  redis-01: / is 91 % full"
    ]
    assert health_news((FULL,), report(FULL, QUORUM)).splitlines() == [
        "  new    critical redis.quorum: 1 of 3 sentinels"
    ]
    assert health_news((FULL, QUORUM), report(well(FULL), QUORUM)).splitlines() == [
        "  gone   critical base.disk  redis-01: / is 91 % full"
    ]


def test_what_only_moves_its_numbers_or_was_not_asked_is_no_news() -> None:
    assert health_news((FULL,), report(replace(FULL, message="/ is 92 % full"))) == ""
    assert health_news((PROBE,), report(well(QUORUM))) == "", "this look wrote no probe"
    worse = replace(FULL, level=Level.WARN)
    assert "new    critical base.disk" in health_news((worse,), report(FULL))
    assert "gone" not in health_news((worse,), report(FULL)), "it is still wrong"


def test_hosts_that_were_not_asked_are_not_well_by_that() -> None:
    other = replace(FULL, host="minio-01")
    assert health_news((other,), report(well(FULL))) == ""
    assert health_news((other,), report(well(other))) != "", "a neighbour was judged all the same"


def test_what_follows_from_another_fault_is_not_told_twice() -> None:
    assert health_news(None, report(replace(QUORUM, cause="base.disk"))) == ""


def test_what_is_still_wrong_with_a_cause_is_not_gone() -> None:
    link = Finding("redis.replica.link", Level.CRITICAL, "is down", "redis-02")
    docker = Finding("base.docker", Level.CRITICAL, "does not answer", "redis-02")
    caused = replace(link, cause="base.docker")
    assert health_news((link,), report(docker, caused)).splitlines() == [
        "  new    critical base.docker  redis-02: does not answer"
    ]
    unknown = replace(caused, level=Level.UNKNOWN)
    assert "gone" not in health_news((link,), report(docker, unknown))
    assert "gone   critical redis.replica.link" in health_news((link,), report(well(link)))


def test_a_host_that_did_not_answer_is_not_well_by_that() -> None:
    for outcome in (Outcome.UNREACHABLE, Outcome.UNKNOWN):
        silent = HostReport("redis-02", outcome)
        said = report(well(FULL))
        said = replace(said, hosts={**said.hosts, "redis-02": silent})
        assert health_news((replace(FULL, host="redis-02"),), said) == ""
        assert "gone" in health_news((replace(FULL, check="base.time"),), said), "redis-01 answered"


def test_equal_faults_are_one_line_and_warnings_are_told() -> None:
    found = [replace(FULL, host=host) for host in HOSTS]
    said = health_news(None, replace(report(*found), warnings=("the journal is full",)))
    assert said.splitlines() == [
        "  new    critical base.disk  redis-01, redis-02: / is 91 % full",
        "  warning: the journal is full",
    ]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def kept(journal: Journal, found: Report, modules: tuple[str, ...] = ("base", "redis")) -> int:
    number = journal.begin("health", ("kbz health",), modules, 1e9, Path("/"))
    hosts = {host: HostRecord(host, Outcome.OK, 0, "") for host in found.hosts}
    journal.end(number, 1e9 + 1, 2, hosts, "", "")
    keep_look(journal, Documents(journal.path), number, report_document(found))
    return number


def test_it_is_compared_with_the_newest_look_that_asked_as_much(journal: Journal) -> None:
    def before(modules: set[str], hosts: set[str]) -> tuple[Finding, ...] | None:
        documents = Documents(journal.path)
        return findings_before(journal, documents, "health", frozenset(modules), frozenset(hosts))

    assert before({"redis"}, {"redis-01"}) is None
    kept(journal, report(FULL, QUORUM))
    kept(journal, report(hosts=("redis-02",)), ("redis",))
    assert before({"base", "redis"}, set(HOSTS)) == (FULL, QUORUM)
    assert before({"redis"}, {"redis-01"}) == (QUORUM,), "of this module"
    assert before({"redis"}, {"redis-02"}) == (), "of the newest"
    assert before({"redis", "patroni"}, {"redis-01"}) is None


def test_an_answer_of_another_version_is_compared_with_nothing(journal: Journal) -> None:
    number = kept(journal, report(FULL))
    Documents(journal.path).keep(number, json.dumps({"format_version": 0}))
    asked = frozenset({"redis"}), frozenset({"redis-01"})
    assert findings_before(journal, Documents(journal.path), "health", *asked) is None


@pytest.fixture
def look(place: Place, kbz: Kbz) -> Kbz:
    """Look at one host behind a bastion that is not there."""
    config = str(place.folder / "site.config")
    return lambda *words: kbz("--config", config, "health", *words, "redis", "--limit", "redis-01")


def test_through_the_command_the_second_look_is_silent(look: Kbz) -> None:
    first = look("--only-new", "--deadline", "60")
    assert first.returncode == 4
    assert "  new    " in first.stdout
    assert " → kbz history " in first.stdout.splitlines()[-1]
    second = look("--only-new")
    assert (second.returncode, second.stdout, second.stderr) == (4, "", "")
    assert "checked 0 of 1 hosts" in look().stdout


def test_a_watch_tells_its_own_news(look: Kbz) -> None:
    done = look("--watch", "--only-new")
    assert done.returncode == 64
    assert "leave --only-new out" in done.stderr
