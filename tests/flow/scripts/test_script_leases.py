"""Scripts over Nornir change hosts as the command line does: with its leases, its journal, and its refusals."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nornir.core.task import MultiResult, Result, Task
from nornir.plugins.runners import SerialRunner

from keybuzz.engine.memory.claims import claimed
from keybuzz.engine.memory.lock import leases
from keybuzz.engine.tasks import HostTask, converging, stepping
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies
from tests.flow.support.fleet import FIRST, HOSTS, Demo, Fleet, command, fleet

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path / "hosts") as made:
        yield made


@pytest.fixture
def there(tmp_path: Path, here: Fleet) -> Iterator[Fleet]:
    """Another controller: the same hosts, and nothing else in common."""
    with command(tmp_path / "there", here.hosts, "script") as made:
        yield made


def bootstrap(live: Live) -> Stage | None:
    changes = live.hosts[FIRST].changes
    return Stage("bootstrap", changes) if changes else None


def module_of(made: Fleet) -> Module:
    return Demo(made.hosts, next_stage=bootstrap).module()


def _bootstrapping(module: Module) -> HostTask:
    return stepping(module, "bootstrap")


TASKS: dict[str, Callable[[Module], HostTask]] = {"converge": converging, "step": _bootstrapping}


def task_of(made: Fleet, name: str) -> HostTask:
    return TASKS[name](module_of(made))


def errors(results: dict[str, MultiResult]) -> set[str]:
    return {str(result[0].exception) for result in results.values()}


def untouched(made: Fleet) -> bool:
    return [made.text(host) for host in HOSTS] == [None] * 3


@pytest.mark.parametrize("name", TASKS)
def test_a_script_is_refused_where_another_controller_changes_the_hosts(
    here: Fleet, there: Fleet, name: str
) -> None:
    with claimed(here.workspace, "kbz run demo", frozenset(HOSTS)):
        with pytest.raises(RefusedError) as caught:
            there.run(module_of(there))
        results = there.nornir.run(task=task_of(there, name))
    assert "is being changed by " in str(caught.value)
    assert errors(results) == {str(caught.value)}, "the words of the command line"
    assert untouched(here)
    assert there.workspace.journal.runs() == ()


@pytest.mark.parametrize("name", TASKS)
def test_a_script_is_refused_where_this_controller_changes_the_cluster(
    here: Fleet, name: str
) -> None:
    with leases(here.site.settings.state / "leases", ("patroni",), "kbz run demo"):
        results = here.nornir.run(task=task_of(here, name))
    assert all("the lease on patroni is held by " in error for error in errors(results))
    assert untouched(here)
    assert here.workspace.journal.runs() == ()
    assert not here.nornir.run(task=converging(module_of(here))).failed, "nothing is left held"


def test_a_script_holds_the_leases_while_it_changes(here: Fleet, there: Fleet) -> None:
    seen: list[str] = []

    def meanwhile(live: Live) -> Stage | None:
        try:
            with claimed(there.workspace, "kbz run demo", frozenset(HOSTS)):
                seen.append("they are free")
        except RefusedError as refused:
            seen.append(str(refused))
        return bootstrap(live)

    demo = Demo(here.hosts, next_stage=meanwhile).module()
    task = stepping(demo, "bootstrap")
    here.nornir.run(task=task)
    assert seen
    assert all("(`kbz step demo`)" in said for said in seen), seen
    with claimed(there.workspace, "kbz run demo", frozenset(HOSTS)):
        pass


@pytest.mark.parametrize("serial", [False, True])
def test_a_converge_is_in_the_journal_with_who_what_and_how_each_host_ended(
    here: Fleet, *, serial: bool
) -> None:
    nornir = here.nornir.with_runner(SerialRunner()) if serial else here.nornir
    assert not nornir.run(task=converging(module_of(here))).failed
    journal = here.workspace.journal
    runs = journal.runs()
    assert all(run.verb == "converge" and run.modules == ("demo",) for run in runs)
    assert all(run.exit_code == ExitCode.GOOD and run.ended and run.who for run in runs)
    assert all("demo.converge" in run.arguments[0] for run in runs)
    hosts = {item.host: item for run in runs for item in journal.hosts(run.number)}
    assert {host: (item.outcome, item.changes) for host, item in hosts.items()} == dict.fromkeys(
        HOSTS, (Outcome.CHANGED, 1)
    )
    assert journal.verify().problems == ()


def test_hosts_that_come_one_after_the_other_each_have_an_entry_of_their_own(
    here: Fleet, there: Fleet
) -> None:
    """docs/nornir-scripts.md says so: between two of them nothing is held."""
    converge = converging(module_of(here))

    def free_then_converge(task: Task) -> Result:
        with claimed(there.workspace, "kbz run demo", frozenset(HOSTS)):
            pass
        return converge(task)

    results = here.nornir.with_runner(SerialRunner()).run(task=free_then_converge)
    assert not results.failed, errors(results)
    journal = here.workspace.journal
    hosts = [[item.host for item in journal.hosts(run.number)] for run in journal.runs()]
    assert sorted(hosts) == [[host] for host in HOSTS]


def test_a_step_is_in_the_journal_with_its_refusals(here: Fleet) -> None:
    results = here.nornir.run(task=task_of(here, "step"))
    assert list(results.failed_hosts) == list(HOSTS[1:])
    journal = here.workspace.journal
    items = [item for run in journal.runs() for item in journal.hosts(run.number)]
    assert {item.host: item.outcome for item in items if item.host == FIRST} == {
        FIRST: Outcome.CHANGED
    }
    assert {item.outcome for item in items if item.host != FIRST} == {Outcome.REFUSED}
    assert {run.verb for run in journal.runs()} == {"step"}
    assert not any(run.at_work or run.ended is None for run in journal.runs())


def test_a_frozen_module_is_refused_and_that_is_remembered(here: Fleet) -> None:
    site = replace(here.site, policies=Policies(freeze=("patroni",)))
    here.nornir.config.user_defined["site"] = site
    results = here.nornir.run(task=converging(module_of(here)))
    assert all("module demo is frozen (FRZ-1)" in error for error in errors(results))
    journal = here.workspace.journal
    items = [item for run in journal.runs() for item in journal.hosts(run.number)]
    assert {item.outcome for item in items} == {Outcome.REFUSED}
    assert {run.exit_code for run in journal.runs()} == {int(ExitCode.REFUSED)}


def test_a_first_install_that_a_script_began_is_finished_by_a_run(here: Fleet) -> None:
    """Its mark names the script's own run, so it counts."""
    site = replace(here.site, policies=Policies(freeze=("patroni",)))
    here.nornir.config.user_defined["site"] = site
    here = replace(here, workspace=replace(here.workspace, site=site))

    def virgin(live: Live) -> bool:
        return untouched(here)

    module = replace(Demo(here.hosts).module(), virgin=virgin)
    results = here.nornir.run(task=stepping(module, f"bring {FIRST}"))
    assert list(results.failed_hosts) == list(HOSTS[1:])
    here.nornir.data.reset_failed_hosts()
    mark = json.loads((site.settings.state / "first-installs" / "demo").read_text())
    journal = here.workspace.journal
    changed = {item.host: item.outcome for item in journal.hosts(mark["run"])}
    assert changed[FIRST] is Outcome.CHANGED
    assert here.run(module).exit_code == ExitCode.GOOD
    assert [here.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_journal_that_cannot_be_used_stops_a_script_before_a_host_is_changed(
    here: Fleet,
) -> None:
    path = here.site.settings.state / "journal.sqlite"
    path.unlink()
    path.mkdir()
    results = here.nornir.run(task=converging(module_of(here)))
    assert all("is a directory, not a file" in error for error in errors(results))
    assert untouched(here)


def test_hosts_that_had_failed_before_stay_failed(here: Fleet) -> None:
    here.nornir.data.failed_hosts.add(HOSTS[2])
    here.nornir.run(task=converging(module_of(here)))
    assert here.nornir.data.failed_hosts == {HOSTS[2]}
    assert [here.text(host) for host in HOSTS] == ["new\n", "new\n", None]


def test_every_task_that_applies_does_so_inside_of_changing() -> None:
    """`apply_host` is called by the conductor's task, whose verb holds the leases, and by tasks of scripts."""
    callers = {
        str(path.relative_to(ROOT))
        for folder in ("keybuzz", "tasks")
        for path in (ROOT / folder).rglob("*.py")
        if "apply_host(" in path.read_text(encoding="utf-8")
    }
    assert callers == {"keybuzz/engine/change/steps.py", "keybuzz/engine/tasks.py"}
    tree = ast.parse((ROOT / "keybuzz/engine/tasks.py").read_text(encoding="utf-8"))
    makers = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and "apply_host(" in ast.unparse(node)
    ]
    assert [node.name for node in makers] == ["stepping", "converging"]
    assert all("with scripted.changing(task)" in ast.unparse(node) for node in makers)
