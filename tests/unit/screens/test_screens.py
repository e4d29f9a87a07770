"""Every screen at 60, 100 and 160 columns is a file here: `KBZ_WRITE_SCREENS=1` writes them, for a person to read."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.report.text.history import folded_text
from keybuzz.report.text.progress import Lines
from keybuzz.report.text.report import report_text
from keybuzz.report.text.status import status_text
from tests.unit.support.fleet_values import HOSTS, Fleet, fleets, nearly_empty

FOLDER = Path(__file__).parent
_TYPED = re.compile(r"\bkbz ")
"""A proposed command is pasted as it is, so that it is never broken."""
WIDTHS = (60, 100, 160)
LAB = "3-of-48-lab"
FLEETS = {**fleets(), LAB: nearly_empty(lab=True)}
SCREENS: dict[str, Callable[[Fleet, int], str]] = {
    "status": lambda fleet, width: status_text(fleet.status, width),
    "health": lambda fleet, width: report_text(fleet.health, width),
    "plan": lambda fleet, width: report_text(fleet.plan, width),
    "run": lambda fleet, width: told(fleet.progress) + report_text(fleet.run, width),
    "drift": lambda fleet, width: report_text(fleet.drift, width),
    "history": lambda fleet, width: folded_text(fleet.history, 20, width) + "\n",
}


def told(happened: Iterable[events.Event]) -> str:
    """Return what a pipe shows of a run's progress, without the times."""
    stream = io.StringIO()
    lines = Lines(stream)
    for event in happened:
        lines(event)
    return re.sub(r"(?m)^ *\d+\.\ds ", "   0.0s ", stream.getvalue())


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize("verb", SCREENS)
@pytest.mark.parametrize("fleet", FLEETS)
def test_the_screens_are_as_a_person_saw_them(fleet: str, verb: str) -> None:
    shown = "".join(
        f"── {verb}, {width} columns ──\n{SCREENS[verb](FLEETS[fleet], width)}\n"
        for width in WIDTHS
    )
    path = FOLDER / fleet / f"{verb}.txt"
    if os.environ.get("KBZ_WRITE_SCREENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("verb", ["status", "health", "plan", "drift", "history"])
@pytest.mark.parametrize("fleet", FLEETS)
def test_a_screen_fits_and_cuts_no_word(fleet: str, verb: str, width: int) -> None:
    text = SCREENS[verb](FLEETS[fleet], width)
    long = [line for line in text.split("\n") if len(line) > width and " " in line.strip()]
    assert [line for line in long if not _TYPED.search(line)] == []
    assert "…" not in text


@pytest.mark.parametrize("verb", SCREENS)
@pytest.mark.parametrize("fleet", ["one-fault", "3-of-48", LAB])
def test_one_cause_on_many_hosts_is_told_once(fleet: str, verb: str) -> None:
    """No two lines say the same of different hosts, whatever address is in them."""
    text = SCREENS[verb](FLEETS[fleet], 160)
    names = "|".join(map(re.escape, sorted(HOSTS, key=len, reverse=True)))
    plain = [
        re.sub(rf"\b(?:{names})\b|\d+\.\d+\.\d+\.\d+", "HOST", line.strip())
        for line in text.split("\n")
        if re.search(names, line)
    ]
    table = [line for line in plain if line.startswith("HOST ")]
    rest = [line for line in plain if not line.startswith("HOST ")]
    assert len(rest) == len(set(rest))
    assert len(table) <= 16, "only the members of clusters have a row each"
    assert len(text.splitlines()) <= 60


def test_the_lab_s_missing_servers_are_counted_and_nothing_else() -> None:
    lab = FLEETS[LAB]
    assert len(lab.status.absent) == len(lab.health.absent) == 45
    assert {finding.host for finding in lab.health.findings} <= {"", *lab.health.hosts}
    assert len(lab.health.hosts) == 3
    assert "45 not in this lab" in status_text(lab.status)
    assert "unreachable" not in told(lab.progress)


def test_nothing_to_change_is_not_said_of_hosts_that_were_not_read() -> None:
    assert "nothing to change on 3 hosts; 45 hosts could not be read" in told(
        FLEETS["3-of-48"].progress
    )
    assert "0 changes to make on the 3 hosts read" in report_text(FLEETS["3-of-48"].plan)
