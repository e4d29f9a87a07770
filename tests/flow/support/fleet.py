"""Three scratch hosts, and whole runs of small modules over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.events import Event
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.content import Content
from keybuzz.model.core.finding import Finding
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.reading import Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.flow.support.agent_host import (
    Recorder,
    ScratchHost,
    close,
    local_nornir,
    make_site,
    scratch_host,
)
from tests.flow.support.sshd import until

if TYPE_CHECKING:
    from nornir.core import Nornir

HOSTS = ("db-master-01", "db-slave-01", "db-slave-02")
"""The closed group patroni."""
FIRST, SECOND, THIRD = HOSTS
COMMAND = "kbz run demo"

Resources = Callable[[ScratchHost], tuple[Resource, ...]]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The hosts, and one command's workspace over them."""

    hosts: Mapping[str, ScratchHost]
    workspace: Workspace
    heard: Recorder

    @property
    def nornir(self) -> Nornir:
        """The product's Nornir over these hosts."""
        return self.workspace.nornir

    @property
    def site(self) -> Site:
        """The site of the workspace."""
        return self.workspace.site

    def text(self, host: str, name: str = "app.conf") -> str | None:
        """Return the content of a file on a host, or None."""
        path = self.hosts[host].files / name
        return path.read_text() if path.exists() else None

    def connect_by(self, plugin: str, *hosts: str) -> None:
        """Reach these hosts over another connection plugin."""
        for name in hosts:
            host = self.nornir.inventory.hosts[name]
            host.data["connection"] = plugin
            host.connection_options[plugin] = host.connection_options["kbz_local"]

    def run(self, *modules: Module, only: tuple[str, ...] = HOSTS, wait: float = 0.0) -> Report:
        """Run the chain of modules as `kbz run` does."""
        return run(self.workspace, RunRequest(modules, frozenset(only), wait, 60.0))

    def listening(self, act: Callable[[Event], object]) -> Fleet:
        """Return the same with an ear that acts after it has written down what it heard."""

        def listen(event: Event) -> None:
            self.heard(event)
            act(event)

        return replace(self, workspace=replace(self.workspace, listen=listen))


@contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """Yield a fleet in a folder; afterwards no process of it is left."""
    hosts = {name: scratch_host(folder / name) for name in HOSTS}
    with command(folder, hosts, COMMAND) as made:
        yield made
    until(lambda: not any(host.agents() for host in hosts.values()), "the agents to end")


@contextmanager
def command(folder: Path, hosts: Mapping[str, ScratchHost], line: str) -> Iterator[Fleet]:
    """Yield one command's view of hosts: its own connections, and the state of the folder."""
    site = make_site(folder)
    nornir = local_nornir(site, hosts)
    journal = Journal(site.settings.state / "journal.sqlite")
    heard = Recorder()
    try:
        yield Fleet(hosts, Workspace(site, nornir, journal, heard, line), heard)
    finally:
        close(nornir)


def one_by_one(live: Live) -> Stage | None:
    """A roll over the hosts, in their order."""
    for host, view in live.hosts.items():
        if view.changes:
            return Stage(f"bring {host}", view.changes)
    return None


def all_at_once(live: Live) -> Stage | None:
    """One stage for all hosts."""
    changes = tuple(live.changes())
    return Stage("bring all", changes) if changes else None


@dataclass(frozen=True, slots=True)
class Demo:
    """The parts of a small module that tests care about."""

    hosts: Mapping[str, ScratchHost]
    resources: Resources = lambda host: (conf(host),)
    next_stage: Callable[[Live], Stage | None] = one_by_one
    readings: Callable[[ScratchHost], tuple[Reading, ...]] = lambda host: ()
    checks: Callable[[Live], tuple[Finding, ...]] = lambda live: ()
    members_up: Callable[[Live], frozenset[str]] | None = None
    name: str = "demo"
    requires: tuple[str, ...] = ()
    group: str = "patroni"
    needs: tuple[str, ...] = ()

    def module(self) -> Module:
        """Return the module."""
        return Module(
            name=self.name,
            number=1,
            title="For tests",
            group=self.group,
            requires=self.requires,
            needs=self.needs,
            describe=self._describe,
            next_stage=self.next_stage,
            checks=self.checks,
            members_up=self.members_up,
        )

    def _describe(self, site: Site, server: Server) -> Description:
        host = self.hosts[server.name]
        return Description(self.resources(host), self.readings(host))


def conf(host: ScratchHost, text: str = "new\n", **more: Any) -> File:
    """Return a file of a host."""
    return File(str(host.files / "app.conf"), Content.plain(text), **more)
