"""Hosts behind each of our connection plugins, and commands that do not end by themselves."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path

from nornir.core.configuration import Config
from nornir.core.inventory import ConnectionOptions, Defaults, Host
from nornir.core.plugins.connections import ConnectionPluginRegister

from keybuzz.model.core.access import Access
from keybuzz.transport.link import session_of
from keybuzz.transport.session import Session
from tests.flow.support.sshd import Server, running_with, until

ROOT = Path(__file__).parents[3]
SSH_LINKS = ("kbz_ssh", "kbz_netmiko")
LINKS = (*SSH_LINKS, "kbz_local")
"""Those that bring the agent."""
SHELL_LINK = "kbz_ssh_shell"
_MARKS = count(int(time.time()) % 100_000 * 1000)


def may(access: Access) -> Config:
    """Return a configuration whose connections go so far."""
    return Config(user_defined={"access": access})


MAY_CHANGE = may(Access.CHANGE)
"""For sessions that run commands: without it a connection only looks."""


def new_mark() -> str:
    """Return an argument for `sleep` that no other process has, so that it can be found."""
    return f"0.{next(_MARKS):09}"


def register_plugins() -> None:
    """Register what pyproject.toml declares, as Nornir does for an installed package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["nornir.plugins.connections"]
    assert set(points) == {*LINKS, SHELL_LINK}
    for name, place in points.items():
        module, _, plugin = place.partition(":")
        ConnectionPluginRegister.register(name, getattr(import_module(module), plugin))


@dataclass(frozen=True, slots=True)
class Loopback:
    """Makes hosts for the server on loopback, and forgets none of them."""

    server: Server
    python: Path
    """A name for the host's Python that only this test run uses, so that leftovers can be found."""
    hosts: list[Host]

    def host(self, link: str, **extras: str) -> Host:
        """Return a host with options for one plugin, the pinned ones unless given."""
        options = {"name": "web-01", "python": str(self.python)}
        if link in (*SSH_LINKS, SHELL_LINK):
            options |= {
                "known_hosts": str(self.server.known_hosts),
                "key_filename": str(self.server.key),
            }
        host = Host(
            name="web-01",
            hostname="127.0.0.1",
            port=self.server.port,
            username="root",
            connection_options={link: ConnectionOptions(extras=options | extras)},
            defaults=Defaults(),
        )
        self.hosts.append(host)
        return host

    def session(self, link: str, **extras: str) -> Session:
        """Open a session as a task would."""
        return session_of(self.host(link, **extras), link, MAY_CHANGE)


@dataclass(frozen=True, slots=True)
class Stubborn:
    """A command that starts a child of its own, and of which neither listens to TERM."""

    mark: str

    @property
    def argv(self) -> list[str]:
        """Prints a line once both run."""
        sleep = f"sleep 300 {self.mark}"
        return ["sh", "-c", f"trap '' TERM; {sleep} & {sleep} & echo started; wait"]

    def alive(self) -> list[int]:
        """Return the pids of what runs of it."""
        return running_with(self.mark)

    def once_started(self, action: Callable[[], object]) -> Callable[[str, bytes], None]:
        """Return a callback that acts when all of it is seen running."""

        def act(name: str, data: bytes) -> None:
            until(lambda: len(self.alive()) == 3, "the command and its two children")
            action()

        return act
