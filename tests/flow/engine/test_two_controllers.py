"""Two controllers, each with a state folder of its own, and the same hosts: exactly one changes them at a time."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change.execute import execute_everywhere, worst
from keybuzz.model.core.errors import ContactError, RefusedError, StoppedError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.reports.report import Report
from keybuzz.site.sources import sources_of
from keybuzz.transport.meeting import Claim, HeldError, Meeting, Proof, give_back, hold
from keybuzz.transport.session import Session
from keybuzz.transport.shell import Shell, guarded
from tests.flow.support.agent_host import OneHost, one_host
from tests.flow.support.fleet import FIRST, HOSTS, Demo, Fleet, command, fleet
from tests.flow.support.sshd import until

SINCE = 1_800_000_000.0
WHEN = f"since {datetime.fromtimestamp(SINCE, UTC):%Y-%m-%d %H:%M:%S} UTC"
ALICE = Claim("alice as root", "install-01", "kbz run demo", SINCE)
BOB = Claim("bob", "spare-01", "kbz restart demo", SINCE + 5)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path / "hosts") as made:
        workspace = replace(made.workspace, clock=lambda: SINCE)
        yield replace(made, workspace=workspace)


@pytest.fixture
def there(tmp_path: Path, here: Fleet) -> Iterator[Fleet]:
    """Another controller: the same hosts, and nothing else in common."""
    with command(tmp_path / "there", here.hosts, "kbz run demo --limit db") as made:
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class AtWork:
    """A run that stands still in its first stage until it is let go."""

    def __init__(self, controller: Fleet, pool: ThreadPoolExecutor) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        demo = Demo(controller.hosts).module()
        self.report = pool.submit(controller.listening(self._listen).run, demo)
        assert self.begun.wait(30)

    def _listen(self, event: events.Event) -> None:
        if isinstance(event, events.StageStarted):
            self.begun.set()
            assert self.go.wait(30)

    def finish(self) -> Report:
        self.go.set()
        return self.report.result(30)


def test_exactly_one_changes_and_the_other_says_who_holds_it_and_since_when(
    here: Fleet, there: Fleet, pool: ThreadPoolExecutor
) -> None:
    first = AtWork(here, pool)
    with pytest.raises(RefusedError) as caught:
        there.run(Demo(there.hosts).module())
    assert caught.value.code == ExitCode.REFUSED
    assert caught.value.where == FIRST
    assert "is being changed by " in caught.value.what
    assert f"(`kbz run demo`) {WHEN}" in caught.value.what
    assert "--wait SECONDS" in caught.value.hint
    assert there.heard.events == []
    assert there.workspace.journal.runs() == ()
    assert {item.outcome for item in first.finish().hosts.values()} == {Outcome.CHANGED}
    again = there.run(Demo(there.hosts).module())
    assert {item.outcome for item in again.hosts.values()} == {Outcome.OK}


def test_one_member_is_enough_to_meet(here: Fleet, there: Fleet, pool: ThreadPoolExecutor) -> None:
    first = AtWork(here, pool)
    with pytest.raises(RefusedError, match="is being changed by"):
        there.run(Demo(there.hosts).module(), only=(HOSTS[2],))
    first.finish()


def test_a_command_is_refused_on_each_host_that_is_held(
    here: Fleet, there: Fleet, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    first = AtWork(here, pool)
    trace = tmp_path / "ran"
    results = execute_everywhere(there.workspace, ("db",), ("touch", str(trace)), 20.0)
    assert {result.host: result.outcome for result in results} == dict.fromkeys(
        HOSTS, Outcome.REFUSED
    )
    assert worst(results) == ExitCode.REFUSED
    assert all(WHEN in result.what for result in results)
    assert not trace.exists()
    first.finish()


def test_the_other_can_wait(here: Fleet, there: Fleet, pool: ThreadPoolExecutor) -> None:
    first = AtWork(here, pool)
    second = pool.submit(there.run, Demo(there.hosts).module(), wait=60)
    assert not second.done()
    first.finish()
    assert second.result(60).exit_code == ExitCode.GOOD


def test_a_site_that_changed_while_it_waited_is_read_again_by_another_command(
    here: Fleet, there: Fleet, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("old")
    site = replace(there.site, sources=sources_of([file]))
    there = replace(there, workspace=replace(there.workspace, site=site))
    first = AtWork(here, pool)
    second = pool.submit(there.run, Demo(there.hosts).module(), wait=60)
    until(lambda: bool(there.nornir.inventory.hosts[FIRST].connections), "the second to connect")
    file.write_text("new")
    first.finish()
    with pytest.raises(RefusedError, match="the site changed") as caught:
        second.result(60)
    assert caught.value.where == str(file)
    assert there.heard.events == []
    assert there.workspace.journal.runs() == ()
    here.run(Demo(here.hosts).module())  # its leases are free again


def test_a_stop_ends_the_wait(here: Fleet, there: Fleet, pool: ThreadPoolExecutor) -> None:
    first = AtWork(here, pool)
    second = pool.submit(there.run, Demo(there.hosts).module(), wait=600)
    there.workspace.stop.set()
    with pytest.raises(StoppedError, match="nothing was changed"):
        second.result(30)
    first.finish()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path / "one") as made:
        yield made


def opened(host: OneHost) -> Session:
    """Return a session of its own, as another controller has one."""
    host.probe()
    return host.session


@pytest.fixture
def two(host: OneHost, tmp_path: Path) -> Iterator[tuple[Session, Session]]:
    """Two controllers' sessions with one host."""
    with command(tmp_path / "other", {"db-master-01": host.scratch}, "kbz") as other:
        theirs = OneHost(host.scratch, other.site, other.nornir)
        yield opened(host), opened(theirs)


def test_a_lease_ends_with_its_agent(two: tuple[Session, Session]) -> None:
    mine, theirs = two
    hold(mine, ALICE)
    hold(mine, ALICE)
    with pytest.raises(HeldError, match=r"alice as root on install-01 \(`kbz run demo`\)"):
        hold(theirs, BOB)
    mine.close()
    until(lambda: _gets(theirs, BOB), "the first agent to end")


def test_a_lease_can_be_given_back(two: tuple[Session, Session]) -> None:
    mine, theirs = two
    hold(mine, ALICE)
    give_back(mine)
    until(lambda: _gets(theirs, BOB), "the lease to be given back")


def test_a_command_does_not_stand_in_its_own_way(two: tuple[Session, Session]) -> None:
    """A connection that replaces a lost one meets the lost one's agent, which has not ended yet."""
    lost, new = two
    hold(lost, ALICE)
    hold(new, replace(ALICE, verb="kbz run again"))
    lost.close()
    until(lambda: '"kbz run again"' in _holder_text(new), "the new agent to hold it")


def _gets(session: Session, claim: Claim) -> bool:
    try:
        hold(session, claim)
    except HeldError:
        return False
    return True


def _holder_text(session: Session) -> str:
    return session.execute(["cat", "/run/kbz/lease"], timeout=20).stdout


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x1b[2J\x07\x9b31m",
        b"{" * 900,
        b'{"who": "a\\u001b[2Jb", "controller": "\\u202e", "verb": "x", "since": 1}',
        b'{"who": 1, "controller": [], "verb": {}, "since": "never"}',
        b"\xff" * 5000,
    ],
)
def test_what_a_host_says_of_a_holder_is_data(host: OneHost, said: bytes) -> None:
    session = opened(host)
    file = host.scratch.root / "run" / "kbz" / "lease"
    file.parent.mkdir()
    with file.open("wb") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        lease.write(said)
        lease.flush()
        with pytest.raises(HeldError) as caught:
            hold(session, BOB)
    assert caught.value.what.isprintable()
    assert len(caught.value.what) < 300


def guard(folder: Path, proof: Proof, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """Run the guard of single commands on a machine whose /run is a folder."""
    words = f"mount --bind {folder} /run && {guarded(argv, 20.0, proof)}"
    command = ["unshare", "--mount", "sh", "-c", words]
    stays, ends = os.pipe()  # the guard ends the command when its standard input ends
    try:
        return subprocess.run(command, stdin=stays, capture_output=True, timeout=60, check=False)
    finally:
        os.close(stays)
        os.close(ends)


def test_a_command_without_the_agent_holds_the_lease(tmp_path: Path) -> None:
    read = 'cat /run/kbz/lease; flock --nonblock /run/kbz/lease true || echo "is held"'
    done = guard(tmp_path, Proof(holder=ALICE.text()), "sh", "-c", read)
    assert done.stdout.partition(b"\n")[2].decode() == f"{ALICE.text()}is held\n"
    with (tmp_path / "kbz" / "lease").open() as lease:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_command_without_the_agent_says_who_holds_it(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tmp_path / "kbz").mkdir()
    with (tmp_path / "kbz" / "lease").open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        lease.write(ALICE.text())
        lease.flush()
        done = guard(tmp_path, Proof(holder=BOB.text()), "touch", str(trace))
    told = done.stdout.decode()
    assert not trace.exists()
    assert json.loads(told.partition("held - ")[2])["who"] == "alice as root"
    with pytest.raises(ContactError, match=r"alice as root on install-01 \(`kbz run demo`\)"):
        answering(done.stdout).execute(["touch", str(trace)])


def answering(stdout: bytes) -> Shell:
    """Return a shell of a host whose guard says this."""
    from tests.flow.transport.test_shell import Spoken

    return Shell(
        lambda words: Spoken(stdout, 0),
        lambda: None,
        where="web-01",
        hide=lambda value: value,
        meeting=Meeting(),
    )
