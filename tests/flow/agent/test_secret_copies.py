"""Copies of credentials on a host: found by the host itself, which answers paths and names and nothing else."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from keybuzz.engine.drift.secret_copies import (
    PATTERNS,
    CopiesReport,
    Copy,
    copies,
    judge,
    reading,
    unread,
)
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.model.core.finding import Level
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.reading import Answer, SecretCopies
from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.site.module import Description
from tests.flow.support.agent_host import NAME, OneHost, one_host

VALUES = {
    "POSTGRES_APP_PASS": "PlantedNeedleForTheApplication",
    "REDIS_PASSWORD": "PlantedNeedle/For=Redis:and,more",
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path, VALUES) as made:
        yield made


def question(host: OneHost, *more: str) -> SecretCopies:
    names = ("POSTGRES_APP_PASS", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD")
    values = tuple(Secret(name, value) for name, value in VALUES.items())
    key = DigestKey(secrets.token_bytes(32))
    patterns = (f"{host.files}/*", f"{host.files}/.*", *more)
    return SecretCopies("copies", patterns, names, ("stripe.env",), key, values)


def answer_of(host: OneHost, *more: str) -> Answer:
    described = {NAME: HostDescription({"t": Description((), (question(host, *more),))}, ())}
    answer = observe(host.nornir, described).observations[NAME].answers["copies"]
    assert answer.known, answer.problem
    return answer


def asked(host: OneHost) -> dict[str, Copy]:
    """Ask the host, and make sure that no content came back."""
    answer = answer_of(host)
    assert unread(NAME, answer) == ()
    text = json.dumps(answer.value)
    assert "PlantedNeedle" not in text
    assert "older-value" not in text
    return {Path(copy.path).name: copy for copy in copies(answer)}


def write(host: OneHost, name: str, text: str | bytes, mode: int = 0o600) -> Path:
    path = host.files / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "path",
    [
        "/opt/shop/site_config.json",
        "/opt/erp/sites/one/site_config.json",
        "/root/.bash_history",
        "/home/ops/.my.cnf",
        "/root/.pgpass",
        "/etc/crontab",
        "/etc/cron.d/dump",
        "/var/spool/cron/crontabs/root",
    ],
)
def test_it_looks_where_people_put_them(path: str) -> None:
    """S-45: only /tmp/mariadb.env was found."""
    assert [p for p in PATTERNS if fnmatchcase(path, p) and p.count("/") == path.count("/")]


def test_values_in_configurations_and_histories_are_copies(host: OneHost) -> None:
    value = VALUES["POSTGRES_APP_PASS"]
    write(host, "site_config.json", json.dumps({"db_password": value}))
    write(host, "history", f"ls\nmysql -h 10.0.0.10 -p{value} erp\n")
    write(host, ".my.cnf", f"[client]\npassword = {value}\n")
    write(host, "crontab", f"@daily root PGPASSWORD={value} /opt/dump.sh\n")
    write(host, "innocent", "mysql -h 10.0.0.10 -p erp\n")
    found = asked(host)
    assert set(found) == {"site_config.json", "history", ".my.cnf", "crontab"}
    assert all(copy.current == ("POSTGRES_APP_PASS",) for copy in found.values())


def test_a_copy_is_known_by_its_names_and_its_values(host: OneHost) -> None:
    write(host, "redis.env", "REDIS_SENTINEL_PASSWORD=older-value-of-it\n", 0o644)
    write(host, ".hidden.env", f"export PGPASSWORD='{VALUES['POSTGRES_APP_PASS']}'\n")
    write(host, "notes.txt", f"the url is redis://:{VALUES['POSTGRES_APP_PASS']}@10.0.0.10\n")
    write(host, "equals.env", f"X={VALUES['REDIS_PASSWORD']}\r\n")
    write(host, "stripe.env", "whatever=1\n")
    write(host, "other.env", "PATH=/usr/bin\nLANG=C\n")
    found = asked(host)
    assert set(found) == {"redis.env", ".hidden.env", "notes.txt", "equals.env", "stripe.env"}
    assert found["redis.env"].names == ("REDIS_SENTINEL_PASSWORD",)
    assert found["redis.env"].current == ()
    assert found["redis.env"].mode == "644"
    assert found["redis.env"].open
    assert found[".hidden.env"].current == ("POSTGRES_APP_PASS",)
    assert found["notes.txt"].current == ("POSTGRES_APP_PASS",)
    assert found["equals.env"].current == ("REDIS_PASSWORD",)
    assert found["stripe.env"].names == ()


def test_links_pipes_folders_and_bytes_are_nothing_to_wait_for(host: OneHost) -> None:
    target = write(host, "..target", f"POSTGRES_APP_PASS={VALUES['POSTGRES_APP_PASS']}\n")
    (host.files / "link.env").symlink_to(target)
    os.mkfifo(host.files / "pipe.env")
    (host.files / "folder.env").mkdir()
    write(host, "bytes.env", b"\xff\xfe\0" * 1000 + b"\nREDIS_PASSWORD=\xff\n")
    found = asked(host)
    assert set(found) == {"..target", "bytes.env"}


def test_a_file_that_could_not_be_read_is_told_and_is_no_good_answer(host: OneHost) -> None:
    """Once it was passed over, and the host had no copy."""
    memory = f"/proc/{os.getpid()}/mem"  # a regular file; reading its first byte is an I/O error
    [finding] = unread(NAME, answer_of(host, memory))
    assert (finding.level, finding.host) == (Level.UNKNOWN, NAME)
    assert f"{memory}: Input/output error" in finding.message
    assert memory in finding.hint
    assert CopiesReport((NAME,), (finding,), {}).exit_code is ExitCode.DIFFERENT


def test_nothing_is_written_and_nothing_deleted(host: OneHost) -> None:
    path = write(host, "redis.env", "REDIS_PASSWORD=x\n")
    before = path.stat()
    asked(host)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def copy(path: str, *names: str, mode: str = "600", uid: int = 0) -> Copy:
    return Copy(path, uid, 0, mode, names, ())


@pytest.mark.parametrize(
    ("server", "found", "level", "words"),
    [
        ("redis-01", copy("/tmp/x.env", "POSTGRES_SUPERPASS"), Level.CRITICAL, "does not need"),
        ("haproxy-01", copy("/root/x.env", "POSTGRES_SUPERPASS"), Level.CRITICAL, "not need"),
        ("haproxy-01", copy("/run/kbz/x", "REDIS_PASSWORD"), Level.WARN, "leaves no file"),
        ("redis-01", copy("/x", "REDIS_PASSWORD", mode="640"), Level.CRITICAL, "others than root"),
        ("redis-01", copy("/x", "REDIS_PASSWORD", uid=1000), Level.CRITICAL, "others than root"),
        ("redis-01", copy("/x/stripe.env"), Level.CRITICAL, "a file of the credential store"),
        (
            "install-01",
            copy("/tmp/x.env", "REDIS_PASSWORD"),
            Level.CRITICAL,
            "outside of the store",
        ),
    ],
)
def test_who_may_hold_what(
    host: OneHost, server: str, found: Copy, level: Level, words: str
) -> None:
    [finding] = judge(host.site.server(server), [found], host.site)
    assert finding.level is level
    assert words in finding.message
    assert found.path in finding.message


def test_the_store_itself_is_no_copy(host: OneHost) -> None:
    store = host.site.settings.credentials
    own = copy(f"{store}/redis.env", "REDIS_PASSWORD")
    assert judge(host.site.server("install-01"), [own], host.site) == ()
    assert judge(host.site.server("db-master-01"), [own], host.site)


def test_each_host_is_asked_under_a_key_of_its_own(host: OneHost) -> None:
    one, two = reading(host.site).query(), reading(host.site).query()
    assert one["key"] != two["key"]
    assert one["key"] != host.site.digest_key.key.hex()
    assert not set(one["digests"]) & set(two["digests"])  # type: ignore[call-overload]  # JSON objects
    assert "PlantedNeedle" not in json.dumps(one)
