"""What a program of one host prints goes into a program of another, all of it or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.backup.report import Worked
from keybuzz.engine.backup.work import work_through
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError
from keybuzz.site.backups.archive import Outflow, Work
from keybuzz.transport.meeting import Meeting
from tests.unit.engine.memory.test_forgetful import workspace
from tests.unit.support.scripted_hosts import SITE
from tests.unit.support.site_values import memory_nornir

SOURCE, TARGET = "maria-02", "backup-01"
LARGE = 9_000_001
"""Bytes, more than all that is held on the way."""
GIVES = f"read -r word; head -c {LARGE} /dev/zero | tr '\\0' x; printf %s $word; printf '\\377'"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    """Two hosts, each with an agent of its own on this machine."""
    made = workspace(tmp_path / "journal.sqlite")
    nornir = memory_nornir(SITE)
    nornir.config.user_defined["meeting"] = Meeting()  # both names are this machine
    yield replace(made, nornir=nornir)
    nornir.close_connections()


def sent(
    work: Workspace, gives: str, takes: str, *, seconds: float = 60.0, silence: float = 60.0
) -> Worked:
    out = Outflow(SOURCE, ("sh", "-c", gives), "the-word\n", silence)
    [worked] = work_through(work, TARGET, (Work("take it", ("sh", "-c", takes), seconds, of=out),))
    return worked


def test_every_byte_arrives_and_the_word_goes_to_the_source(
    work: Workspace, tmp_path: Path
) -> None:
    assert sent(work, GIVES, f"cat >{tmp_path}/taken").good
    taken = (tmp_path / "taken").read_bytes()
    assert len(taken) == LARGE + len("the-word") + 1
    wanted = hashlib.sha256(b"x" * LARGE + b"the-word\xff").hexdigest()
    assert hashlib.sha256(taken).hexdigest() == wanted


def test_a_source_that_fails_after_all_its_output_has_failed(work: Workspace) -> None:
    secret = SITE.secret("REDIS_PASSWORD").reveal()
    worked = sent(work, f"echo whole; echo it broke {secret} >&2; exit 3", "cat >/dev/null")
    assert not worked.good
    assert "maria-02: it broke" in worked.said
    assert secret not in worked.said
    assert sent(work, "echo again", "cat >/dev/null").good, "both sessions are good still"


def test_a_receiver_that_needs_less_does_not_hide_how_the_source_ended(work: Workspace) -> None:
    assert sent(work, GIVES, "head -c 5 >/dev/null").good
    assert not sent(work, f"{GIVES}; exit 9", "head -c 5 >/dev/null").good


def test_a_receiver_that_fails_ends_the_source(work: Workspace, tmp_path: Path) -> None:
    worked = sent(
        work, "while :; do echo more; done", "head -c 5 >/dev/null; echo full >&2; exit 4"
    )
    assert not worked.good
    assert worked.said == "full"
    assert sent(work, "echo again", f"cat >{tmp_path}/taken").good
    assert (tmp_path / "taken").read_text() == "again\n"


def test_a_receiver_that_ends_does_not_wait_for_a_source_that_is_silent(
    work: Workspace, tmp_path: Path
) -> None:
    gives = f"head -c 1000000 /dev/zero; sleep 40; touch {tmp_path}/late; echo x"
    worked = sent(work, gives, "head -c 5 >/dev/null; echo no room >&2; exit 4")
    assert worked.said == "no room"
    assert not (tmp_path / "late").exists(), "the source was waited for"
    assert sent(work, "sleep 1; echo again", f"cat >{tmp_path}/taken").good
    assert (tmp_path / "taken").read_text() == "again\n", "a pause is no end"


@pytest.mark.parametrize("gives", ["sleep 40", "echo some; echo why >&2; sleep 40"])
def test_a_receiver_that_ends_does_not_wait_for_the_first_byte(
    work: Workspace, tmp_path: Path, gives: str
) -> None:
    worked = sent(work, f"{gives}; touch {tmp_path}/late", "echo no room >&2; exit 4")
    assert (worked.exit_code, worked.said) == (4, "no room")
    assert not (tmp_path / "late").exists(), "the source was waited for"
    assert sent(work, "echo again", f"cat >{tmp_path}/taken").good


def test_a_receiver_that_runs_out_of_its_time_is_ended_though_nothing_has_come(
    work: Workspace, tmp_path: Path
) -> None:
    worked = sent(work, f"sleep 40; touch {tmp_path}/late", "cat >/dev/null", seconds=0.5)
    assert worked.exit_code is None
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize("takes", ["cat >{}", "head -c 2 >{}"])
def test_a_source_that_falls_silent_is_ended_and_has_failed(
    work: Workspace, tmp_path: Path, takes: str
) -> None:
    gives = f"printf half; echo waits for a lock >&2; sleep 40; touch {tmp_path}/late"
    worked = sent(work, gives, takes.format(tmp_path / "taken"), silence=0.5)
    assert not worked.good
    assert worked.said == (
        "maria-02: it has printed nothing for 0.5 s and was ended; before: waits for a lock"
    )
    assert not (tmp_path / "late").exists()
    slow = "for n in 1 2 3 4; do sleep 0.3; printf $n; done"
    assert sent(work, slow, f"cat >{tmp_path}/taken", silence=20).good, "a pause is no silence"
    assert (tmp_path / "taken").read_text() == "1234"


def test_a_source_whose_contact_is_lost_is_raised(work: Workspace) -> None:
    with pytest.raises(ContactError, match="maria-02"):
        sent(work, "kill -9 $PPID; sleep 60", "cat >/dev/null")
