"""Doors by hand, and ways: what the firewall lets in, what takes the way to others (S-40, S-41)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.guard.questions import is_a_look
from keybuzz.agent.host import doors, ways
from tests.unit.agent.test_agent_system import KERNEL, RULES

SIX = "-P INPUT DROP\n-N ufw6-user-input\n-A INPUT -j ufw6-before-input\n"
NAT = "-P PREROUTING ACCEPT\n-N DOCKER\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
OURS = RULES.partition("### tuple ### allow tcp 6443")[0] + "### END RULES ###\n"


class Host:
    """A host's files of ufw, and what its kernel says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.kernel = {"iptables -S": KERNEL, "ip6tables -S": SIX, "iptables -t nat -S": NAT}
        self.write("user.rules", OURS)
        self.write("user6.rules", "")
        self.write("ufw.conf", "ENABLED=yes\n")
        self.write("defaults", "IPV6=yes\n")
        monkeypatch.setattr(doors, "FOLDER", str(folder))
        monkeypatch.setattr(doors, "DEFAULTS", str(folder / "defaults"))
        monkeypatch.setattr(doors, "run_child", self.run)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, argv: tuple[str, ...], **_: Any) -> Any:
        assert is_a_look(argv)
        return SimpleNamespace(exit_code=0, stdout=self.kernel[" ".join(argv)].encode())

    def found(self) -> dict[str, str]:
        return dict(map(tuple, doors.doors()))  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


class TestDoors:
    def test_a_described_firewall_has_none(self, host: Host) -> None:
        assert host.found() == {}

    def test_a_rule_of_ufw_by_hand_is_one_door_in_both_families(self, host: Host) -> None:
        """S-40: `ufw allow 5432/tcp` on an entry host."""
        rule = "### tuple ### allow tcp 5432 0.0.0.0/0 any 0.0.0.0/0 in\n"
        host.write("user.rules", OURS + rule)
        host.write("user6.rules", rule.replace("0.0.0.0/0", "::/0"))
        assert host.found() == {"ufw 5432/tcp from anywhere": "lets in the whole Internet"}

    def test_another_comment_is_no_mark_of_ours(self, host: Host) -> None:
        host.write("user.rules", RULES)
        assert set(host.found()) == {"ufw 6443/tcp from anywhere", "ufw any from 10.42.0.0/16"}

    @pytest.mark.parametrize(
        ("program", "more", "door"),
        [
            ("iptables -S", "-A INPUT -j ACCEPT\n", "IPv4 -A INPUT -j ACCEPT"),
            ("iptables -S", "-P INPUT ACCEPT\n", "IPv4 policy"),
            ("ip6tables -S", "-P INPUT ACCEPT\n", "IPv6 policy"),
            (
                "iptables -S",
                "-A INPUT -p tcp -m tcp --dport 3306 -j ACCEPT\n",
                "IPv4 -A INPUT -p tcp -m tcp --dport 3306 -j ACCEPT",
            ),
            (
                "iptables -t nat -S",
                "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.134:9000\n",
                "nat -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.134:9000",
            ),
        ],
    )
    def test_what_was_put_before_ufw_is_a_door(
        self, host: Host, program: str, more: str, door: str
    ) -> None:
        """S-41."""
        host.kernel[program] += more
        assert set(host.found()) == {door}

    def test_ipv6_that_ufw_does_not_filter_is_a_door(self, host: Host) -> None:
        host.write("defaults", "IPV6=no\n")
        assert "ipv6" in host.found()

    def test_where_ufw_is_not_at_work_there_is_nothing_to_compare_with(self, host: Host) -> None:
        host.write("ufw.conf", "ENABLED=no\n")
        host.kernel["iptables -S"] = "-P INPUT ACCEPT\n"
        assert host.found() == {}


HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
PRIVATE = "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
DOCKER = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
DEFAULT = "eth1\t00000000\t010211AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"


class TestWays:
    """A neighbour on the host that takes the way to the others: Docker's networks are chosen by chance."""

    def found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *routes: str
    ) -> list[list[str]]:
        (tmp_path / "route").write_text(HEAD + "".join(routes))
        monkeypatch.setattr(ways, "ROUTES", str(tmp_path / "route"))
        monkeypatch.setattr(ways, "PRELOAD", str(tmp_path / "ld.so.preload"))
        return ways.ways()

    @pytest.mark.parametrize(
        ("route", "shown"),
        [
            (
                "br-1\t6000000A\t00000000\t0001\t0\t0\t0\tE0FFFFFF\t0\t0\t0\n",
                "route 10.0.0.96/27 by br-1",
            ),
            (
                "*\t8300000A\t00000000\t0201\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n",
                "route 10.0.0.131/32 by nothing",
            ),
        ],
    )
    def test_a_route_inside_our_network_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: str, shown: str
    ) -> None:
        found = self.found(tmp_path, monkeypatch, DEFAULT, PRIVATE, DOCKER, route)
        assert found == [[shown, "leads past eth0: part of its network"]]

    def test_networks_side_by_side_and_ways_over_the_same_interface_are_well(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The provider's router is a host route inside the network, over the same interface."""
        router = "eth0\t0100000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
        assert self.found(tmp_path, monkeypatch, DEFAULT, PRIVATE, DOCKER, router) == []

    def test_a_library_that_every_program_loads_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "ld.so.preload").write_text("/usr/lib/x.so\n")
        [[path, what]] = self.found(tmp_path, monkeypatch, PRIVATE)
        assert (path, what) == (str(tmp_path / "ld.so.preload"), "is loaded into every program")
