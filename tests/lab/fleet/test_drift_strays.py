"""Strays on real servers: a healthy lab has none, and one of each kind is found once, told apart, and never touched.

The tests of this file build on each other, in the order of the file. Other services may be on the same hosts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from keybuzz.engine.schedule.schedule import DRIFT
from tests.lab.conftest import Done, Kbz, until

pytestmark = pytest.mark.lab

LIMIT = ("--limit", "db,redis,haproxy")
MODULES = ("patroni", "postgres-proxy", "redis", "redis-proxy")
NEEDLE = "PlantedNeedle-cron-1234"
PLANTED = {
    "db-slave-01": "docker create --name left-over $(docker images -q | head -n 1) true",
    "redis-02": "printf '[Service]\\nExecStart=/bin/true\\n' > /etc/systemd/system/redis-by-hand.service",
    "haproxy-01": "ln -s /lib/systemd/system/haproxy.service "
    "/etc/systemd/system/multi-user.target.wants/haproxy.service",
    "db-master-01": "mkdir -p /etc/cron.d && printf '%s\\n' 'SHELL=/bin/sh' "
    f"'*/5 * * * * root PGPASSWORD={NEEDLE} /opt/legacy/dump.sh --password {NEEDLE}' > /etc/cron.d/legacy",
    "redis-01": "mkdir -p /var/spool/cron/crontabs && "
    f"printf '%s\\n' '# mine' '@daily /root/clean.sh {NEEDLE}' > /var/spool/cron/crontabs/root",
    "redis-03": "systemd-run --unit planted-port python3 -m http.server --bind 10.0.0.125 9999",
    "haproxy-02": "mkdir /opt/keybuzz/legacy && touch /opt/keybuzz/legacy/one /opt/keybuzz/legacy/two "
    "/opt/keybuzz/haproxy/conf/haproxy.cfg.old",
}
FOUND = {
    "stray/db-slave-01/container:left-over",
    "stray/redis-02/unit:redis-by-hand.service",
    "stray/haproxy-01/unit:haproxy.service",
    "stray/db-master-01/cron:/etc/cron.d/legacy",
    "stray/redis-01/cron:/var/spool/cron/crontabs/root",
    "stray/redis-03/port:9999",
    "stray/haproxy-02/file:/opt/keybuzz/legacy/",
    "stray/haproxy-02/file:/opt/keybuzz/haproxy/conf/haproxy.cfg.old",
}
REMOVED = {
    "db-slave-01": "docker rm left-over",
    "redis-02": "rm /etc/systemd/system/redis-by-hand.service",
    "haproxy-01": "rm /etc/systemd/system/multi-user.target.wants/haproxy.service",
    "db-master-01": "rm /etc/cron.d/legacy",
    "redis-01": "rm /var/spool/cron/crontabs/root /opt/keybuzz/redis/data/made-by-redis",
    "redis-03": "systemctl stop planted-port",
    "haproxy-02": "rm -r /opt/keybuzz/legacy /opt/keybuzz/haproxy/conf/haproxy.cfg.old",
}


@pytest.fixture(scope="module")
def kbz(services_lab: Kbz) -> Kbz:
    """Eight servers carry a Patroni cluster, a Redis cluster and both entries, whatever ran before."""
    lift = ("--lift-freeze", "redis", "--lift-freeze", "redis-proxy")
    services_lab.good(
        "run", *MODULES, *LIMIT, *lift, "--reason", "whatever ran before", timeout=900
    )
    return services_lab


def drift(kbz: Kbz, *words: str) -> Done:
    return kbz("drift", *MODULES, *LIMIT, "--format", "json", *words)


def standings(done: Done) -> dict[str, str]:
    """Return how each item stands, by its id without the digest of a line; each id is there once."""
    items = [
        (item["id"].partition("#")[0], item["standing"]) for item in done.json()["drift"]["items"]
    ]
    assert len(items) == len(dict(items))
    return dict(items)


def test_a_healthy_lab_has_no_stray(kbz: Kbz) -> None:
    done = drift(kbz)
    assert (standings(done), done.code) == ({}, 0)
    assert done.json()["warnings"] == []
    assert done.json()["checked"] == {"answered": 8, "selected": 8}
    assert set(done.json()["round_trips"].values()) == {1}


def test_one_of_each_kind_is_found_once(kbz: Kbz) -> None:
    for host, script in PLANTED.items():
        kbz.on(host, script)
    kbz.on("redis-01", "touch /opt/keybuzz/redis/data/made-by-redis")
    listens = "ss -ltnH 'sport = :9999' | grep -q ."
    until(lambda: kbz("lab", "exec", "redis-03", "--", "sh", "-c", listens).code == 0, 20, "a port")
    done = drift(kbz)
    assert (standings(done), done.code) == (dict.fromkeys(FOUND, "new"), 2)
    text = kbz("history", str(done.json()["run"])).stdout
    assert "*/5 * * * * /opt/legacy/dump.sh" in text
    assert NEEDLE not in done.stdout + done.stderr + text
    assert NEEDLE.encode() not in (kbz.root / "state" / "journal.sqlite").read_bytes()


def test_they_are_still_there_and_that_is_no_news(kbz: Kbz) -> None:
    done = drift(kbz)
    assert (standings(done), done.code) == (dict.fromkeys(FOUND, "still"), 2)
    quiet = kbz("drift", *MODULES, *LIMIT, "--only-new")
    assert (quiet.stdout, quiet.stderr, quiet.code) == ("", "", 2)


def test_the_line_of_cron_runs_as_it_stands(kbz: Kbz, tmp_path: Path) -> None:
    into = ("--into", str(tmp_path))
    kbz.good("drift", "install", *MODULES, *LIMIT, "--by", "cron", "--jitter", "1", *into)
    line = (tmp_path / DRIFT.cron).read_text().splitlines()[-1].partition(" root ")[2]
    number = drift(kbz).json()["run"]
    argv = ["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", line]
    ran = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=300, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 2)
    status = kbz.good("drift", "status", *into, "--format", "json").json()
    assert status["last_look"]["run"] == number + 1
    assert status["found"] == len(FOUND)


def test_a_host_that_is_off_hides_nothing(kbz: Kbz) -> None:
    kbz.good("lab", "fault", "stop", "redis-03")
    try:
        done = drift(kbz, "--deadline", "90")
    finally:
        kbz.good("lab", "fault", "start", "redis-03")
    found = standings(done)
    assert (found["stray/redis-03/port:9999"], found["silent/redis-03"]) == ("unseen", "new")
    assert done.code == 4


def test_what_was_taken_away_is_gone_once(kbz: Kbz) -> None:
    def recovered() -> bool:
        return kbz("health", "redis", "--limit", "redis", "--format", "json").code == 0

    until(recovered, 120, "Redis to be whole again")
    for host, script in REMOVED.items():
        if host != "redis-03":  # its listener went with the power
            kbz.on(host, script)
    done = drift(kbz)
    assert standings(done) == dict.fromkeys(FOUND | {"silent/redis-03"}, "gone")
    assert done.code == 0
    again = drift(kbz)
    assert (standings(again), again.code) == ({}, 0)
