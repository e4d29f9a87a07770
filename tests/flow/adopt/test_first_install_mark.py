"""A mark of a first install lifts the freeze for the install that made it, and for nothing else, and not for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine import events
from keybuzz.engine.adopt.adopt import adopt
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.model.core.live import Live
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies
from tests.flow.support.fleet import HOSTS, Demo, Fleet, fleet
from tests.flow.support.links import register


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three hosts of a site where the group of the test's module is frozen."""
    register()
    with fleet(tmp_path) as made:
        site = replace(made.site, policies=Policies(freeze=("patroni",)))
        made.nornir.config.user_defined["site"] = site
        yield replace(made, workspace=replace(made.workspace, site=site))


def no_file(live: Live) -> bool:
    return not any(view.present(view.resources[0].identity) for view in live.hosts.values())


def frozen(three: Fleet) -> Module:
    return replace(Demo(three.hosts).module(), virgin=no_file)


def mark_of(three: Fleet) -> Path:
    return three.site.settings.state / "first-installs" / "demo"


def cut_off(three: Fleet, module: Module) -> None:
    """Begin a first install, which ends after its first step."""

    def stop(event: events.Event) -> None:
        if isinstance(event, events.StepEnded):
            three.workspace.stop.set()

    assert three.listening(stop).run(module).exit_code == ExitCode.INTERRUPTED
    three.workspace.stop.clear()
    assert mark_of(three).exists()


def test_the_mark_says_what_it_was_made_for_and_goes_with_the_install(three: Fleet) -> None:
    module = frozen(three)
    cut_off(three, module)
    told = json.loads(mark_of(three).read_text())
    assert (told["module"], told["members"], told["run"]) == ("demo", list(HOSTS), 1)
    assert mark_of(three).stat().st_mode & 0o777 == 0o600
    assert three.run(module).exit_code == ExitCode.GOOD
    assert not mark_of(three).exists()


def edited(**values: Any) -> Callable[[Fleet], object]:
    def edit(three: Fleet) -> None:
        told: Mapping[str, Any] = json.loads(mark_of(three).read_text())
        mark_of(three).write_text(json.dumps({**told, **values}))

    return edit


def green(three: Fleet) -> None:
    """Another command has found the cluster whole since, as one of another controller may have made it."""
    journal = three.workspace.journal
    number = journal.begin("health", ("kbz health",), ("demo", "redis"), 2e9, Path("/"))
    journal.end(number, 2e9, 0, good(*HOSTS, "redis-01"), "", "")


def good(*hosts: str) -> dict[str, HostRecord]:
    return {host: HostRecord(host, Outcome.OK, 0, "") for host in hosts}


def of_an_older_kbz(three: Fleet) -> None:
    mark_of(three).write_text("")


def writable(three: Fleet) -> None:
    mark_of(three).chmod(0o664)


STALE: dict[str, tuple[Callable[[Fleet], object], str]] = {
    "the cluster was green since": (green, "the cluster has been green since, in run 2"),
    "too old": (edited(since=0.0), "days old"),
    "of the future": (edited(since=4e9), "days old"),
    "of another module": (edited(module="redis"), "it was made for redis on"),
    "of other members": (edited(members=["db-master-01"]), "it was made for demo on db-master-01"),
    "of another journal": (edited(run=77), "the journal does not know run 77"),
    "empty, of an older kbz": (of_an_older_kbz, "it does not say what it was made for"),
    "the way out of that": (of_an_older_kbz, "kbz resume --lift-freeze demo --reason"),
    "of a mode that lets others write": (writable, "may be written by other users (mode 0664)"),
}


@pytest.mark.parametrize("why", STALE)
def test_a_mark_that_does_not_count_is_told_and_the_freeze_holds(three: Fleet, why: str) -> None:
    module = frozen(three)
    cut_off(three, module)
    make, said = STALE[why]
    make(three)
    before = mark_of(three).read_bytes()
    report = three.run(module)
    assert report.exit_code == ExitCode.REFUSED
    assert "is frozen (FRZ-1)" in report.error
    assert "Not counted: " in report.error
    assert said in report.error
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
    assert mark_of(three).read_bytes() == before, "a refused run changes nothing"
    assert not first_installs(three.workspace).of("demo", HOSTS).counts
    (item,) = adopt(three.workspace, (module,), frozenset(HOSTS)).modules
    assert item.frozen, "kbz adopt foretells it"


def test_a_look_that_was_not_good_says_nothing_of_the_cluster(three: Fleet) -> None:
    module = frozen(three)
    cut_off(three, module)
    journal = three.workspace.journal
    for verb, code, modules, hosts in (
        ("health", 2, ("demo",), HOSTS),
        ("health", 0, ("redis",), HOSTS),
        ("exec", 0, ("demo",), HOSTS),
        ("drift", 0, ("demo",), HOSTS[:1]),  # with --limit
        ("run", 0, ("demo",), HOSTS[1:]),
        ("health", 0, ("demo",), ()),
    ):
        number = journal.begin(verb, ("kbz",), modules, 2e9, Path("/"))
        journal.end(number, 2e9, code, good(*hosts), "", "")
    assert three.run(module).exit_code == ExitCode.GOOD


def test_a_stale_mark_on_virgin_ground_is_made_again(three: Fleet) -> None:
    module = frozen(three)
    installs = first_installs(three.workspace)
    three.workspace.journal.begin("run", ("kbz run demo",), ("demo",), 1.0, Path("/"))
    replace(installs, clock=lambda: 1.0).begin("demo", HOSTS)
    assert not installs.of("demo", HOSTS).counts
    cut_off(three, module)
    assert json.loads(mark_of(three).read_text())["run"] == 2
    assert three.run(module).exit_code == ExitCode.GOOD
