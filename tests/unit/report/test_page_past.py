"""What the journal remembers, as the page shows it: drift over time, what came and went, what drills cost."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.drift import Standing
from keybuzz.report.page.page import page_text, strips
from tests.unit.support.page_values import DRIFT, NOW, SILENT, facts, fresh, past, remembered
from tests.unit.support.site_values import memory_site


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return remembered(tmp_path_factory.mktemp("past") / "journal.sqlite")


def test_drift_runs_come_oldest_first_with_their_differences(journal: Path) -> None:
    found = past(journal)
    assert [point.differences for point in found.drift] == list(DRIFT)
    assert [n for n, point in enumerate(found.drift) if point.silent] == list(SILENT)
    assert found.plan is not None


def test_what_came_and_went_is_counted_from_the_second_run_on(journal: Path) -> None:
    found = past(journal).drift
    assert found[0].came == 0
    assert (found[-1].came, found[-1].went) == (3, 1)
    store = Journal(journal)
    for point in found[1:]:
        standings = Counter(item.standing for item in store.drift(point.run))
        assert (point.came, point.went) == (standings[Standing.NEW], standings[Standing.GONE])


def test_drift_of_other_modules_is_not_on_the_same_line(tmp_path: Path) -> None:
    path, journal = fresh(tmp_path)
    for number, modules in enumerate([("base",), ("base", "redis"), ("base",)]):
        run = journal.begin("drift", ("kbz drift",), modules, NOW + number, tmp_path)
        host = HostRecord("a", Outcome.CHANGED, number, "")
        journal.end(run, NOW + number, 2, {"a": host}, "", "")
    found = past(path)
    assert [point.differences for point in found.drift] == [0, 2]
    assert found.other_drift == 1


def test_a_run_that_failed_or_was_cut_off_is_no_point_of_the_line(tmp_path: Path) -> None:
    path, journal = fresh(tmp_path)
    for code in (1, 3, 130):
        run = journal.begin("drift", ("kbz drift",), ("base",), NOW, tmp_path)
        journal.end(run, NOW, code, {}, "", "")
    journal.begin("drift", ("kbz drift",), ("base",), NOW, tmp_path)
    found = past(path)
    assert found.drift == ()
    assert len(found.runs) == 4


def test_what_drills_cost_is_kept(journal: Path) -> None:
    found = past(journal)
    (cut,) = [trial for trial in found.trials if trial.scenario == "link-cut"][-1:]
    assert (cut.drill, cut.victim, cut.verdict, cut.lost) == (
        "patroni",
        "db-slave-01",
        "failed",
        3,
    )
    shown = {strip.title: strip for strip in strips(found.trials, str)}
    assert set(shown) == {f"patroni · {x}" for x in ("switchover", "host-killed", "link-cut")}
    assert not shown["patroni · link-cut"].good
    assert len(shown["patroni · host-killed"].earlier) == 2


def test_health_every_five_minutes_pushes_neither_drift_nor_drills_off_the_page(
    tmp_path: Path,
) -> None:
    path = remembered(tmp_path / "busy.sqlite")
    before = past(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "insert into runs (verb, arguments, modules, owner, revision, started, ended, exit_code)"
            " values ('health', '[]', '[]', '', '', ?, ?, 0)",
            [(NOW + n, NOW + n) for n in range(5000)],
        )
    found = past(path)
    assert (found.drift, found.news, found.trials) == (before.drift, before.news, before.trials)
    assert {run.verb for run in found.runs} == {"health"}


def test_a_drill_from_before_documents_were_kept_is_no_error(tmp_path: Path) -> None:
    path, journal = fresh(tmp_path)
    run = journal.begin("drill", ("kbz drill redis",), ("redis",), NOW, tmp_path)
    journal.end(run, NOW, 0, {}, "", "")
    assert Documents(path).of(run) == ""
    assert past(path).trials == ()


def test_a_run_that_is_forgotten_takes_its_document_along(tmp_path: Path) -> None:
    path, journal = fresh(tmp_path)
    run = journal.begin("drill", ("kbz drill redis",), ("redis",), NOW, tmp_path)
    Documents(path).keep(run, "{}")
    assert Documents(path).of(run) == "{}"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("delete from runs")
    assert Documents(path).of(run) == ""


def test_the_newest_restore_of_each_service_is_on_the_page_with_both_times(tmp_path: Path) -> None:
    path, journal = fresh(tmp_path)
    for number, (service, seconds, problem) in enumerate(
        [("redis", 9.0, ""), ("galera", 6.4, ""), ("redis", 5.1, ""), ("k3s", 0.0, "<no room>")]
    ):
        run = journal.begin("drill restore", ("kbz drill restore all",), (), NOW + number, tmp_path)
        document = {
            "service": service,
            "backup": f"copy{number}",
            "problem": problem,
            "recovery_seconds": seconds,
            "lost_seconds": None if problem else 51.0,
        }
        Documents(path).keep(run, json.dumps(document))
    found = past(path).restores
    assert [(one.service, one.recovery) for one in found] == [
        ("galera", 6.4),
        ("k3s", 0.0),
        ("redis", 5.1),
    ]
    page = page_text(facts(memory_site(), path))
    assert "5.1 s" in page
    assert "9.0 s" not in page
    assert "&lt;no room&gt;" in page
    assert "51 s" in page
