"""What all connection plugins share: their options, and who speaks with the host once they are open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.redact import Redactor
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.said.veil import Veil
from keybuzz.transport.session import Hide, Session
from keybuzz.transport.shell import Shell
from keybuzz.transport.stream import Stream

if TYPE_CHECKING:
    from nornir.core.configuration import Config
    from nornir.core.inventory import Host
    from nornir.core.task import Task

START_TIMEOUT = 20.0
"""Seconds for a host to start the agent, once it is connected."""
WITHOUT_AGENT = {"kbz_ssh": "kbz_ssh_shell"}
"""Connection plugin to the one that reaches the same host for single commands."""


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """The `extras` of a connection, as the inventory gives them."""

    name: str
    """The host's name in the inventory, for messages; its address when not given."""
    known_hosts: str = ""
    """File with the pinned host keys. Never written."""
    key_filename: str = ""
    """Private key; without it the keys of the running ssh-agent are tried."""
    bastion: str = ""
    """`host:port user` of a jump host; its key is pinned in the same file."""
    python: str = "python3"

    @classmethod
    def parse(cls, hostname: str, extras: Mapping[str, Any] | None) -> LinkOptions:
        """Refuse options that do not exist, so that a typing error cannot weaken a connection."""
        given = {"name": hostname, **(extras or {})}
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(
                f"unknown connection option {', '.join(unknown)}",
                where=str(given["name"]),
                hint=f"use {', '.join(sorted(known))}",
            )
        return cls(**{key: str(value) for key, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link leads."""

    address: str
    port: int
    user: str
    options: LinkOptions

    @property
    def name(self) -> str:
        """The host's name in messages."""
        return self.options.name

    def first_hop(self) -> Target:
        """Return the machine that is connected to first: the bastion, or the target itself."""
        return self.bastion() if self.options.bastion else self

    def bastion(self) -> Target:
        """Return the jump host in front of this target, as a target of its own."""
        place, _, user = self.options.bastion.partition(" ")
        address, _, port = place.rpartition(":") if ":" in place else (place, "", "22")
        if not address or not port.isdecimal():
            raise InputError(
                f"the bastion {self.options.bastion!r} is not `host:port user`", where=self.name
            )
        options = replace(self.options, name=address, bastion="")
        return Target(address, int(port), user.strip() or self.user, options)


Ends = TypeVar("Ends", Session, Shell)


class Link(ABC, Generic[Ends]):
    """A Nornir connection: options, and what stands at its two ends once it is open."""

    connection: Ends

    def open(
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        """Connect. ContactError when that fails. Passwords are never used.

        `user_defined["access"]` of the configuration says how far the connection may go; without it, it only looks.
        What hosts answer loses the secrets that `user_defined["redactor"]` knows, and those that Veil tells by rule;
        each host proves what `user_defined["meeting"]` wants.
        """
        address = hostname or "localhost"
        options = LinkOptions.parse(address, extras)
        known = configuration.user_defined if configuration is not None else {}
        meeting = known.get("meeting", Meeting())
        target = Target(address, port or 22, username or "root", options)
        cuts = meeting.cuts
        meeting.admit(target.name)
        access = known.get("access", Access.LOOK)
        self.connection = self.start(target, access, hide_of(known), meeting)
        try:
            meeting.require_uncut(target.name, cuts)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection, and all that it started on the host."""
        self.connection.close()

    @abstractmethod
    def start(self, target: Target, access: Access, hide: Hide, meeting: Meeting) -> Ends:
        """Return what speaks with the host from now on, and goes no further than `access`.

        `meeting` says what the host must prove first.
        """


class AgentLink(Link[Session]):
    """A Nornir connection whose `connection` is a Session with a running agent."""

    def start(self, target: Target, access: Access, hide: Hide, meeting: Meeting) -> Session:
        """Connect and start the agent, on the machine that was meant."""
        stream = self.connect(target)
        opened = Session(
            stream,
            where=target.name,
            timeout=START_TIMEOUT,
            access=access,
            hide=hide,
            lease=meeting.opening(target.name),
        )
        try:
            meeting.meet(target.name, opened)
        except BaseException:
            opened.close()
            raise
        return opened

    @abstractmethod
    def connect(self, target: Target) -> Stream:
        """Return a stream to a process on the host that runs the loader."""


def hide_of(known: Mapping[str, Any]) -> Hide:
    """Return what takes the secrets out of what hosts answer, from a configuration's `user_defined`."""
    redactor = known.get("redactor", Redactor(()))
    site = known.get("site")
    veil = Veil(site.digest_key.key if site is not None else b"")
    return lambda said: veil.value(redactor.value(said))


def session(task: Task) -> Session:
    """Return the open session of the task's host; a broken one is replaced by a new connection."""
    return session_of(task.host, str(task.host["connection"]), task.nornir.config)


def session_of(host: Host, link: str, configuration: Config) -> Session:
    """Return the host's session over the connection plugin `link`, replacing one that is broken."""
    found: Session = _unbroken(host, link, configuration)
    return found


def renewed_session(task: Task) -> Session:
    """Return the host's session over a new connection; the one before ends when the new one holds its lease.

    ContactError when none opens; the one before stays then.
    """
    host, link = task.host, str(task.host["connection"])
    before = host.connections.pop(link, None)
    try:
        found: Session = host.get_connection(link, task.nornir.config)
    except BaseException:
        if before is not None:
            host.connections[link] = before
        raise
    if before is not None:
        before.close()
    return found


def commands(task: Task) -> Session | Shell:
    """Return what runs single commands on the task's host: an agent that is there already, or none at all."""
    link = str(task.host["connection"])
    wanted = link if link in task.host.connections else WITHOUT_AGENT.get(link, link)
    found: Session | Shell = _unbroken(task.host, wanted, task.nornir.config)
    return found


def _unbroken(host: Host, link: str, configuration: Config) -> Any:
    found = host.get_connection(link, configuration)
    if found.broken:
        host.close_connection(link)
        found = host.get_connection(link, configuration)
    return found
