"""Differences that are accepted: told once and then counted, of one state only, until a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from keybuzz.cli.look.accept import accept as accept_command
from keybuzz.engine.drift.accepting import AcceptWords, accepting
from keybuzz.engine.drift.drift import DriftRequest, drift
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.drift import Standing
from keybuzz.model.reports.report import Report
from keybuzz.report.text.drift import news_text
from keybuzz.report.text.report import report_text
from keybuzz.site.accepted import Accepted
from keybuzz.site.accepting import with_accepted
from keybuzz.site.policies import parse_policies
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet

TODAY = date(2026, 11, 30)
NOON = 1_796_040_000.0
"""Of that day."""
EMPTY = b"freeze: []\nwaivers: []\n"
REASON = "the owner keeps it until the spring"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three hosts that were converged, and two files that were edited since."""
    with fleet(tmp_path) as made:
        noon = replace(made, workspace=replace(made.workspace, clock=lambda: NOON))
        assert noon.run(Demo(made.hosts).module()).exit_code == ExitCode.GOOD
        for host in (FIRST, SECOND):
            edit(made, host, f"by hand on {host}\n")
        yield noon


def edit(three: Fleet, host: str, text: str) -> None:
    (three.hosts[host].files / "app.conf").write_text(text)


def identity(three: Fleet, host: str) -> str:
    return f"drift/{host}/file:{three.hosts[host].files / 'app.conf'}"


def look(three: Fleet) -> Report:
    modules = (Demo(three.hosts).module(),)
    return drift(three.workspace, DriftRequest(modules, frozenset(HOSTS), modules))


def accept(three: Fleet, *ids: str, until: date | None = None) -> tuple[Accepted, ...]:
    words = AcceptWords(ids, REASON, TODAY, until)
    return accepting(three.workspace, words, (Demo(three.hosts).module(),))


def with_entries(three: Fleet, entries: tuple[Accepted, ...]) -> Fleet:
    """Return the fleet as a later command sees it, after the file was written and read again."""
    policies = parse_policies(with_accepted(EMPTY, "policies.yaml", entries), "policies.yaml", ())
    site = replace(three.site, policies=policies)
    return replace(three, workspace=replace(three.workspace, site=site))


def standing(report: Report) -> dict[str, Standing]:
    assert report.drift is not None
    return {item.host: item.standing for item in report.drift.items if not item.stray}


def test_what_is_accepted_is_told_once_and_then_only_counted(three: Fleet) -> None:
    assert look(three).exit_code == ExitCode.DIFFERENT
    both = with_entries(three, accept(three, "drift/*/file:*app.conf"))
    first, second = look(both), look(both)
    for report in (first, second):
        assert standing(report) == {FIRST: Standing.ACCEPTED, SECOND: Standing.ACCEPTED}
        assert "2 accepted" in report_text(report)
        assert "0 differences" in report_text(report)
    assert "  accepted drift/" in news_text(first)
    assert "app.conf" not in news_text(second)
    assert "app.conf" not in report_text(second)


def test_another_state_of_it_is_drift_again(three: Fleet) -> None:
    one = with_entries(three, accept(three, identity(three, FIRST)))
    assert standing(look(one)) == {FIRST: Standing.ACCEPTED, SECOND: Standing.NEW}
    edit(three, FIRST, "by another hand\n")
    report = look(one)
    assert report.exit_code == ExitCode.DIFFERENT
    assert standing(report) == {FIRST: Standing.STILL, SECOND: Standing.STILL}
    (warning,) = [text for text in report.warnings if "accepted" in text]
    assert "is not what was accepted on 2026-11-30" in warning
    assert warning.startswith("policies.yaml:")
    edit(three, FIRST, f"by hand on {FIRST}\n")
    assert standing(look(one))[FIRST] is Standing.ACCEPTED


def test_under_another_digest_key_it_says_so(three: Fleet) -> None:
    """The key is the state folder's: another controller's policies.yaml tells nothing of states here."""
    (entry,) = accept(three, identity(three, FIRST))
    other = replace(entry, state="0" * 8 + entry.state[8:])
    report = look(with_entries(three, (other,)))
    assert standing(report)[FIRST] is Standing.NEW
    assert any("accepted under another digest key" in text for text in report.warnings)


def test_after_its_last_day_it_is_drift_again(three: Fleet) -> None:
    one = with_entries(three, accept(three, identity(three, FIRST), until=TODAY))
    assert standing(look(one))[FIRST] is Standing.ACCEPTED
    tomorrow = replace(one, workspace=replace(one.workspace, clock=lambda: NOON + 86_400))
    report = look(tomorrow)
    assert standing(report)[FIRST] is Standing.STILL
    assert any("was accepted until 2026-11-30" in text for text in report.warnings)


def test_an_entry_of_what_has_gone_is_named(three: Fleet) -> None:
    one = with_entries(three, accept(three, identity(three, FIRST)))
    look(one)
    three.run(Demo(three.hosts).module())
    report = look(one)
    assert set(standing(report).values()) == {Standing.GONE}
    assert any("is not there any more: delete the entry" in text for text in report.warnings)


@pytest.mark.parametrize(
    ("difference", "what"),
    [
        (f"drift/{FIRST}/file:/nowhere", "no difference that is there"),
        (f"silent/{FIRST}", "no id of drift"),
        ("app.conf", "no id of drift"),
    ],
)
def test_what_is_not_there_is_not_accepted(three: Fleet, difference: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        accept(three, difference)


def test_a_reason_that_explains_nothing_is_refused(three: Fleet) -> None:
    words = AcceptWords((identity(three, FIRST),), "ok", TODAY, TODAY + timedelta(days=1))
    with pytest.raises(UsageError, match="explains nothing"):
        accepting(three.workspace, words, (Demo(three.hosts).module(),))


def test_of_a_stray_only_what_is_printed_is_compared_as_help_and_page_say(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = three.hosts[FIRST].files / "left.conf"
    monkeypatch.setattr("keybuzz.engine.drift.strays.ROOTS", (str(stray.parent),))
    stray.write_text("one\n")
    (entry,) = accept(three, f"stray/{FIRST}/file:{stray}")
    stray.write_text("another\n")
    assert accept(three, entry.difference) == (entry,)
    page = Path("docs/how-to/adopt.md").read_text()
    for text in (accept_command.help or "", page):
        assert "of a stray, which no description explains, only what" in " ".join(
            text.lower().split()
        )
