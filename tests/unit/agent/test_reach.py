"""Who reaches a host from outside: people who are logged in, and programs that listen for everybody."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest

from keybuzz.agent.kinds.host import reach
from keybuzz.agent.readings import strays, tcp_ports, udp_ports

NETWORK = ["10.0.0.0/16"]


@pytest.fixture
def session() -> Iterator[str]:
    """A process that began in an SSH session from an address; the address."""
    peer = "198.51.100.7"
    environment = {"SSH_CONNECTION": f"{peer} 50000 10.0.0.250 22"}
    with subprocess.Popen(["/bin/sleep", "60"], env=environment) as process:
        yield peer
        process.kill()


def connected(monkeypatch: pytest.MonkeyPatch, *peers: str) -> None:
    monkeypatch.setattr(tcp_ports, "peers", lambda port: set(peers) if port == 22 else set())


def test_somebody_who_is_logged_in_from_outside_is_named(
    monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    connected(monkeypatch, session, "10.0.0.250")
    assert reach.shut_out(NETWORK) == [session]
    assert reach.shut_out([*NETWORK, "198.51.100.0/24"]) == []
    assert reach.shut_out(["0.0.0.0/0"]) == []


def test_who_only_knocks_at_the_port_is_not_logged_in(
    monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    connected(monkeypatch, "203.0.113.9", "2001:db8::9")
    assert reach.shut_out(NETWORK) == []


def test_a_session_that_has_ended_counts_no_more(
    monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    """A program that it left behind still says where it came from."""
    connected(monkeypatch)
    assert reach.shut_out(NETWORK) == []


def test_a_session_of_this_machine_with_itself_is_nobody_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected(monkeypatch, "127.0.0.1", "::1")
    monkeypatch.setattr(reach, "_logged_in", lambda: {"127.0.0.1", "::1"})
    assert reach.shut_out(NETWORK) == []


def test_what_a_process_makes_up_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, "198.51.100.7")
    monkeypatch.setattr(reach, "_logged_in", lambda: {"", "somewhere", "198.51.100.7\x1b"})
    assert reach.shut_out(NETWORK) == []


def test_where_all_come_from_inside_no_table_of_sockets_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reach, "_logged_in", lambda: {"10.0.0.250", "127.0.0.1"})
    monkeypatch.setattr(tcp_ports, "peers", lambda port: pytest.fail("the kernel was asked"))
    assert reach.shut_out(NETWORK) == []


def test_what_listens_for_any_address_is_named_with_its_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        ("0.0.0.0", 22, "1"),
        ("0.0.0.0", 25, "2"),
        ("*", 25, "3"),
        ("*", 443, "4"),
        ("127.0.0.1", 6379, "5"),
        ("[::1]", 6379, "6"),
        ("10.0.0.160", 3306, "7"),
        ("9.9.9.9", 993, "8"),
    ]
    datagrams = [
        ("0.0.0.0", 22, "11"),
        ("127.0.0.53", 53, "12"),
        ("0.0.0.0", 443, "13"),
        ("*", 51820, udp_ports.KERNEL),
    ]
    monkeypatch.setattr(tcp_ports, "listeners", lambda: found)
    monkeypatch.setattr(udp_ports, "servers", lambda: datagrams)
    names = {"3": "master", "8": "dovecot", "13": "caddy"}
    monkeypatch.setattr(
        strays, "programs", lambda inodes: {i: names[i] for i in inodes & names.keys()}
    )
    assert reach.served(["22/tcp", "22/udp"]) == [
        "25/tcp (master)",
        "443/tcp (not known)",
        "443/udp (caddy)",
        "993/tcp (dovecot)",
        "51820/udp (the kernel)",
    ]
    assert reach.served(["22/tcp", "443/tcp"])[0] == "22/udp (not known)"


def test_who_is_connected_from_outside_to_a_port_that_closes_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {
        (5432, "203.0.113.9"),
        (5432, "10.0.0.250"),
        (5432, "127.0.0.1"),
        (8404, "2001:db8::9"),
        (8404, "not an address"),
        (22, "203.0.113.9"),
    }
    monkeypatch.setattr(
        tcp_ports, "connected", lambda ports: {item for item in there if item[0] in ports}
    )
    closing = ["5432/tcp (postgres)", "8404/tcp (haproxy)", "22/udp (x)"]
    assert reach.clients(closing, NETWORK) == [
        "5432/tcp from 203.0.113.9",
        "8404/tcp from 2001:db8::9",
    ]
    assert reach.clients([], NETWORK) == []
    assert reach.clients(["22/udp (x)"], NETWORK) == []


def test_many_clients_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {(5432, f"198.51.100.{number}") for number in range(100)}
    monkeypatch.setattr(tcp_ports, "connected", lambda ports: many)
    found = reach.clients(["5432/tcp (postgres)"], NETWORK)
    assert len(found) == 21
    assert found[-1] == "80 more"


def test_connections_come_from_the_kernels_own_tables() -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.2", port), 5, ("127.0.0.3", 0)),
            socket.create_connection(("127.0.0.2", port), 5, ("127.0.0.2", 0)),
        ):
            assert tcp_ports.connected({port}) == {(port, "127.0.0.3")}
            assert tcp_ports.connected({port + 1}) == set()
