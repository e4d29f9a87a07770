"""Rows of docs/states.md that no script on a host makes: a silent mount, a foreign password, a damaged journal.

Other tests may have used the lab before. It is as before afterwards.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import SERVICES, Kbz, until
from tests.lab.verdicts.rows import Seen, wrong
from tests.lab.verdicts.silent_mount import silent_mount

pytestmark = pytest.mark.lab

PATIENCE = 120


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """Every service for applications, converged and well."""
    services_lab.good("run", "all", *SERVICES, timeout=1800)
    until(lambda: services_lab("health", "all", *SERVICES).code == 0, PATIENCE, "a healthy lab")
    return services_lab


@contextmanager
def instead(path: Path, content: bytes) -> Iterator[None]:
    """Put other content into a file for the length of a block."""
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(kept)


def test_a_silent_mount_is_named_once_and_its_hint_ends_it(kbz: Kbz) -> None:
    """K-94."""
    host, point = "maria-01", "/srv/share"
    look = ("health", "all", "--limit", host, "--format", "json")
    with silent_mount(kbz, host, point):
        hangs = kbz.on(host, f"timeout -s KILL 2 ls {point} || echo it hangs")
        assert "it hangs" in hangs
        [told] = [f for f in kbz(*look).json()["findings"] if f["level"] not in ("ok", "warn")]
        assert (told["check"], told["level"]) == ("base.mounts.answer", "critical")
        assert f"{point} (fuse) does not answer" in told["message"]
        assert wrong(kbz, [Seen("K-94", host, told["check"], ())], SERVICES[1]) == []
        kbz.good(*shlex.split(told["hint"].partition(": kbz ")[2]))
        assert kbz(*look).code == 0


def test_a_live_password_that_is_not_the_stores_is_refused_and_told_without_its_value(
    kbz: Kbz,
) -> None:
    """K-82: the file of the store has another one than Redis."""
    path = kbz.root / "credentials" / "redis.env"
    text = path.read_text()
    live = text.partition("REDIS_PASSWORD=")[2].splitlines()[0]
    other = "another-password-of-the-store-1"
    with instead(path, text.replace(live, other).encode()):
        done = kbz("run", "redis", "--limit", "redis", "--format", "json")
        plan = kbz("plan", "redis", "--limit", "redis")
    said = done.stdout + done.stderr
    assert done.code == ExitCode.REFUSED, said
    assert "Redis does not take the password of redis.env" in said
    assert "kbz adopt redis --take-credentials" in said
    assert not any(word in said + plan.stdout + plan.stderr for word in (live, other))
    ask = f"REDISCLI_AUTH={other} docker exec -e REDISCLI_AUTH redis redis-cli -h 10.0.0.123 ping 2>&1"
    assert "WRONGPASS" in kbz.on("redis-01", ask)
    assert (
        kbz.good("run", "redis", "--limit", "redis", "--format", "json").json()["plan"]["size"] == 0
    )


def test_looks_go_on_without_their_journal_and_a_change_says_so_first(kbz: Kbz) -> None:
    """S-50."""
    path = kbz.root / "state" / "journal.sqlite"
    with instead(path, b"no database, and long enough to be taken for one\n" * 100):
        look = kbz("health", "base", "--limit", "minio-01")
        change = kbz("restart", "minio", "--limit", "minio-01")
        drill = kbz("drill", "minio", "--confirm", "minio")
    assert look.code == 0, look.stderr
    assert str(path) in look.stderr
    for done in (change, drill):
        assert done.code not in (ExitCode.GOOD, ExitCode.DIFFERENT), done.stdout
        assert str(path) in done.stdout + done.stderr
    kbz.good("health", "base", "--limit", "minio-01")


@pytest.mark.long  # each write of its end waits for half a minute
def test_a_run_whose_journal_is_locked_at_its_end_tells_what_it_changed(kbz: Kbz) -> None:
    """S-51: another process holds the journal from the run's last change on."""
    host, value = "minio-02", "sysctl -n net.ipv4.tcp_fin_timeout"
    described = kbz.on(host, value)
    kbz.on(host, "sysctl -qw net.ipv4.tcp_fin_timeout=61")
    holder = sqlite3.connect(kbz.root / "state" / "journal.sqlite", isolation_level=None)
    with ThreadPoolExecutor(1) as beside, closing(holder):
        run = beside.submit(kbz, "run", "base", "--limit", host, "--format", "json")
        until(lambda: kbz.on(host, value) == described, PATIENCE, "the run has made its change")
        holder.execute("BEGIN IMMEDIATE")
        done = run.result()
        holder.rollback()
    report = done.json()
    assert (done.code, report["hosts"][host]["changed"]) == (ExitCode.GOOD, 1), done.stdout
    assert any("not remembered" in text for text in report["warnings"]), report["warnings"]
    assert kbz("plan", "base", "--limit", host).code == 0
