"""Hosts for tests: the real agent on this machine, in a mount namespace where its fixed paths are scratch folders.

A scratch host has its own /var/lib, /run and /usr/local/sbin (the first folder of its PATH). So a test gives it
another systemctl, or a Docker socket of its own, and everything that the agent leaves lies below the test's folder.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from keybuzz.engine.change.steps import StepResult, apply
from keybuzz.engine.events import Event
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.nornir import make_nornir
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.site.files.plugins import RunnerChoice
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.groups import load_groups
from keybuzz.site.load import read_configuration
from keybuzz.site.module import Description
from keybuzz.site.site import Settings, Site
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.session import Session
from tests.flow.support.sshd import running_with, until

if TYPE_CHECKING:
    from nornir.core import Nornir

Heard = TypeVar("Heard")

ROOT = Path(__file__).parents[3]
SERVERS = ROOT / "inventory" / "servers.tsv"
GROUPS = ROOT / "inventory" / "groups.yaml"
KEY = DigestKey(bytes(range(32)))
NAME = "db-master-01"

_MOUNTS = {"var-lib": "/var/lib", "run": "/run", "programs": "/usr/local/sbin"}
_PYTHON = """\
#!/bin/sh
# The agent's Python, where some folders of the machine are scratch folders.
exec unshare --mount /bin/sh -c '{mounts} && exec "$0" "$@"' {python} "$@"
"""


@dataclass(frozen=True, slots=True)
class ScratchHost:
    """The folders of one host."""

    root: Path

    @property
    def files(self) -> Path:
        """Where the resources of a test lie."""
        return self.root / "files"

    @property
    def python(self) -> Path:
        """Starts a Python that sees the host's own folders."""
        return self.root / "bin" / "python3"

    @property
    def socket(self) -> Path:
        """What the agent knows as /var/run/docker.sock."""
        return self.root / "run" / "docker.sock"

    def previous(self, path: Path) -> Path:
        """Return where the version before of a file is kept."""
        return self.root / "var-lib" / "kbz" / "previous" / path.relative_to("/")

    def install(self, name: str, script: str) -> Path:
        """Put a shell script before all other programs of that name."""
        program = self.root / "programs" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    def log_calls(self, name: str, then: str = "exit 0") -> Path:
        """Replace a program by one that writes down its arguments; return the log, empty."""
        log = self.root / f"{name}.log"
        log.write_text("")
        self.install(name, f'echo "$@" >> {log}\n{then}')
        return log

    def agents(self) -> list[int]:
        """Return the pids of the agents that run on it."""
        return running_with(f"{self.root}/bin/agent-python")


def scratch_host(root: Path) -> ScratchHost:
    """Make the folders of a host."""
    host = ScratchHost(root)
    for folder in (*_MOUNTS, "bin", "files"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    mounts = " && ".join(f"mount --bind {root / name} {at}" for name, at in _MOUNTS.items())
    # A name that only this host uses, so that its agents can be found among all processes.
    real = root / "bin" / "agent-python"
    if not real.is_symlink():
        real.symlink_to("/usr/bin/python3")
    host.python.write_text(_PYTHON.format(mounts=mounts, python=real))
    host.python.chmod(0o755)
    return host


def make_site(folder: Path, credentials: Mapping[str, str] | None = None) -> Site:
    """Return a site over the real inventory, with its state in a folder of the test."""
    catalogue = load_groups(GROUPS)
    return Site(
        root=folder,
        servers=read_servers(SERVERS, catalogue),
        catalogue=catalogue,
        versions={},
        settings=Settings(
            state=folder / "state",
            credentials=folder / "credentials",
            builder_socket=folder / "no-builder.sock",
            key_filename=folder / "no-key",
            known_hosts=folder / "no-known-hosts",
            parameters={},
            not_applicable={},
            lab=None,
        ),
        credentials={n: Secret(n, value) for n, value in (credentials or {}).items()},
        digest_key=KEY,
    )


def local_nornir(
    site: Site, hosts: Mapping[str, ScratchHost], connection: str = "kbz_local"
) -> Nornir:
    """Return the product's own Nornir, in which these hosts are scratch hosts of this machine."""
    configuration = replace(
        read_configuration(ROOT / "nornir_config.yaml"),
        connection=connection,
        runner=RunnerChoice("kbz_bounded", {"num_workers": 8}),
    )
    nornir = make_nornir(configuration, site, Access.CHANGE)
    # All of them are this machine, whatever its name and its addresses are.
    nornir.config.user_defined["meeting"] = Meeting()
    nornir = nornir.filter(filter_func=lambda host: host.name in hosts)
    for name, scratch in hosts.items():
        extras = nornir.inventory.hosts[name].connection_options["kbz_local"].extras
        assert extras is not None
        extras["python"] = str(scratch.python)
    return nornir


def close(nornir: Nornir) -> None:
    """Close every connection."""
    for host in nornir.inventory.hosts.values():
        for connection in list(host.connections.values()):
            connection.close()
        host.connections.clear()


@dataclass(frozen=True, slots=True)
class Recorder:
    """A listener that keeps what it hears."""

    events: list[Event] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Event) -> None:
        with self.lock:
            self.events.append(event)

    def of(self, kind: type[Heard]) -> list[Heard]:
        """Return the events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(frozen=True, slots=True)
class OneHost:
    """One host, and resources on it by the product's own probe, plan and apply."""

    scratch: ScratchHost
    site: Site
    nornir: Nornir
    heard: Recorder = field(default_factory=Recorder)

    @property
    def files(self) -> Path:
        """Where the resources of a test lie."""
        return self.scratch.files

    @property
    def session(self) -> Session:
        """The session that is open now."""
        session: Session = self.nornir.inventory.hosts[NAME].connections["kbz_local"].connection
        return session

    def clear(self) -> None:
        """Remove what tests have put on the host."""
        for path in sorted(self.files.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in (self.scratch.root / "programs").iterdir():
            path.unlink()

    def probe(self, *resources: Resource) -> Mapping[str, State]:
        """Return the states of resources, by identity."""
        described = {NAME: HostDescription({"test": Description(resources)}, ())}
        snapshot = observe(self.nornir, described)
        assert not snapshot.unreachable
        return snapshot.observations[NAME].states

    def state(self, resource: Resource) -> State:
        """Return the state of one resource."""
        return self.probe(resource)[resource.identity]

    def plan(self, *resources: Resource) -> tuple[Change, ...]:
        """Return what is to be done."""
        states = self.probe(*resources)
        return plan_host(NAME, "test", resources, states, self.site.digest_key)

    def apply(self, *changes: Change) -> tuple[StepResult, ...]:
        """Do it."""
        done = self.nornir.run(
            task=apply, changes={NAME: changes}, archives={}, listen=self.heard, on_failed=True
        )
        self.nornir.data.reset_failed_hosts()
        result = done[NAME][0]
        if result.exception is not None:
            raise result.exception
        results: tuple[StepResult, ...] = result.result
        return results

    def converge(self, *resources: Resource) -> list[Outcome]:
        """Plan and apply; return the outcome of each change that was needed."""
        return [result.outcome for result in self.apply(*self.plan(*resources))]

    def only(self, resource: Resource) -> StepResult:
        """Plan and apply the one change that a resource needs."""
        (result,) = self.apply(*self.plan(resource))
        return result


@contextmanager
def one_host(folder: Path, credentials: Mapping[str, str] | None = None) -> Iterator[OneHost]:
    """Yield a host; afterwards no process of it is left."""
    scratch = scratch_host(folder / NAME)
    site = make_site(folder, credentials)
    nornir = local_nornir(site, {NAME: scratch})
    try:
        yield OneHost(scratch, site, nornir)
    finally:
        close(nornir)
        until(lambda: not scratch.agents(), "the agents to end")
