"""A host's lease costs no round trip, passes from one connection to the next without a gap, and outlives no machine."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from keybuzz.agent.runtime.frames import json_frame, life_frame
from keybuzz.engine.change.rotate import with_credentials
from keybuzz.engine.memory.claims import claimed
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.secret import Secret
from keybuzz.transport.bundle import preamble
from keybuzz.transport.identity import identities
from keybuzz.transport.link import LinkOptions, Target, renewed_session
from keybuzz.transport.local import LocalLink
from keybuzz.transport.machine_pins import Pin
from keybuzz.transport.meeting import Claim, CutError, HeldError, Meeting, hold
from keybuzz.transport.session import Session
from keybuzz.transport.stream import Stream
from tests.flow.support.agent_host import NAME, OneHost, close, one_host
from tests.flow.support.fleet import HOSTS, Demo, Fleet, command, fleet
from tests.flow.support.sshd import until

ALICE = Claim("alice", "install-01", "kbz run demo", 1_800_000_000.0)
BOB = Claim("bob", "spare-01", "kbz run demo", 1_800_000_005.0)
SHORT = 1.0
"""Seconds of silence that a test waits for."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path / "hosts") as made:
        yield made


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path / "one") as made:
        yield made


@pytest.fixture
def other(host: OneHost, tmp_path: Path) -> Iterator[Session]:
    """Another controller's session with the same host."""
    with command(tmp_path / "other", {NAME: host.scratch}, "kbz") as there:
        theirs = OneHost(host.scratch, there.site, there.nornir)
        theirs.probe()
        yield theirs.session


def lock(host: OneHost, name: str) -> IO[bytes]:
    folder = host.scratch.root / "run" / "kbz"
    folder.mkdir(exist_ok=True)
    return (folder / name).open("ab")


def taken(file: IO[bytes]) -> bool:
    """Return whether the lock was free; it is held then."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_run_that_changes_nothing_asks_each_host_once(here: Fleet) -> None:
    demo = Demo(here.hosts).module()
    here.run(demo)
    close(here.nornir)
    report = here.run(demo)
    assert report.round_trips == dict.fromkeys(HOSTS, 1)
    assert not report.plan.size


def test_of_two_controllers_that_begin_at_once_one_gets_all(here: Fleet, tmp_path: Path) -> None:
    barrier = threading.Barrier(2)
    said: list[str] = []

    def begin(controller: Fleet) -> bool:
        close(controller.nornir)
        barrier.wait(30)
        try:
            with claimed(controller.workspace, "kbz run", frozenset(HOSTS)):
                barrier.wait(30)
        except RefusedError as refused:
            said.append(refused.what)
            barrier.wait(30)
            return False
        return True

    with (
        command(tmp_path / "there", here.hosts, "kbz run demo") as there,
        ThreadPoolExecutor(2) as pool,
    ):
        for _ in range(4):
            assert sorted(pool.map(begin, (here, there))) == [False, True]
    assert [words.startswith("is being changed by") for words in said] == [True] * 4


def test_a_new_connection_holds_the_lease_before_the_one_before_ends(host: OneHost) -> None:
    """As sshd and the firewall are confirmed, while another controller tries to take it all the time."""
    meeting: Meeting = host.nornir.config.user_defined["meeting"]
    meeting.claim = ALICE
    stolen, over = threading.Event(), threading.Event()

    def steal() -> None:
        with lock(host, "lease.turn") as turn, lock(host, "lease") as lease:
            while not over.wait(0.001):
                if taken(turn):
                    if taken(lease):
                        stolen.set()
                        return
                    fcntl.flock(turn, fcntl.LOCK_UN)

    agents = set()
    host.probe()
    thief = threading.Thread(target=steal)
    thief.start()
    try:
        for _ in range(8):
            done = host.nornir.run(task=lambda task: agents.add(renewed_session(task).agent.pid))
            done.raise_on_error()
    finally:
        over.set()
        thief.join(30)
    assert len(agents) == 8
    assert not stolen.is_set()


def test_the_connection_before_stays_when_no_new_one_opens(
    host: OneHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.probe()
    before = host.session
    extras = host.nornir.inventory.hosts[NAME].connection_options["kbz_local"].extras
    assert extras is not None
    monkeypatch.setitem(extras, "python", "/no/python")
    done = host.nornir.run(task=renewed_session, on_failed=True)
    assert isinstance(done[NAME][0].exception, ContactError)
    assert host.session is before
    assert before.execute(["echo", "here"], timeout=20).stdout == "here\n"


def test_while_a_command_is_cut_off_no_connection_opens_nor_one_that_had_begun_to(
    host: OneHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on to its step, and its lease may be given back."""
    meeting: Meeting = host.nornir.config.user_defined["meeting"]
    opened = list[Session]()
    meet = meeting.meet

    def cut_meanwhile(server: str, session: Session) -> None:
        meet(server, session)
        opened.append(session)
        with meeting.closed():
            pass

    def error() -> BaseException | None:
        done = host.nornir.run(task=renewed_session, on_failed=True)
        host.nornir.data.reset_failed_hosts()
        found: BaseException | None = done[NAME][0].exception
        return found

    with meeting.closed():
        assert isinstance(error(), CutError)
    with monkeypatch.context() as patched:
        patched.setattr(meeting, "meet", cut_meanwhile)
        assert isinstance(error(), CutError)
    (session,) = opened
    with pytest.raises(ContactError):
        session.execute(["true"], timeout=20)
    assert error() is None


def test_other_credentials_keep_the_connections_and_are_masked_there(here: Fleet) -> None:
    here.run(Demo(here.hosts).module())
    before = {name: found.connections for name, found in here.nornir.inventory.hosts.items()}
    sessions = {name: found["kbz_local"].connection for name, found in before.items()}
    now = with_credentials(here.workspace, {"redis": Secret("redis", "Qm7vT2xLr9wZ")})
    for name, session in sessions.items():
        assert now.nornir.inventory.hosts[name].connections["kbz_local"].connection is session
        assert "Qm7vT2xLr9wZ" not in session.execute(["echo", "Qm7vT2xLr9wZ"], timeout=20).stdout


@contextmanager
def silent(host: OneHost, claim: Claim) -> Iterator[Stream]:
    """A controller that has lost its power: it holds the lease, says nothing, and closes nothing."""
    link = LocalLink()
    options = LinkOptions(NAME, python=str(host.scratch.python))
    stream = link.connect(Target("127.0.0.1", 22, "root", options))
    terms = {**claim.terms(), "address": "", "pin": "", "names": []}
    opening = json_frame({"open": {"access": "change", "lease": terms}})
    stream.write(preamble() + opening, time.monotonic() + 20)
    try:
        until(lambda: not free(host), "the lease to be held")
        yield stream
    finally:
        stream.close()


def free(host: OneHost) -> bool:
    with lock(host, "lease") as lease:
        return taken(lease)


def test_a_lease_ends_by_itself_when_its_controller_has_lost_its_power(
    host: OneHost, other: Session
) -> None:
    with silent(host, replace(ALICE, silence=SHORT)):
        with pytest.raises(HeldError) as caught:
            hold(other, BOB)
        assert "alice on install-01" in caught.value.what
        assert "by itself 60 s after its machine or its network has failed" in caught.value.hint
        until(lambda: free(host), "the silent controller's agent to end")
        hold(other, BOB)


def test_signs_of_life_keep_it_in_the_middle_of_a_request_and_between_two(
    host: OneHost, other: Session
) -> None:
    host.probe()
    mine = host.session
    hold(mine, replace(ALICE, silence=SHORT))
    begun = time.monotonic()
    assert mine.execute(["sleep", str(3 * SHORT)], timeout=20).exit_code == 0
    until(lambda: time.monotonic() > begun + 6 * SHORT, "time to pass")
    with pytest.raises(HeldError):
        hold(other, BOB)
    assert mine.execute(["echo", "here"], timeout=20).stdout == "here\n"


def test_a_sign_of_life_is_enough(host: OneHost) -> None:
    with silent(host, replace(ALICE, silence=SHORT)) as stream:
        begun = time.monotonic()

        def over() -> bool:
            stream.write(life_frame(), time.monotonic() + 20)
            return time.monotonic() > begun + 3 * SHORT

        until(over, "time to pass")
        assert not free(host)


@pytest.mark.parametrize(
    "wrong", [("10.0.0.123", "", ()), ("", "f" * 32, ()), ("", "", ("some-other-name",))]
)
def test_a_machine_that_is_not_meant_does_not_touch_its_lease(
    host: OneHost, wrong: tuple[str, str, tuple[str, ...]]
) -> None:
    address, pin, names = wrong
    terms = {**ALICE.terms(), "address": address, "pin": pin, "names": list(names)}
    stream = LocalLink().connect(
        Target("127.0.0.1", 22, "root", LinkOptions(NAME, python=str(host.scratch.python)))
    )
    opening = json_frame({"open": {"access": "change", "lease": terms}})
    stream.write(preamble() + opening, time.monotonic() + 20)
    assert stream.read_exactly(
        1, time.monotonic() + 20
    )  # the greeting: the lease was looked at before it
    assert not (host.scratch.root / "run" / "kbz").exists()
    stream.close()


def test_what_is_meant_goes_with_the_first_frame() -> None:
    meeting = Meeting(
        identities([(NAME, "10.0.0.120", ("db",))], {"10.0.0.120": Pin("a", "q")}, {})
    )
    assert meeting.opening(NAME) is None
    meeting.claim = ALICE
    assert meeting.opening(NAME) == {
        "holder": ALICE.text(),
        "token": ALICE.token,
        "silence": 60.0,
        "address": "10.0.0.120",
        "pin": "a",
        "names": ["db", "db-master-01", "q"],
    }
    assert meeting.opening("unknown") == {**ALICE.terms(), "address": "", "pin": "", "names": []}
