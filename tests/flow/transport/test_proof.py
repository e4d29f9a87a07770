"""Nothing is asked of a machine that is not the one that was meant: by its address, its name and its machine id."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from nornir.core.configuration import Config

from keybuzz.agent.host.machine import addresses, machine_id
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError
from keybuzz.transport.identity import Identities, identities
from keybuzz.transport.link import session_of
from keybuzz.transport.machine_pins import Pin
from keybuzz.transport.meeting import Claim, Meeting
from keybuzz.transport.session import Session
from keybuzz.transport.shell import Shell
from tests.flow.support.connections import SHELL_LINK, Loopback

HOST = "web-01"
"""What the host behind the loopback is called in the inventory."""
OTHER = "f" * 32
CLAIM = Claim("alice", "install-01", "run redis", 1_800_000_000.0)
Server = tuple[str, str, tuple[str, ...]]


@pytest.fixture
def own() -> str:
    """An address of this machine."""
    found = addresses()
    if not found:
        pytest.skip("this machine has no address but those on loopback")
    return found[0]


def meeting(known: Identities, claim: Claim | None = None) -> Config:
    """Return a configuration whose connections must prove what is known."""
    made = Meeting(known)
    made.claim = claim
    return Config(user_defined={"meeting": made, "access": Access.CHANGE})


def known(address: str, pin: str = "", *names: str, others: tuple[Server, ...] = ()) -> Identities:
    """Return what the host is known by."""
    pins = {address: Pin(pin, HOST)} if pin else {}
    return identities([(HOST, address, names), *others], pins, {})


def open_session(loopback: Loopback, link: str, config: Config) -> Session:
    """Open the agent's session as a task does."""
    return session_of(loopback.host(link), link, config)


def open_shell(loopback: Loopback, config: Config) -> Shell:
    """Open what runs single commands."""
    found: Shell = loopback.host(SHELL_LINK).get_connection(SHELL_LINK, config)
    return found


def test_the_right_machine_is_asked(loopback: Loopback, link: str, own: str) -> None:
    session = open_session(loopback, link, meeting(known(own, machine_id())))
    assert session.execute(["echo", "here"], timeout=20).stdout == "here\n"
    assert session.agent.machine.name == os.uname().nodename


WRONG: dict[str, tuple[Callable[[str], Identities], str]] = {
    "address": (lambda own: known("10.0.0.123"), "10.0.0.123 is on none of its interfaces"),
    "an address on lo": (lambda own: known("127.0.0.1"), "127.0.0.1 is on none of its interfaces"),
    "machine id": (lambda own: known(own, OTHER), "THE MACHINE HAS CHANGED"),
    "another server's name": (
        lambda own: known(own, others=(("redis-02", "10.0.0.124", (os.uname().nodename,)),)),
        "it calls itself redis-02",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_another_machine_is_refused_before_anything_is_asked(
    loopback: Loopback, link: str, own: str, what: str
) -> None:
    wrong, said = WRONG[what]
    with pytest.raises(ContactError, match=said) as caught:
        open_session(loopback, link, meeting(wrong(own)))
    assert (caught.value.where, bool(caught.value.hint)) == (HOST, True)


def test_another_name_may_be_looked_at_and_is_not_changed(
    loopback: Loopback, link: str, own: str
) -> None:
    open_session(loopback, link, meeting(known(own)))
    with pytest.raises(ContactError, match="a machine of another name is not changed") as caught:
        open_session(loopback, link, meeting(known(own), CLAIM))
    assert f"kbz hosts trust {HOST}" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "pin", "said"),
    [
        ("10.0.0.123", "", "10.0.0.123 is on none of its interfaces"),
        ("", OTHER, "THE MACHINE HAS CHANGED"),
        ("", "", "a machine of another name is not changed"),
    ],
)
def test_a_command_without_the_agent_proves_the_same_first(
    loopback: Loopback, own: str, tmp_path: Path, address: str, pin: str, said: str
) -> None:
    trace = tmp_path / "ran"
    shell = open_shell(loopback, meeting(known(address or own, pin), CLAIM))
    with pytest.raises(ContactError, match=said) as caught:
        shell.execute(["touch", str(trace)], timeout=20)
    assert (caught.value.where, trace.exists()) == (HOST, False)


def test_a_command_without_the_agent_runs_on_the_right_machine(
    loopback: Loopback, own: str
) -> None:
    config = meeting(known(own, "", os.uname().nodename))
    done = open_shell(loopback, config).execute(["echo", "here"], timeout=20)
    assert (done.exit_code, done.stdout) == (0, "here\n")
    pinned = meeting(known(own, machine_id()))
    assert open_shell(loopback, pinned).execute(["true"], timeout=20).exit_code == 0
