"""What `kbz resume` repeats, and what the journal says about it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.cli.change.run import run
from keybuzz.engine.change.run import RunRequest
from keybuzz.engine.change.saved_plan import load, save
from keybuzz.engine.memory.journal import HostRecord, Journal, RunRecord
from keybuzz.engine.memory.outcomes import in_journal
from keybuzz.engine.memory.scope import Scope
from keybuzz.engine.roll.restart import RestartRequest
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
        self.config = ""
        self.patch = patch
        patch.chdir(folder)
        patch.setattr("keybuzz.engine.change.run.run", self._run)

    def _run(self, workspace: Workspace, request: RunRequest) -> Report:
        self.asked.append(request)
        with in_journal(workspace, "run", request.modules, request.scope):
            raise StepError("broken on purpose")

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "state" / "journal.sqlite")

    @property
    def newest(self) -> RunRecord:
        return self.journal.runs(1)[0]

    def kbz(self, *words: str) -> int:
        self.patch.setattr(sys, "argv", ["kbz", *words])
        return main._main([*(("--config", self.config) if self.config else ()), *words])

    def ended(self, line: str, code: int | None, changes: int, scope: Scope | None = None) -> int:
        """Put a run into the journal; without a code it was cut off. An older kbz wrote no scope."""
        number = self.journal.begin("run", (line,), CHAIN, 1.0, self.folder, scope=scope)
        if code is None:
            with self.journal._open() as database:
                database.execute("update processes set process = 'boot 1 1'")
        elif changes:
            hosts = {host: HostRecord(host, Outcome.CHANGED, changes, "") for host in DB}
            self.journal.end(number, 2.0, code, hosts, "", "")
        else:
            self.journal.end(number, 2.0, code, {}, "", "")
        return number

    def saved(self) -> Path:
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
    assert (site.asked[1].lifted.modules, site.asked[1].lifted.reason) == (
        frozenset({"patroni"}),
        reason,
    )


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
        again = shlex.join(["kbz", *WORDS, "--since", str(number), *LIFT])
        assert site.newest.arguments == (f"{again} # resumed from run {number}",)
    assert len(site.asked) == 4
    assert {request.selected for request in site.asked} == {frozenset({"db-slave-01"})}
    assert len({request.lifted for request in site.asked}) == 1
    assert site.asked[0].lifted.reason == "the owner decided # 7"


def plan_scope(path: Path) -> Scope:
    return Scope(DB, str(path), load(path).digest)


@pytest.mark.parametrize("option", [("--plan", "a plan.json"), ("--plan=a plan.json",)])
@pytest.mark.parametrize("end", [(ExitCode.FAILED, 1), (ExitCode.REFUSED, 0), (None, 0)])
def test_a_plan_is_gone_on_with_by_its_own_file(
    site: Site, option: tuple[str, ...], end: tuple[int | None, int], tmp_path: Path
) -> None:
    """Typed in its folder, and resumed in another one, where a file of that name is another plan."""
    path = site.saved()
    line = shlex.join(["kbz", "run", *option, "--timeout", "9"])
    number = site.ended(line, *end, plan_scope(path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    save(elsewhere / path.name, Plan({}), ("redis",), frozenset({"redis-01"}))
    site.patch.chdir(elsewhere)
    site.config = str(tmp_path / "nornir_config.yaml")
    assert site.kbz("resume") == ExitCode.FAILED
    (request,) = site.asked
    assert request.saved is not None
    assert (request.saved.path, request.selected, request.since) == (path, DB, number)
    assert request.timeout == 9
    line = f"kbz run --plan '{path}' --timeout 9 --since {number}"
    assert site.newest.arguments == (f"{line} # resumed from run {number}",)
    assert site.journal.scope(site.newest.number) == replace(plan_scope(path), since=number)


@pytest.mark.parametrize("end", [(ExitCode.REFUSED, 0), (ExitCode.FAILED, 1), (None, 0)])
def test_a_plan_that_an_older_kbz_did_not_keep_is_not_replaced_by_its_modules(
    site: Site, end: tuple[int | None, int], capsys: pytest.CaptureFixture[str]
) -> None:
    site.saved()
    number = site.ended("kbz run --plan 'a plan.json'", *end)
    assert site.kbz("resume") == ExitCode.REFUSED
    assert (site.asked, site.newest.number) == ([], number)
    said = capsys.readouterr().err
    assert f"run {number} was of a saved plan" in said
    assert "kbz plan base patroni" in said


def test_a_plan_that_was_written_again_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site.saved()
    site.ended("kbz run --plan 'a plan.json'", None, 0, plan_scope(path))
    save(path, Plan({}), ("patroni",), frozenset({"db-slave-01"}))
    assert site.kbz("resume") == ExitCode.REFUSED
    assert site.asked == []
    said = capsys.readouterr().err
    assert f"{path}: is not the plan that run 1 applied" in said
    path.unlink()
    assert site.kbz("resume") == ExitCode.FAILED
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["@drifted", "@failed", "role=db,!@failed"])
def test_a_set_is_not_resolved_again(site: Site, limit: str) -> None:
    """A drift by the schedule, or the run itself, has moved it meanwhile."""
    journal = site.journal
    for verb, outcome in (("run", Outcome.FAILED), ("drift", Outcome.CHANGED)):
        number = journal.begin(verb, (), CHAIN, 1.0, site.folder)
        journal.end(number, 2.0, 2, {"db-slave-01": record("db-slave-01", outcome)}, "", "")
    assert site.kbz("run", "patroni", "--limit", limit) == ExitCode.FAILED
    selected = site.asked[0].selected
    for verb, outcome in (("run", Outcome.FAILED), ("drift", Outcome.CHANGED)):
        number = journal.begin(verb, (), CHAIN, 1.0, site.folder)
        journal.end(number, 2.0, 2, {"db-master-01": record("db-master-01", outcome)}, "", "")
    with journal._open() as database:
        database.execute("update runs set id = 90 where id = 3")
        database.execute("update scopes set run = 90 where run = 3")
    assert site.kbz("resume") == ExitCode.FAILED
    assert site.asked[1].selected == selected
    assert site.journal.scope(site.newest.number) == Scope(selected)


def record(host: str, outcome: Outcome) -> HostRecord:
    return HostRecord(host, outcome, 1, "")


def test_a_server_that_was_added_is_no_part_of_an_earlier_run(site: Site) -> None:
    assert site.kbz("run", "patroni", "--all") == ExitCode.FAILED
    number = site.newest.number
    with site.journal._open() as database:
        hosts = sorted(DB - {"db-slave-02"})
        text = f'{{"hosts": ["{hosts[0]}", "{hosts[1]}"], "plan": "", "digest": ""}}'
        database.execute("update scopes set scope = ? where run = ?", (text, number))
    assert site.kbz("resume") == ExitCode.FAILED
    assert site.asked[1].selected == set(hosts)


def test_a_host_that_is_gone_is_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ended("kbz run patroni", None, 0, Scope(DB | {"db-old-01"}))
    assert site.kbz("resume") == ExitCode.REFUSED
    assert "db-old-01 are not in servers.tsv any more" in capsys.readouterr().err
    assert site.asked == []


def test_a_run_that_is_at_work_is_not_repeated(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.journal.begin("run", ("kbz run patroni --wait 600",), CHAIN, 1.0, site.folder)
    assert site.kbz("resume") == ExitCode.REFUSED
    assert "run 1 is still at work" in capsys.readouterr().err


def test_a_restart_goes_on_with_its_own_hosts(site: Site) -> None:
    asked: list[RestartRequest] = []

    def restart(_workspace: object, request: RestartRequest) -> Report:
        asked.append(request)
        return broken()

    site.patch.setattr("keybuzz.engine.roll.restart.restart", restart)
    line = "kbz restart patroni --limit @drifted"
    number = site.journal.begin("restart", (line,), ("patroni",), 1.0, site.folder, scope=Scope(DB))
    site.journal.end(number, 2.0, 1, {}, "", "")
    assert site.kbz("resume") == ExitCode.FAILED
    assert [(request.selected, request.since) for request in asked] == [(DB, number)]


def broken() -> Report:
    raise StepError("broken on purpose")


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
    plain = [i for i in run.params if i.name == "since" or not getattr(i, "hidden", False)]
    site.patch.setattr(run, "params", plain)
    assert site.kbz("resume") == ExitCode.FAILED
    assert [request.selected for request in site.asked] == [DB, DB]
