"""`kbz hosts ping` over real sockets: what listens accepts, what does not is told, what is absent is not asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory

from keybuzz.engine.preflight.ping import ping
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.ping import Ping, PingReport
from keybuzz.report.screen.ping import ping_text
from keybuzz.transport.runner import BoundedRunner
from tests.unit.cli.test_every_verb import Place, place
from tests.unit.support.cli_said import Kbz, kbz

__all__ = ["kbz", "place"]  # the fixtures

UP, DOWN, ABSENT = "127.0.0.21", "127.0.0.22", "127.0.0.23"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of one loopback address."""
    with socket.create_server((UP, 0)) as listening:
        yield listening


def hosts(**addresses: str) -> Nornir:
    known = {name: Host(name=name, hostname=address) for name, address in addresses.items()}
    return Nornir(
        inventory=Inventory(Hosts(known), Groups(), Defaults()), runner=BoundedRunner(num_workers=4)
    )


def test_each_host_is_told_by_its_own_answer(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    nornir = hosts(up=UP, down=DOWN, never="no address", absent=ABSENT)
    found = ping(nornir, port, frozenset({"absent", "of-another-group"}))
    assert found.hosts == (
        Ping("up", UP, True),
        Ping("down", DOWN, False),
        Ping("never", "no address", False),
    )
    assert found.absent == ("absent",)
    assert found.exit_code is ExitCode.UNREACHABLE


def test_an_absent_server_gets_no_packet(listener: socket.socket) -> None:
    ping(hosts(up=UP), listener.getsockname()[1], frozenset({"up"}))
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_all_accept(listener: socket.socket) -> None:
    found = ping(hosts(up=UP), listener.getsockname()[1], frozenset())
    assert found.exit_code is ExitCode.GOOD
    assert ping_text(found).endswith("accepts a connection on 1 of 1 hosts; exit 0\n")


def test_none_asked_is_not_good() -> None:
    assert PingReport(22, (), ("absent",)).exit_code is ExitCode.UNREACHABLE


def test_silent_hosts_are_one_line() -> None:
    pings = tuple(Ping(f"db-0{number}", UP, number == 4) for number in range(1, 5))
    assert ping_text(PingReport(22, pings)).splitlines() == [
        "no connection on port 22: db-01..03",
        "accepts: db-04",
        "port 22 accepts a connection on 1 of 4 hosts; exit 4",
    ]


def test_behind_a_bastion_it_is_refused_and_no_port_is_asked(place: Place, kbz: Kbz) -> None:
    done = kbz("--config", str(place.folder / "site.config"), "hosts", "ping")
    assert done.returncode == ExitCode.REFUSED
    assert "inventory.options.bastion" in done.stderr
    assert "kbz preflight" in done.stderr
