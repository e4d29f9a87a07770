"""Earlier runs as the operator sees them, and the hosts that a health run left unhealthy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.cli import main
from keybuzz.engine.catalogue import choose
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.verbs import healths
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.drift import DriftItem
from keybuzz.model.reports.report import HostReport, Report
from tests.unit.support.site_values import memory_site, planted_configuration

MODULES = choose(["redis", "redis-proxy"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    planted_configuration(tmp_path)
    return tmp_path


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal(folder / "state" / "journal.sqlite")


def ended(
    journal: Journal,
    verb: str,
    code: int | None,
    *records: HostRecord,
    note: str = "",
    drift: tuple[DriftItem, ...] = (),
) -> int:
    number = journal.begin(verb, (f"kbz {verb} redis",), ("redis",), 1e9, Path("/"))
    if code is not None:
        hosts = {record.host: record for record in records}
        journal.end(number, 1e9 + 2.5, code, hosts, "", note, drift)
    return number


class History:
    """The verb, called as an operator does."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def __call__(self, *words: str) -> str:
        config = str(self.folder / "nornir_config.yaml")
        assert main._main(["--config", config, "history", *words]) == 0
        return self.capsys.readouterr().out

    def numbers(self, *words: str) -> list[int]:
        return [run["run"] for run in json.loads(self(*words, "--format", "json"))["runs"]]


@pytest.fixture
def history(folder: Path, capsys: pytest.CaptureFixture[str]) -> History:
    return History(folder, capsys)


def record(host: str, outcome: Outcome = Outcome.OK, what: str = "") -> HostRecord:
    return HostRecord(host, outcome, 0, what)


def test_runs_are_chosen_by_verb_host_and_end(journal: Journal, history: History) -> None:
    good = ended(journal, "run", 0, record("redis-01"))
    bad = ended(journal, "run", 1, record("redis-02", Outcome.FAILED))
    drifted = ended(journal, "drift", 2, record("redis-01", Outcome.CHANGED))
    cut = ended(journal, "drift", None)
    assert history.numbers() == [cut, drifted, bad, good]
    assert history.numbers("--verb", "drift") == [cut, drifted]
    assert history.numbers("--host", "redis-01") == [drifted, good]
    assert history.numbers("--failed") == [cut, bad]
    assert history.numbers("--verb", "run", "--last", "1") == [bad]
    assert history.numbers("list", "--host", "redis-01", "--verb", "run") == [good]


def test_a_host_that_does_not_exist_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(folder / "nornir_config.yaml")
    assert main._main(["--config", config, "history", "--host", "redis-1"]) == 64
    assert "no server is named redis-1" in capsys.readouterr().err


def test_the_table_has_no_blanks_at_its_ends_and_no_empty_column(
    journal: Journal, history: History
) -> None:
    ended(journal, "run", 1, note="the lease\nsecond line")
    ended(journal, "drift", 0)
    text = history()
    lines = text.splitlines()
    assert all(line == line.rstrip() and line for line in lines)
    assert lines[0].split() == ["run", "started", "took", "ended", "who", "command"]
    places = {line.index("kbz ") for line in lines if "kbz " in line}
    assert len(places) == 1
    assert "     the lease" in text
    assert "second line" not in text


def test_one_run_is_shown_with_all_of_it_by_its_number_alone(
    journal: Journal, history: History
) -> None:
    item = DriftItem("stray/redis-01/port:9", "redis-01", "nc listens")
    number = ended(
        journal, "drift", 2, record("redis-01", Outcome.CHANGED), note="one\ntwo", drift=(item,)
    )
    text = history("show", str(number))
    assert text == history(str(number))
    assert "changed     redis-01  0 changes\n" in text
    assert "  new    stray/redis-01/port:9: nc listens\n" in text
    assert "two\n" in text
    document = json.loads(history("--format", "json", str(number)))
    assert document == json.loads(history(str(number), "--format", "json"))
    assert document["drift"][0]["id"] == item.identity
    assert document["hosts"][0]["outcome"] == "changed"
    assert document["plan"] is None


def test_a_run_is_at_work_while_its_process_lives_and_cut_off_afterwards(
    folder: Path, journal: Journal, history: History
) -> None:
    code = (
        "import sys; from pathlib import Path; from keybuzz.engine.memory.journal import Journal;"
        "Journal(Path(sys.argv[1])).begin('run', ('kbz run',), (), 1.0, Path('/'));"
        "print('begun', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(folder / "state" / "journal.sqlite")]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"begun\n"
        assert journal.runs(1)[0].at_work
        assert " at work " in history()
        other.kill()
    assert not journal.runs(1)[0].at_work
    assert " cut off " in history()


def test_a_later_process_of_the_same_number_is_another_one(journal: Journal) -> None:
    number = ended(journal, "run", None)
    [mine] = journal.runs()
    assert mine.at_work
    words = mine.process.split()
    assert words[1] == str(os.getpid())
    later = replace(mine, process=" ".join([*words[:2], str(int(words[2]) + 1)]))
    assert (number, later.at_work) == (mine.number, False)


def report(*findings: Finding, **outcomes: Outcome) -> Report:
    hosts = {
        name.replace("_", "-"): HostReport(name.replace("_", "-"), outcome, what="no route")
        for name, outcome in outcomes.items()
    }
    return Report("health", ("redis",), hosts, Plan({}), findings, (), 1.0)


def kept(journal: Journal, made: Report) -> dict[str, HostRecord]:
    work = Workspace(memory_site(), None, journal, lambda event: None, "kbz health")  # type: ignore[arg-type]  # asks nobody
    return healths(work, made, MODULES)


def test_a_host_is_remembered_with_its_worst_finding(journal: Journal) -> None:
    def of(check: str, level: Level, host: str) -> Finding:
        return Finding(check, level, "", host)

    made = report(
        of("redis.a", Level.WARN, "redis-01"),
        of("redis.b", Level.OK, "redis-01"),
        of("redis.a", Level.CRITICAL, "redis-02"),
        of("redis.b", Level.UNKNOWN, "redis-02"),
        of("redis.a", Level.UNKNOWN, "redis-03"),
        of("redis.c", Level.OK, "redis-03"),
        of("redis.c", Level.CRITICAL, "db-master-01"),
        redis_01=Outcome.OK,
        redis_02=Outcome.OK,
        redis_03=Outcome.OK,
        haproxy_01=Outcome.UNREACHABLE,
    )
    records = kept(journal, made)
    assert {host: (item.outcome, item.what) for host, item in records.items()} == {
        "redis-01": (Outcome.OK, "warn: redis.a"),
        "redis-02": (Outcome.FAILED, "critical: redis.a"),
        "redis-03": (Outcome.UNKNOWN, "unknown: redis.a"),
        "haproxy-01": (Outcome.UNREACHABLE, "no route"),
    }
    number = journal.begin("health", (), ("redis",), 1.0, Path("/"))
    journal.end(number, 2.0, 2, records, "", "")
    assert journal.sets()["unhealthy"] == {"redis-02", "redis-03", "haproxy-01"}
    later = journal.begin("health", (), ("redis",), 3.0, Path("/"))
    assert journal.sets()["unhealthy"] == {"redis-02", "redis-03", "haproxy-01"}
    journal.end(later, 4.0, 0, {"redis-02": record("redis-02")}, "", "")
    assert journal.sets()["unhealthy"] == frozenset()


def test_what_is_unknown_of_a_cluster_for_one_silent_member_is_that_member_s(
    journal: Journal,
) -> None:
    silent = Finding("redis.node.answers", Level.CRITICAL, "", "redis-02")
    follows = Finding("redis.master.single", Level.UNKNOWN, "", cause="redis.node.answers")
    alone = Finding("redis.version.same", Level.UNKNOWN, "")
    hosts = {"redis_01": Outcome.OK, "redis_02": Outcome.OK}
    outcomes = [item.outcome for item in kept(journal, report(silent, follows, **hosts)).values()]
    assert outcomes == [Outcome.OK, Outcome.FAILED]
    outcomes = [item.outcome for item in kept(journal, report(silent, alone, **hosts)).values()]
    assert outcomes == [Outcome.UNKNOWN, Outcome.FAILED]


def test_a_finding_about_a_cluster_is_one_about_each_member(journal: Journal) -> None:
    lost = Finding("redis-proxy.backend.single", Level.CRITICAL, "no master")
    fine: dict[str, Any] = {"redis_01": Outcome.OK, "haproxy_02": Outcome.OK}
    records = kept(journal, report(lost, **fine))
    assert {host: item.outcome for host, item in records.items()} == {
        "redis-01": Outcome.OK,
        "haproxy-02": Outcome.FAILED,
    }


def test_a_skipped_drift_does_not_empty_the_set_of_drifted(journal: Journal) -> None:
    ended(journal, "drift", 2, record("redis-01", Outcome.CHANGED))
    ended(journal, "drift", 3, record("redis-01", Outcome.SKIPPED), note="skipped: x")
    assert journal.sets()["drifted"] == {"redis-01"}
