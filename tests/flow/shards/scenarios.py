"""One scenario over three scratch hosts, and the runners that it must come out the same under."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nornir.plugins.runners import SerialRunner

from keybuzz.engine.look.observe import described
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.shards.fingerprint import site_parts
from keybuzz.engine.shards.place import Controller
from keybuzz.engine.shards.runner import ShardedRunner
from keybuzz.model.core.access import Access
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Command
from keybuzz.model.inventory.shards import BackEnd, Relay, ShardOptions
from keybuzz.site.load import read_configuration
from keybuzz.site.module import Module
from keybuzz.site.site import Site
from keybuzz.transport.runner import BoundedRunner
from tests.flow.shards.pool import REGION, StandingPool
from tests.flow.support.agent_host import ROOT, ScratchHost, scratch_host
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, command, conf
from tests.flow.support.sshd import Server, until

if TYPE_CHECKING:
    from nornir.core.plugins.runners import RunnerPlugin

WORKER = "tests.flow.shards.worker"
_WORDS = "words of the host"


def scenario(hosts: Mapping[str, ScratchHost]) -> Module:
    """Return a module with a file, a reading and a check."""
    said = Command("demo.said", ("sh", "-c", f"echo {_WORDS}; exit 3"))
    return Demo(
        hosts, lambda host: (conf(host),), readings=lambda host: (said,), checks=_checks
    ).module()


def _checks(live: Live) -> tuple[Finding, ...]:
    return tuple(
        Finding("demo.said", Level.WARN, host, str(view.answer("demo.said").value))
        for host, view in live.hosts.items()
    )


def parts(site: Site) -> dict[str, str]:
    """Return the digests of a test's site."""
    return site_parts(read_configuration(ROOT / "nornir_config.yaml"), site)


def prepare(folder: Path) -> dict[str, ScratchHost]:
    """Make the hosts: one as described, one that differs, and one that has no Python."""
    hosts = {name: scratch_host(folder / name) for name in HOSTS}
    (hosts[FIRST].files / "app.conf").write_text("new\n")
    (hosts[SECOND].files / "app.conf").write_text("old\n")
    hosts[THIRD].python.write_text("#!/bin/sh\nexit 9\n")
    return hosts


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to run the scenario in a folder."""

    folder: Path
    relay: Server | None = None
    pool: StandingPool | None = None
    sources: Path = ROOT
    """Where workers have their kbz from."""

    def runner(self, way: str, site: Site, shard_size: int = 2) -> RunnerPlugin:
        """Return the runner of that name."""
        if way == "serial":
            return SerialRunner()
        if way == "bounded":
            return BoundedRunner(8)
        options = ShardOptions(BackEnd(way), 8, shard_size=shard_size)
        if way == "dask":
            assert self.pool is not None
            options = replace(options, pool=self.pool.as_seen())
            shim(self.folder, self.sources)
        if way == "relay":
            options = replace(options, relays={REGION: self._relay()})
        return ShardedRunner(options, self._controller(site))

    @property
    def command(self) -> tuple[str, ...]:
        """Starts a worker on this machine."""
        path = f"PYTHONPATH={self.sources}:{ROOT}"
        return ("env", path, sys.executable, "-P", "-m", WORKER, str(self.folder))

    def _controller(self, site: Site) -> Controller:
        server = self.relay
        keys = (server.key, server.known_hosts) if server else (Path("/none"), Path("/none"))
        return Controller(self.command, parts(site), *keys)

    def _relay(self) -> Relay:
        """Return this machine as a relay, whose kbz starts the worker of the test."""
        assert self.relay is not None
        python = shim(self.folder, self.sources)
        return Relay(REGION, "127.0.0.1", str(python), str(self.folder), port=self.relay.port)


def shim(folder: Path, sources: Path) -> Path:
    """Write a Python whose kbz comes from `sources`, and starts the worker of the tests; return its path."""
    place = folder / "shim"
    place.mkdir(exist_ok=True)
    python = place / "python"
    (place / "sitecustomize.py").write_text(
        f"import sys\nsys.executable = {str(python)!r}\n"
        f"import keybuzz.engine.shards.process as process\nprocess.WORKER = {WORKER!r}\n"
    )
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH={place}:{sources}:{ROOT} exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return python


@contextmanager
def looking(ways: Ways, hosts: Mapping[str, ScratchHost]) -> Iterator[Fleet]:
    """Yield a command that only looks, over hosts that are all in one region."""
    with command(ways.folder, hosts, "kbz health demo") as made:
        made.nornir.config.user_defined["access"] = Access.LOOK
        for name in hosts:
            host = made.nornir.inventory.hosts[name]
            host.data["server"] = replace(host.data["server"], region=REGION)
        yield made
    until(lambda: not any(host.agents() for host in hosts.values()), "the agents to end")


def found_by(made: Fleet, runner: RunnerPlugin, deadline: float | None = None) -> Survey:
    """Return what a survey finds under a runner."""
    work = replace(made.workspace, nornir=made.nornir.with_runner(runner))
    return survey(work, (scenario(made.hosts),), frozenset(HOSTS), Access.LOOK, deadline, described)
