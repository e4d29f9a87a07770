"""What the tests of the Patroni cluster ask about it."""

from __future__ import annotations

from tests.lab.conftest import DB, Done, Kbz

CONFIGURATION = "/opt/keybuzz/patroni/config/patroni.yml"
DATA = "/opt/keybuzz/postgres/data"
PATIENCE = 120
"""Seconds for another member to lead: within Patroni's ttl of 30 s on a quiet machine, polled for longer (facts/03)."""


def containers(kbz: Kbz) -> dict[str, str]:
    """Return id and start time of each node's container."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' patroni 2>&1; true"
    return {host: kbz.on(host, shown) for host in DB}


def file_times(kbz: Kbz) -> dict[str, str]:
    """Return the change times of everything that kbz keeps on each node."""
    shown = (
        f"stat -c '%n %y %U %a' {CONFIGURATION} {DATA} /etc/docker/daemon.json "
        "/etc/sysctl.d/99-keybuzz.conf /etc/ssh/sshd_config.d/00-keybuzz.conf 2>&1; true"
    )
    return {host: kbz.on(host, shown) for host in DB}


def leader(kbz: Kbz) -> str | None:
    """Return who leads, from `kbz health`, or None when nobody or more than one does."""
    document = kbz("health", "patroni", "--limit", "db", "--format", "json").json()
    found = [
        member["host"]
        for topology in document["topologies"]
        for member in topology["members"]
        if member["role"] == "leader"
    ]
    return found[0] if len(found) == 1 else None


def repaired(kbz: Kbz) -> Done:
    return kbz.good("run", "patroni", "--limit", "db", "--format", "json")
