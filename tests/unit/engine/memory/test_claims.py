"""What a lease tells others of the command that holds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift.drift import DriftRequest, drift
from keybuzz.engine.memory.claims import claimed, claimed_when_met, meeting_of
from keybuzz.engine.memory.forgetful import open_journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError
from keybuzz.transport.identity import Machine
from keybuzz.transport.machine_pins import Pin, write_pins
from tests.unit.engine.memory.test_forgetful import HOSTS, REDIS
from tests.unit.support.scripted_hosts import SITE, Script, scripted
from tests.unit.support.site_values import planted

UNKNOWN = "NeedleOfNoStore1"


def workspace(state: Path, command: str) -> Workspace:
    site = replace(SITE, settings=replace(SITE.settings, state=state))
    journal = open_journal(state / "journal.sqlite", 2)
    return Workspace(site, scripted(Script()), journal, lambda event: None, command)


@pytest.mark.parametrize("secret", [planted("REDIS_PASSWORD"), UNKNOWN])
def test_a_secret_that_was_typed_is_told_to_nobody(tmp_path: Path, secret: str) -> None:
    typed = workspace(tmp_path, f"kbz exec --limit redis -- redis-cli --pass {secret} INFO")
    with claimed_when_met(typed, "kbz exec", HOSTS):
        assert secret not in (tmp_path / "leases" / "redis.lease").read_text()
        report = drift(workspace(tmp_path, "kbz drift"), DriftRequest(REDIS, HOSTS, all_modules()))
        assert any("kbz exec" in warning for warning in report.warnings)
        assert not [warning for warning in report.warnings if secret in warning]
        with (
            pytest.raises(KbzError, match="kbz exec") as refused,
            claimed(workspace(tmp_path, "kbz run redis"), "kbz run redis", HOSTS),
        ):
            raise AssertionError("it began")
    assert secret not in str(refused.value)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite*"))
    assert secret.encode() not in kept


@pytest.mark.parametrize("held", [claimed, claimed_when_met])
def test_what_was_pinned_meanwhile_of_its_hosts_is_seen(
    tmp_path: Path, held: Callable[..., AbstractContextManager[None]]
) -> None:
    """Its own pin is nothing new, and neither is one of a host of another cluster."""
    made = workspace(tmp_path, "kbz run redis")
    settings = replace(made.site.settings, known_hosts=tmp_path / "known_hosts")
    work = replace(made, site=replace(made.site, settings=settings))
    addresses = {server.name: str(server.address) for server in SITE.servers}
    file = tmp_path / "known_machines"
    write_pins(file, {addresses["db-master-01"]: Pin("b" * 32, "db-master-01")})
    with held(work, "kbz run", HOSTS):
        pass
    write_pins(file, {addresses["redis-02"]: Pin("a" * 32, "redis-02")})
    with pytest.raises(RefusedError, match="the site changed") as caught, held(work, "x", HOSTS):
        raise AssertionError("it began")
    assert caught.value.where == str(file)
    meeting_of(work).saw("redis-02", Machine("redis-02", id="a" * 32))
    with held(work, "kbz run", HOSTS):
        pass


@pytest.mark.parametrize("first", ["maria-02", "proxysql-01"])
def test_a_cluster_and_the_entry_that_it_leads_elsewhere_are_not_changed_at_the_same_time(
    tmp_path: Path, first: str
) -> None:
    """A run about a Galera member leads writers away from it; a ProxySQL that restarts then would not."""
    second = ({"maria-02", "proxysql-01"} - {first}).pop()
    with claimed(workspace(tmp_path, f"kbz run --limit {first}"), "kbz run", frozenset({first})):
        with (
            pytest.raises(RefusedError, match=r"proxysql is held by .*kbz run --limit"),
            claimed(workspace(tmp_path, "kbz run"), "kbz run", frozenset({second})),
        ):
            raise AssertionError("it began")
        with claimed(workspace(tmp_path, "kbz run"), "kbz run", HOSTS):
            pass


def test_the_entry_is_held_on_its_hosts_too(tmp_path: Path) -> None:
    """Another controller meets it there."""
    script = Script()
    made = replace(workspace(tmp_path, "kbz restart galera"), nornir=scripted(script))
    with claimed(made, "kbz restart galera", frozenset({"maria-02"})):
        pass
    assert {"maria-01", "maria-03", "proxysql-01", "proxysql-02"} <= script.dialed
    assert "redis-01" not in script.dialed
