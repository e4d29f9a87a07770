"""What the journal forgets, and what it never does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.memory.outcomes import forgotten_before
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.drift import DriftItem
from tests.unit.support.site_values import memory_site, with_parameters

ROOT = Path("/")
NEW = 1_000_000.0
KEEP_AFTER = 500_000.0


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def ended(journal: Journal, verb: str, code: int | None, *modules: str, line: str = "") -> int:
    number = journal.begin(verb, (line or f"kbz {verb}",), modules, 100.0, ROOT)
    if code is not None:
        hosts = {"a": HostRecord("a", Outcome.OK, 0, "")}
        item = DriftItem("drift/a/file:/x", "a", "mode")
        journal.end(number, 101.0, code, hosts, "", "", [item] if verb == "drift" else ())
    return number


def pruned(journal: Journal) -> set[int]:
    """Begin a new run that forgets; return which of the old ones are left."""
    new = journal.begin("exec", (), (), NEW, ROOT, KEEP_AFTER)
    return {record.number for record in journal.runs(1000)} - {new}


def test_of_each_verb_the_newest_stays_and_the_newest_that_ended(journal: Journal) -> None:
    numbers = [ended(journal, "run", 1), ended(journal, "run", 1), ended(journal, "run", None)]
    other = ended(journal, "rotate", 1)
    assert pruned(journal) == {*numbers[1:], other}


def test_the_newest_run_that_knows_its_hosts_stays(journal: Journal) -> None:
    """`--limit @failed` names its hosts, until another one knows better."""
    known = ended(journal, "run", 1)
    refused = [journal.begin("run", (), (), 100.0, ROOT) for _ in range(2)]
    for number in refused:
        journal.end(number, 101.0, 3, {}, "", "a hook refuses")
    assert pruned(journal) == {known, refused[-1]}


def test_the_next_drift_has_something_to_compare_with(journal: Journal) -> None:
    looked = ended(journal, "drift", 2, "base")
    elsewhere = ended(journal, "drift", 0, "base", "redis")
    [ended(journal, "drift", 3, "base") for _ in range(3)]
    newest = ended(journal, "drift", 1, "base")
    assert pruned(journal) == {looked, elsewhere, newest}
    assert [item.identity for item in journal.drift(looked)] == ["drift/a/file:/x"]


def test_what_a_resume_goes_on_with_stays_over_any_number_of_resumes(journal: Journal) -> None:
    first = ended(journal, "restart", 1)
    journal.mark(first, {"a": {"container:redis": "1"}})
    second = ended(journal, "restart", 1, line=f"kbz restart redis # resumed from run {first}")
    [ended(journal, "restart", 1) for _ in range(2)]
    last = ended(journal, "restart", 1, line=f"kbz restart redis --since {second}")
    assert pruned(journal) == {first, second, last}
    assert journal.marks(first) == {"a": {"container:redis": "1"}}


def test_nothing_of_a_forgotten_run_is_left(journal: Journal, tmp_path: Path) -> None:
    gone = ended(journal, "drift", 0, "base")
    journal.mark(gone, {})
    ended(journal, "drift", 0, "base")
    assert gone not in pruned(journal)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        for table in ("outcomes", "marks", "drift", "processes"):
            rows = database.execute(f"select count(*) from {table} where run = ?", (gone,))
            assert (table, rows.fetchone()) == (table, (0,))


def test_what_is_young_stays_and_without_a_limit_all_does(journal: Journal) -> None:
    old = [ended(journal, "run", 0) for _ in range(3)]
    journal.begin("exec", (), (), NEW, ROOT)
    assert {record.number for record in journal.runs(1000)} >= set(old)
    young = [journal.begin("run", (), (), KEEP_AFTER, ROOT) for _ in range(3)]
    assert pruned(journal) >= set(young)


def test_days_of_the_site(journal: Journal) -> None:
    site = memory_site()
    work = Workspace(site, None, journal, lambda event: None, "kbz drift")  # type: ignore[arg-type]  # asks nobody
    assert forgotten_before(work, NEW) == NEW - 400 * 86400
    for text in ("0", "-1", "1.5", "ever"):
        wrong = replace(work, site=with_parameters(site, {"history.keep_days": text}))
        with pytest.raises(
            InputError, match=r"history\.keep_days is .*, and must be a whole number of days"
        ):
            forgotten_before(wrong, NEW)
    never = replace(work, site=with_parameters(site, {"history.keep_days": "none"}))
    assert forgotten_before(never, NEW) is None


YEAR = 365 * 86400.0
KEEP = 400 * 86400.0


def daily(journal: Journal, first: float, days: int) -> list[int]:
    return [journal.begin("run", (), (), first + day * 86400.0, ROOT) for day in range(0, days, 20)]


@pytest.mark.parametrize("ahead", [74 * YEAR, 10 * YEAR, KEEP + 1])
def test_a_clock_that_is_years_ahead_forgets_nothing(journal: Journal, ahead: float) -> None:
    kept = daily(journal, NEW, 390)
    now = NEW + 390 * 86400.0 + ahead
    for step in range(5):  # not by its second run either, nor when it is right again
        journal.begin("exec", (), (), now + step, ROOT, now + step - KEEP)
    right = NEW + 391 * 86400.0
    journal.begin("exec", (), (), right, ROOT, right - KEEP)
    assert {record.number for record in journal.runs(1000)} >= set(kept)


def test_a_row_from_the_future_forgets_nothing_and_time_goes_on_after_it(journal: Journal) -> None:
    first = daily(journal, NEW, 200)
    journal.begin("run", (), (), NEW + 74 * YEAR, ROOT)
    daily(journal, NEW + 200 * 86400.0, 700)
    now = NEW + 900 * 86400.0
    journal.begin("exec", (), (), now, ROOT, now - KEEP)
    left = {record.number for record in journal.runs(1000)}
    assert not left & set(first), "what is older than is kept goes, by the time that has passed"
