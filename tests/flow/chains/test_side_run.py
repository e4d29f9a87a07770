"""Modules side by side over real agents: killed at every moment, cut off, and failed; the same command ends it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.memory.lock import leases
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File, HostValidator
from tests.flow.support import side_run
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import Fleet, command
from tests.flow.support.side_run import COMMAND, HOSTS, NEW, OLD, PLACES, modules, taken
from tests.flow.support.sshd import until
from tests.support import warm
from tests.support.signals import to_main

EVENTS = range(1, 23)
"""Reading, planned, arranged; three modules that begin and end, each with a stage and a step; judged."""
LEASES = ("galera", "rabbitmq", "redis")


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Fleet]:
    hosts = side_run.prepare(tmp_path)
    with command(tmp_path, hosts, COMMAND) as made:
        yield made
    until(lambda: not any(host.agents() for host in hosts.values()), "the agents to end")


def die_at(folder: Path, event: int) -> tuple[int, str, str]:
    side_run.prepare(folder)
    return warm.run(side_run.main, (str(folder), str(event)), 60)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, int]]:
    """Hosts for each event, on which a run was killed there: their folder and the exit code."""
    folders = {event: tmp_path_factory.mktemp(f"event{event}") for event in EVENTS}
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(die_at, folders.values(), folders)
        return {
            event: (folders[event], code) for event, (code, *_) in zip(folders, done, strict=True)
        }


def test_a_run_that_nothing_kills_has_these_events(tmp_path: Path) -> None:
    assert die_at(tmp_path, 0)[1].split() == [str(len(EVENTS)), "0"]


@pytest.mark.parametrize("event", EVENTS)
def test_the_same_command_ends_a_run_that_was_killed(
    killed: dict[int, tuple[Path, int]], event: int
) -> None:
    folder, code = killed[event]
    assert code == -signal.SIGKILL
    hosts = {host: ScratchHost(folder / host) for host in HOSTS}
    until(lambda: not any(h.agents() for h in hosts.values()), "the agents to notice it")
    assert all(text in (OLD, NEW) for text in texts(hosts).values())
    with leases(folder / "state" / "leases", LEASES, "test"):
        pass
    with command(folder, hosts, COMMAND) as made:
        (record,) = made.workspace.journal.runs()
        assert record.ended is None
        assert taken(made, modules(hosts)).exit_code == ExitCode.GOOD
        assert set(texts(hosts).values()) == {NEW}
        again = taken(made, modules(hosts))
        assert (again.exit_code, again.plan.size) == (ExitCode.GOOD, 0)


def texts(hosts: dict[str, ScratchHost]) -> dict[str, str]:
    return {name: (hosts[host].files / name).read_text() for name, (_, host) in PLACES.items()}


def hanging(host: ScratchHost) -> tuple[Resource, ...]:
    check = HostValidator(("sh", "-c", "exec sleep 300 # {}"))
    return (File(str(host.files / "left"), Content.plain(NEW), validator=check),)


def test_a_second_interrupt_cuts_off_what_is_at_work_and_tells_what_was_done(
    beside: Fleet,
) -> None:
    """One module is done, one hangs in its step: the cut ends that one, and the third is not begun."""

    def interrupt(event: events.Event) -> None:
        match event:
            case events.Beside("right", events.ModuleEnded()):
                to_main(signal.SIGINT)

    hosts = dict(beside.hosts)
    report = taken(beside.listening(interrupt), modules(hosts, left=hanging))
    assert report.exit_code == ExitCode.INTERRUPTED
    assert {host: report.hosts[host].outcome for host in HOSTS} == {
        "redis-01": Outcome.UNKNOWN,
        "queue-01": Outcome.CHANGED,
        "maria-01": Outcome.SKIPPED,
    }
    (record,) = beside.workspace.journal.runs()
    assert (record.exit_code, record.ended is not None) == (130, True)
    with leases(beside.site.settings.state / "leases", LEASES, "test"):
        pass
    beside.workspace.stop.clear()
    assert taken(beside, modules(hosts)).exit_code == ExitCode.GOOD
    assert set(texts(hosts).values()) == {NEW}


def test_a_module_that_was_about_to_change_its_hosts_does_not_after_a_cut(beside: Fleet) -> None:
    """Its stage has begun, and no connection is at work that could be cut off: it may not open one."""

    def listen(event: events.Event) -> None:
        match event:
            case events.Beside("left", events.StageStarted()):
                until(beside.workspace.stop.is_set, "the cut")
            case events.Beside("right", events.ModuleEnded()):
                to_main(signal.SIGINT)

    hosts = dict(beside.hosts)
    report = taken(beside.listening(listen), modules(hosts))
    assert report.exit_code == ExitCode.INTERRUPTED
    assert texts(hosts) == {"left": OLD, "right": NEW, "entry": OLD}
    assert report.hosts["redis-01"].outcome is Outcome.SKIPPED
    beside.workspace.stop.clear()
    assert taken(beside, modules(hosts)).exit_code == ExitCode.GOOD


def test_one_fails_and_the_exit_code_and_the_journal_say_so(beside: Fleet) -> None:
    def refusing(host: ScratchHost) -> tuple[Resource, ...]:
        check = HostValidator(("sh", "-c", "echo no; false # {}"))
        return (File(str(host.files / "left"), Content.plain(NEW), validator=check),)

    hosts = dict(beside.hosts)
    report = taken(beside, modules(hosts, left=refusing))
    assert report.exit_code == ExitCode.FAILED
    assert {host: report.hosts[host].outcome for host in HOSTS} == {
        "redis-01": Outcome.FAILED,
        "queue-01": Outcome.CHANGED,
        "maria-01": Outcome.SKIPPED,
    }
    assert report.error.startswith("left (redis-01): file:")
    assert "; not begun: entry; done: right" in report.error
    (record,) = beside.workspace.journal.runs()
    assert (record.exit_code, record.note) == (1, report.error)
    assert beside.workspace.journal.sets()["failed"] == {"redis-01", "maria-01"}
    assert taken(beside, modules(hosts)).exit_code == ExitCode.GOOD
