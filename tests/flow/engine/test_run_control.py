"""Who may run, who must wait, and what is left behind when a run is stopped."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.memory.lock import leases
from keybuzz.model.core.errors import KbzError, RefusedError, StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.host.files import HostValidator
from keybuzz.model.reports.report import Report
from tests.flow.support.fleet import (
    COMMAND,
    FIRST,
    HOSTS,
    SECOND,
    THIRD,
    Demo,
    Fleet,
    command,
    conf,
    fleet,
)
from tests.support.signals import to_main

LEASE = "patroni"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path, three: Fleet) -> Iterator[Fleet]:
    """Another command over the same hosts and the same state."""
    with command(tmp_path, three.hosts, "kbz run patroni") as made:
        yield made


def assert_free(three: Fleet) -> None:
    with leases(three.site.settings.state / "leases", (LEASE,), "test"):
        pass


class Held:
    """A run that stands still after its first stage has begun, until it is let go."""

    def __init__(self, three: Fleet, pool: ThreadPoolExecutor) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        demo = Demo(three.hosts).module()
        self.report = pool.submit(three.listening(self._listen).run, demo)
        assert self.begun.wait(10)

    def _listen(self, event: events.Event) -> None:
        if isinstance(event, events.StageStarted):
            self.begun.set()
            assert self.go.wait(10)

    def finish(self) -> Report:
        self.go.set()
        return self.report.result(20)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_a_second_run_is_refused_and_told_by_whom(
    three: Fleet, other: Fleet, pool: ThreadPoolExecutor
) -> None:
    first = Held(three, pool)
    with pytest.raises(RefusedError) as caught:
        other.run(Demo(other.hosts).module())
    assert first.finish().exit_code == ExitCode.GOOD
    said = caught.value.what
    assert said.startswith(f"the lease on {LEASE} is held by ")
    who = re.escape(f"(pid {os.getpid()}, `{COMMAND}`)")
    assert re.search(rf"{who} for \d+ s, last sign of life \d+ s ago", said)
    assert "--wait SECONDS" in caught.value.hint
    assert caught.value.code == ExitCode.REFUSED
    assert other.heard.events == []
    assert_free(three)


def test_a_second_run_that_waits_comes_after_the_first(
    three: Fleet, other: Fleet, pool: ThreadPoolExecutor
) -> None:
    first = Held(three, pool)
    second = pool.submit(other.run, Demo(other.hosts).module(), wait=20)
    assert not second.done()
    assert outcomes(first.finish()) == [Outcome.CHANGED] * 3
    # It read the hosts only after the first had ended.
    assert outcomes(second.result(20)) == [Outcome.OK] * 3
    assert [record.exit_code for record in three.workspace.journal.runs()] == [0, 0]


def test_a_stop_ends_the_wait_for_a_lease(
    three: Fleet, other: Fleet, pool: ThreadPoolExecutor
) -> None:
    first = Held(three, pool)
    second = pool.submit(other.run, Demo(other.hosts).module(), wait=600)
    assert not second.done()
    other.workspace.stop.set()
    with pytest.raises(StoppedError, match="waited for the lease on patroni") as caught:
        second.result(20)
    assert caught.value.code == ExitCode.INTERRUPTED
    assert other.heard.events == []
    assert first.finish().exit_code == ExitCode.GOOD


def test_hosts_of_another_cluster_are_not_held_up(three: Fleet, pool: ThreadPoolExecutor) -> None:
    first = Held(three, pool)
    with leases(three.site.settings.state / "leases", ("redis",), "kbz run redis"):
        pass
    first.finish()


def outcomes(report: Report) -> list[Outcome]:
    return [report.hosts[host].outcome for host in HOSTS]


def test_a_stop_lets_the_stage_at_work_end_and_begins_no_other(three: Fleet) -> None:
    def stop(event: events.Event) -> None:
        if isinstance(event, events.StageStarted):
            three.workspace.stop.set()

    report = three.listening(stop).run(Demo(three.hosts).module())
    assert report.exit_code == ExitCode.INTERRUPTED
    assert outcomes(report) == [Outcome.CHANGED, Outcome.SKIPPED, Outcome.SKIPPED]
    assert [three.text(host) for host in HOSTS] == ["new\n", None, None]
    assert "stopped on request" in report.error
    (record,) = three.workspace.journal.runs()
    assert (record.exit_code, record.ended is not None) == (130, True)
    assert "stopped on request" in record.note
    kept = {item.host: item.outcome for item in three.workspace.journal.hosts(record.number)}
    assert kept == {FIRST: Outcome.CHANGED, SECOND: Outcome.SKIPPED, THIRD: Outcome.SKIPPED}
    assert three.workspace.journal.sets()["failed"] == {SECOND, THIRD}
    assert_free(three)


def test_a_stop_ends_the_wait_for_a_gate(three: Fleet) -> None:
    from keybuzz.model.core.live import Gate, Live, Stage

    def next_stage(live: Live) -> Stage:
        return Stage("wait", tuple(live.changes()), Gate("never", lambda now: "no", 60))

    def stop(event: events.Event) -> None:
        if isinstance(event, events.GateWaiting):
            three.workspace.stop.set()

    report = three.listening(stop).run(Demo(three.hosts, next_stage=next_stage).module())
    assert report.exit_code == ExitCode.INTERRUPTED
    assert [three.text(host) for host in HOSTS] == [None] * 3


def test_a_second_interrupt_cuts_the_steps_off_and_leaves_nothing_half_done(three: Fleet) -> None:
    """What the command line does on the second Ctrl-C: KeyboardInterrupt in the main thread. A report comes still."""
    hang = HostValidator(("sh", "-c", "exec sleep 300 # {}"))
    demo = Demo(three.hosts, lambda host: (conf(host, validator=hang),)).module()

    def interrupt(event: events.Event) -> None:
        if isinstance(event, events.StepStarted):
            to_main(signal.SIGINT)

    report = three.listening(interrupt).run(demo)
    assert report.exit_code == ExitCode.INTERRUPTED
    assert outcomes(report)[0] is Outcome.UNKNOWN
    assert_free(three)
    (record,) = three.workspace.journal.runs()
    assert (record.exit_code, record.ended is not None) == (130, True)
    report = three.run(Demo(three.hosts).module())
    assert outcomes(report) == [Outcome.CHANGED] * 3
    assert [sorted(p.name for p in three.hosts[h].files.iterdir()) for h in HOSTS] == [
        ["app.conf"]
    ] * 3


def test_a_description_that_can_not_be_made_frees_the_lease_and_is_recorded(three: Fleet) -> None:
    def broken(host: object) -> tuple[()]:
        raise ZeroDivisionError

    with pytest.raises(KbzError, match="the description cannot be made"):
        three.run(Demo(three.hosts, broken).module())
    assert_free(three)
    (record,) = three.workspace.journal.runs()
    assert (record.exit_code, record.ended is not None) == (int(ExitCode.FAILED), True)
    assert "the description cannot be made" in record.note


def test_the_journal_tells_what_was_planned_and_how_it_ended(three: Fleet) -> None:
    report = three.run(Demo(three.hosts).module())
    journal = three.workspace.journal
    (record,) = journal.runs()
    assert (record.number, record.verb, record.modules) == (report.number, "run", ("demo",))
    assert record.arguments == (COMMAND,)
    assert '"action":"create"' in journal.plan(record.number)
    assert {item.host: item.changes for item in journal.hosts(record.number)} == dict.fromkeys(
        HOSTS, 1
    )
