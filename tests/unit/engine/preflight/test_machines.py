"""What is wrong with a machine itself, each found once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.preflight.machines import NEW_ID
from tests.unit.engine.preflight.test_preflight import HOST, QUEUE, Ground, ground, readiness

__all__ = ["ground"]  # the fixture

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another processor": ({"architecture": "aarch64"}, "its processor is aarch64"),
    "an old kernel": ({"kernel": "5.4.0-216-generic"}, "its kernel is 5.4.0-216-generic"),
    "a kernel that says nothing": ({"kernel": ""}, "its kernel is"),
    "a second firewall": ({"firewalls": ["nftables.service"]}, "nftables.service starts with"),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_found_once_and_nothing_else(ground: Ground, name: str) -> None:
    values, words = WRONG[name]
    ground.spoils[HOST] = readiness(**values)
    (found,) = ground.look().obstacles
    assert found.where == (HOST,)
    assert words in found.what
    assert found.todo
    assert found.stops


@pytest.mark.parametrize(
    "unit",
    [
        "nftables.service",
        "netfilter-persistent.service",
        "iptables-persistent.service",
        "shorewall.service",
    ],
)
def test_the_way_out_of_a_second_firewall_flushes_no_rules_of_others(
    ground: Ground, unit: str
) -> None:
    """`systemctl stop nftables` runs `nft flush ruleset`: ufw's and Docker's rules would be gone as well."""
    ground.spoils[HOST] = readiness(firewalls=[unit])
    (found,) = ground.look().obstacles
    assert f"-- systemctl disable {unit}; do not stop it" in found.todo
    assert "--now" not in found.todo


def test_a_firewall_that_removes_its_own_rules_only_is_stopped(ground: Ground) -> None:
    ground.spoils[HOST] = readiness(firewalls=["firewalld.service"])
    (found,) = ground.look().obstacles
    assert found.todo.endswith("-- systemctl disable --now firewalld.service")


def test_copies_of_one_disk_are_told_together(ground: Ground) -> None:
    for host in (HOST, QUEUE):
        ground.spoils[host] = readiness(machine="the same")
    (found,) = ground.look().obstacles
    assert found.where == (QUEUE, HOST)
    assert "copies of one disk" in found.what


def test_a_machine_without_an_id_is_no_copy(ground: Ground) -> None:
    for host in (HOST, QUEUE):
        ground.spoils[host] = readiness(machine="")
    assert ground.look().obstacles == ()


def test_the_way_out_of_a_copy_makes_another_id_also_where_dbus_has_a_file(
    ground: Ground, tmp_path: Path
) -> None:
    """systemd-machine-id-setup takes the id of D-Bus, where that has one."""
    if shutil.which("systemd-machine-id-setup") is None:
        pytest.skip("no systemd on this machine")
    for host in (HOST, QUEUE):
        ground.spoils[host] = readiness(machine="the same")
    (found,) = ground.look().obstacles
    assert NEW_ID in found.todo
    for folder in ("etc", "var/lib/dbus"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "machine-id").write_text("1" * 32 + "\n")
    here = NEW_ID.replace(" /", f" {tmp_path}/")
    subprocess.run(["sh", "-ec", f"{here} --root={tmp_path}"], check=True, timeout=30)
    made = (tmp_path / "etc/machine-id").read_text().strip()
    assert len(made) == 32
    assert made != "1" * 32
