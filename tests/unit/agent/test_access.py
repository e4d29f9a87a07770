"""How far each reading goes is said once by the model and once by the agent; and what a look may ask, word by word."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import keybuzz.model
from keybuzz.agent import parts
from keybuzz.agent.guard import access, questions
from keybuzz.agent.guard.access import LookOnlyError
from keybuzz.agent.guard.looks import Guard
from keybuzz.agent.readings import table
from keybuzz.agent.runtime.frames import FrameError
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.access import Access, Asked

ASKED = b"BEGIN READ ONLY;\nselect 1;\nCOMMIT;\n"
PSQL = ["psql", "-h", "/var/run/postgresql", "-f", "-"]
READ_ONLY_PSQL = ["env", "PGOPTIONS=-c default_transaction_read_only=on", "psql", "-c"]
HARMLESS: list[tuple[Any, ...]] = [
    ("open", "/etc/os-release", "r", 0o2000000),
    ("open", "/dev/kmsg", None, 0o4000),
    ("os.posix_spawn", "/bin/systemctl", ["systemctl", "show", "--property=A,B", "docker"], {}),
    ("os.posix_spawn", "/bin/journalctl", ["journalctl", "-u", "k3s", "-n", "2", "-q"], {}),
    ("os.posix_spawn", "/sbin/sshd", ["sshd", "-T"], {}),
    ("os.listdir", "/etc"),
    ("socket.connect", None, ("127.0.0.1", 1)),
    ("kbz.http", "GET", "/containers/json?all=1"),
    ("kbz.http", "POST", "/containers/postgres/exec"),
    ("kbz.http", "POST", "/exec/0af3/start"),
    ("kbz.container", PSQL, ASKED),
    ("kbz.container", [*READ_ONLY_PSQL, "SELECT 1"], b""),
    ("kbz.container", ["rabbitmqctl", "-q", "cluster_status", "--formatter", "json"], b""),
    ("kbz.redis", "AUTH", "x"),
    ("kbz.redis", "info", "replication"),
    ("kbz.redis", "CONFIG", "GET", "save"),
    ("kbz.redis", "SENTINEL", "CONFIG", "GET", "announce-ip"),
    ("kbz.mysql", "SELECT 1"),
    ("kbz.mysql", "SHOW GRANTS FOR 'x'@'%'"),
    ("kbz.postgres", "BEGIN READ ONLY; select pg_is_in_recovery(); COMMIT"),
    ("kbz.socket", "show stat"),
]
HARMFUL: list[tuple[Any, ...]] = [
    ("open", "/etc/hosts", "w", 0o1101),
    ("open", "/etc/hosts", None, 0o1),
    ("open", "/etc/hosts", None, 0o2),
    ("open", "/run/new", None, 0o100),
    ("open", 7, "wb", 0o1),
    ("os.mkdir", "/run/sshd", 0o755, -1),
    ("os.rename", "a", "b", -1, -1),
    ("os.remove", "a", -1),
    ("os.chown", 7, 0, 0, -1),
    ("os.kill", 1, 9),
    ("os.system", b"reboot"),
    ("os.exec", "/bin/sh", [], None),
    ("os.posix_spawn", "/bin/sh", ["sh", "-c", "reboot"], {}),
    ("os.posix_spawn", "/bin/systemctl", ["systemctl", "restart", "docker"], {}),
    ("os.posix_spawn", "/bin/systemctl", ["systemctl", "show", "-H", "root@other"], {}),
    ("os.posix_spawn", "/bin/systemctl", ["systemctl"], {}),
    ("kbz.http", "POST", "/containers/create?name=x"),
    ("kbz.http", "POST", "/containers/postgres/restart"),
    ("kbz.http", "DELETE", "/containers/postgres"),
    ("kbz.http", "PATCH", "/api/v1/nodes/k3s-master-01"),
    ("kbz.http", "PUT", "/bucket?versioning="),
    ("kbz.container", ["sh", "-c", "rm -rf /"], b""),
    ("kbz.container", PSQL, b"ALTER ROLE x SUPERUSER"),
    ("kbz.container", [*READ_ONLY_PSQL, "SELECT 1; DROP TABLE x"], b""),
    ("kbz.container", [*READ_ONLY_PSQL, "SET x = 1"], b""),
    ("kbz.container", ["rabbitmqctl", "-q", "stop_app"], b""),
    ("kbz.redis", "SET", "x", "y"),
    ("kbz.redis", "CONFIG", "SET", "save", ""),
    ("kbz.redis", "SENTINEL", "FAILOVER", "mymaster"),
    ("kbz.redis", "SENTINEL", "CONFIG", "SET", "announce-ip", ""),
    ("kbz.redis", "ACL", "SETUSER", "default"),
    ("kbz.redis", "DEBUG", "SLEEP", "1"),
    ("kbz.mysql", "INSERT INTO t VALUES (1)"),
    ("kbz.mysql", "SELECT 1 INTO OUTFILE '/tmp/x'"),
    ("kbz.mysql", "SELECT * FROM t FOR UPDATE"),
    ("kbz.postgres", "select 1"),
    ("kbz.postgres", "BEGIN READ ONLY; select 1; COMMIT; drop table x; COMMIT"),
    ("kbz.postgres", "BEGIN READ ONLY; select txid_current(); COMMIT"),
    ("kbz.postgres", "BEGIN READ ONLY; select pg_current_xact_id (); COMMIT"),
    ("kbz.socket", "disable server a/b"),
    ("kbz.socket", "show stat;disable server a/b"),
    ("kbz.dragon", "what do you guard"),
]
PROBES: list[tuple[Any, ...]] = [
    ("kbz.redis", "SET", "kbz:probe:haproxy-01", "kbz", "EX", "60"),
    ("kbz.redis", "GET", "kbz:probe:haproxy-01"),
    ("kbz.http", "PATCH", "/config"),
]


def test_the_words_are_the_same_on_both_sides() -> None:
    assert [item.value for item in Access] == [access.LOOK, access.PROBE, access.CHANGE]
    assert Access.CHANGE.allows(Access.PROBE)
    assert not Access.LOOK.allows(Access.PROBE)
    with pytest.raises(FrameError, match="none of"):
        access.parse("everything")


def readings(below: type[Asked] = Asked) -> Iterator[type[Asked]]:
    """Yield every kind of reading of the product: those here, and those of the modules."""
    for found in below.__subclasses__():
        if found.__module__.startswith(("keybuzz.", "tasks.")) and not inspect.isabstract(found):
            yield found
        yield from readings(found)


def test_every_reading_says_how_far_it_goes_and_the_agent_says_the_same() -> None:
    for entry in walk_packages(keybuzz.model.__path__, "keybuzz.model."):
        import_module(entry.name)
    assert all_modules()
    said: dict[str, str] = {}
    for reading in readings():
        found = re.search(r'"kind": "([a-z0-9-]+)"', inspect.getsource(reading.query))
        assert found, reading
        said[found[1]] = reading.needs.value
    assert said == {kind: table.needed(kind) for kind in table.kinds()}
    assert set(said.values()) == {"look", "probe", "change"}


def test_what_has_a_place_of_its_own_is_a_kind_that_there_is() -> None:
    assert set(parts.table(parts.PLACES)) <= {*parts.table(parts.KINDS), *table.kinds()}


@pytest.mark.parametrize("level", [access.LOOK, access.PROBE])
@pytest.mark.parametrize("told", HARMLESS, ids=str)
def test_what_only_looks_is_let_through(told: tuple[Any, ...], level: str) -> None:
    Guard(level)(told[0], told[1:])


@pytest.mark.parametrize("level", [access.LOOK, access.PROBE])
@pytest.mark.parametrize("told", HARMFUL, ids=str)
def test_what_changes_something_is_refused(told: tuple[Any, ...], level: str) -> None:
    with pytest.raises(LookOnlyError, match="is refused: this session"):
        Guard(level)(told[0], told[1:])


@pytest.mark.parametrize("told", PROBES, ids=str)
def test_a_probe_is_written_by_a_session_for_probes_only(told: tuple[Any, ...]) -> None:
    Guard(access.PROBE)(told[0], told[1:])
    with pytest.raises(LookOnlyError, match="only looks"):
        Guard(access.LOOK)(told[0], told[1:])


def test_a_probe_writes_its_own_key_only() -> None:
    with pytest.raises(LookOnlyError):
        Guard(access.PROBE)("kbz.redis", ("SET", "sessions", "x"))


def test_a_refusal_tells_no_secret() -> None:
    for told in (("kbz.mysql", "ALTER USER x IDENTIFIED BY 'Kx81'"), ("kbz.redis", "SET", "Kx81")):
        with pytest.raises(LookOnlyError) as caught:
            Guard(access.LOOK)(told[0], told[1:])
        assert "Kx81" not in caught.value.what


def test_the_questions_of_postgresql_begin_as_they_are_judged() -> None:
    assert ASKED.decode().startswith(questions.READ_ONLY)
