"""What `kbz resume` repeats, and what the journal says about it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.cli.change.run import run
from keybuzz.engine.change.run import RunRequest
from keybuzz.engine.memory.journal import HostRecord, Journal, RunRecord
from keybuzz.engine.memory.outcomes import in_journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.model.reports.report import Report
from tests.unit.support.site_values import planted_configuration

DB = frozenset({"db-master-01", "db-slave-01", "db-slave-02"})
CHAIN = ("base", "patroni")


class Site:
    """A site whose runs are recorded and then break before they ask any host."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        planted_configuration(folder)
        self.folder = folder
        self.asked: list[RunRequest] = []
        self.patch = patch
        patch.chdir(folder)
        patch.setattr("keybuzz.engine.change.run.run", self._run)

    def _run(self, workspace: Workspace, request: RunRequest) -> Report:
        self.asked.append(request)
        with in_journal(workspace, "run", request.modules):
            raise StepError("broken on purpose")

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "state" / "journal.sqlite")

    @property
    def newest(self) -> RunRecord:
        return self.journal.runs(1)[0]

    def kbz(self, *words: str) -> int:
        self.patch.setattr(sys, "argv", ["kbz", *words])
        return main._main(list(words))

    def ended(self, line: str, code: int | None, changes: int) -> int:
        """Put a run into the journal; without a code it was cut off."""
        number = self.journal.begin("run", (line,), CHAIN, 1.0, self.folder)
        if code is not None:
            hosts = {host: HostRecord(host, Outcome.CHANGED, changes, "") for host in DB}
            self.journal.end(number, 2.0, code, hosts, "", "")
        return number

    def saved(self) -> Path:
        from keybuzz.engine.change.saved_plan import save

        path = self.folder / "a plan.json"
        save(path, Plan({}), ("patroni",), DB)
        return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


WORDS = ("run", "patroni", "--limit", "db-slave-01")
LIFT = ("--lift-freeze", "patroni", "--reason", "the owner decided # 7")


@pytest.mark.parametrize(
    "lift", [LIFT, ("--lift-freeze=patroni", "--reason=the owner decided"), (*LIFT, *LIFT[:2])]
)
def test_a_lift_is_not_repeated_without_being_told(
    site: Site, lift: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.kbz(*WORDS, *lift) == ExitCode.FAILED
    before = site.newest
    assert site.kbz("resume") == ExitCode.REFUSED
    said = capsys.readouterr().err
    assert f"run {before.number} lifted the freeze of patroni" in said
    assert "kbz resume --lift-freeze patroni" in said
    assert (len(site.asked), site.newest) == (1, before)

    reason = "the owner decided again"
    assert site.kbz("resume", "--lift-freeze", "patroni", "--reason", reason) == ExitCode.FAILED
    assert (site.asked[1].lifted.modules, site.asked[1].lifted.reason) == ({"patroni"}, reason)


def test_a_run_without_a_lift_can_be_resumed_with_one(site: Site) -> None:
    assert site.kbz(*WORDS) == ExitCode.FAILED
    assert site.kbz("resume", *LIFT) == ExitCode.FAILED
    assert [len(request.lifted.modules) for request in site.asked] == [0, 1]


def test_a_resume_of_a_resume_keeps_all_words(site: Site) -> None:
    assert site.kbz(*WORDS, *LIFT) == ExitCode.FAILED
    first = site.newest
    line = shlex.join(["kbz", *WORDS, *LIFT])
    assert first.arguments == (line,)
    for number in (first.number, first.number + 1, first.number + 2):
        assert site.kbz("resume", *LIFT) == ExitCode.FAILED
        assert site.newest.arguments == (f"{line} # resumed from run {number}",)
    assert len(site.asked) == 4
    assert {request.selected for request in site.asked} == {frozenset({"db-slave-01"})}
    assert len({request.lifted for request in site.asked}) == 1
    assert site.asked[0].lifted.reason == "the owner decided # 7"


@pytest.mark.parametrize("option", [("--plan", "{}"), ("--plan={}",)])
def test_a_plan_that_changed_hosts_goes_on_by_its_modules_and_hosts(
    site: Site, option: tuple[str, ...]
) -> None:
    words = [word.format(site.saved()) for word in option]
    number = site.ended(shlex.join(["kbz", "run", *words, "--timeout", "9"]), ExitCode.FAILED, 1)
    assert site.kbz("resume") == ExitCode.FAILED
    (request,) = site.asked
    assert request.saved is None
    assert request.selected == DB
    assert request.timeout == 9
    hosts = ",".join(sorted(DB))
    line = f"kbz run base patroni --limit {hosts} --timeout 9"
    assert site.newest.arguments == (f"{line} # resumed from run {number}",)


def test_a_plan_that_was_cut_off_names_its_hosts_itself(site: Site) -> None:
    site.ended(shlex.join(["kbz", "run", "--plan", str(site.saved())]), None, 0)
    assert site.kbz("resume") == ExitCode.FAILED
    assert [(request.saved, request.selected) for request in site.asked] == [(None, DB)]


def test_a_plan_that_was_refused_is_not_widened(site: Site) -> None:
    site.ended(shlex.join(["kbz", "run", "--plan", str(site.saved())]), ExitCode.REFUSED, 0)
    assert site.kbz("resume") == ExitCode.FAILED
    (request,) = site.asked
    assert request.saved is not None


def test_a_journal_of_before_that_says_only_resume_names_the_hosts(site: Site) -> None:
    site.ended("kbz resume", ExitCode.FAILED, 1)
    assert site.kbz("resume") == ExitCode.FAILED
    assert site.asked[0].selected == DB


def test_nothing_is_guessed_when_nothing_is_known(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.ended("kbz resume", None, 0)
    assert site.kbz("resume") == ExitCode.REFUSED
    assert site.asked == []
    assert "does not say which hosts" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("-v", "run", "patroni"), ("run", "-v", "patroni")])
def test_a_run_with_an_option_that_every_verb_has_is_resumed(
    site: Site, words: tuple[str, ...]
) -> None:
    assert site.kbz(*words, "--limit", "db") == ExitCode.FAILED
    # As in a new process, in which nothing has asked the group for the verb yet.
    plain = [item for item in run.params if not getattr(item, "hidden", False)]
    site.patch.setattr(run, "params", plain)
    assert site.kbz("resume") == ExitCode.FAILED
    assert [request.selected for request in site.asked] == [DB, DB]
