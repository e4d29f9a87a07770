"""What a work costs, in counts: one connection for each host and command, one round trip for each work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keybuzz.engine.change.execute import execute
from keybuzz.engine.change.steps import apply
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.nornir import make_nornir
from keybuzz.model.core.access import Access
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory, File
from keybuzz.model.host.system import Sysctl
from keybuzz.site.files.plugins import RunnerChoice
from keybuzz.site.load import read_configuration
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from keybuzz.transport.meeting import Meeting
from tests.flow.support.agent_host import ROOT, close, make_site
from tests.flow.support.fleet import HOSTS
from tests.flow.support.sshd import Server, running

if TYPE_CHECKING:
    from nornir.core import Nornir


@dataclass(frozen=True, slots=True)
class Counted:
    """Three hosts of the inventory behind one OpenSSH server that logs each login."""

    server: Server
    site: Site
    nornir: Nornir

    def logins(self) -> int:
        """Return how often somebody has logged in."""
        return (self.server.folder / "sshd.log").read_text().count("Accepted publickey")

    def round_trips(self) -> set[int]:
        """Return the requests of each open session."""
        return {
            connection.connection.requests
            for host in self.nornir.inventory.hosts.values()
            for connection in host.connections.values()
        }


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with running(tmp_path) as server:
        site = make_site(tmp_path)
        pinned = replace(site.settings, key_filename=server.key, known_hosts=server.known_hosts)
        site = replace(site, settings=pinned)
        configuration = replace(
            read_configuration(ROOT / "nornir_config.yaml"),
            runner=RunnerChoice("kbz_bounded", {"num_workers": 8}),
        )
        nornir = make_nornir(configuration, site, Access.CHANGE).filter(
            filter_func=lambda h: h.name in HOSTS
        )
        nornir.config.user_defined["meeting"] = Meeting()  # all of them are this machine
        for host in nornir.inventory.hosts.values():
            host.hostname = "127.0.0.1"
            for options in host.connection_options.values():
                options.port = server.port
        try:
            yield Counted(server, site, nornir)
        finally:
            close(nornir)


def resources(folder: Path, host: str, text: str) -> tuple[Resource, ...]:
    """Return twenty files, a directory and a kernel setting."""
    swap = Path("/proc/sys/vm/swappiness").read_text().strip()
    files = (File(str(folder / host / f"{n}.conf"), Content.plain(text)) for n in range(20))
    return (Directory(str(folder / host)), *files, Sysctl("vm.swappiness", swap))


def test_single_commands_share_one_connection(counted: Counted) -> None:
    for number in (1, 2):
        run_a_command(counted)
        assert counted.round_trips() == {number}
    assert counted.logins() == len(HOSTS)


def run_a_command(counted: Counted) -> None:
    done = counted.nornir.run(task=execute, argv=("true",), timeout=60.0)
    assert {host: r[0].result.exit_code for host, r in done.items()} == dict.fromkeys(HOSTS, 0)


def test_a_look_a_push_and_a_command_share_one_connection(counted: Counted, tmp_path: Path) -> None:
    nornir, key = counted.nornir, counted.site.digest_key
    wanted = {host: resources(tmp_path / "hosts", host, "new\n") for host in HOSTS}
    described = {h: HostDescription({"demo": Description(r)}, ()) for h, r in wanted.items()}
    seen = observe(nornir, described)
    assert seen.unreachable == {}
    assert counted.round_trips() == {1}

    changes: dict[str, tuple[Change, ...]] = {
        host: plan_host(host, "demo", wanted[host], seen.observations[host].states, key)
        for host in HOSTS
    }
    pushed = nornir.run(task=apply, changes=changes, archives={}, listen=lambda event: None)
    outcomes = {host: [s.outcome for s in r[0].result] for host, r in pushed.items()}
    assert outcomes == dict.fromkeys(HOSTS, [Outcome.CHANGED] * 21)
    assert counted.round_trips() == {2}
    run_a_command(counted)
    assert counted.round_trips() == {3}
    assert (tmp_path / "hosts" / HOSTS[2] / "19.conf").read_text() == "new\n"
    assert counted.logins() == len(HOSTS)
