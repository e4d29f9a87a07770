"""The live state of a module's hosts: what rollouts and checks decide on. Pure values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.visible import in_one_line, one_line
from keybuzz.model.inventory.server import Server


@dataclass(frozen=True, slots=True)
class HostView:
    """One reachable host at one moment."""

    server: Server
    states: Mapping[str, State]
    answers: Mapping[str, Answer]
    changes: tuple[Change, ...]
    """What is still to do there for this module; empty when it is not selected by the run."""
    resources: tuple[Resource, ...] = ()
    """Everything that the module describes there."""
    readings: tuple[Reading, ...] = ()
    """Everything that the module asked there."""

    def answer(self, name: str) -> Answer:
        """Return the answer to a reading; a reading that was never asked has a problem."""
        return self.answers.get(name) or Answer(name, problem="was not read")

    def present(self, identity: str) -> bool:
        """True when the resource is there, whatever its attributes."""
        state = self.states.get(identity)
        return state is not None and state.present

    def unread(self, identity: str) -> str:
        """Return why the state of a resource could not be read; empty when it was."""
        state = self.states.get(identity)
        return "was not read" if state is None else state.problem

    def attribute(self, identity: str, attribute: str) -> object:
        """Return an observed attribute, or None."""
        state = self.states.get(identity)
        return state.attributes.get(attribute) if state is not None else None


@dataclass(frozen=True, slots=True)
class Live:
    """One module over all members of its group, selected by the run or not."""

    module: str
    members: tuple[Server, ...]
    hosts: Mapping[str, HostView]
    unreachable: Mapping[str, str]
    """Host to reason."""
    selected: frozenset[str]
    resting: tuple[Server, ...] = ()
    """Servers of the site in maintenance: they may run, and lead nothing that they do not lead already."""

    def awake(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """Return the hosts, by name or address, that are not in maintenance; all where every one is."""
        every = tuple(hosts)
        away = {name for server in self.resting for name in (server.name, str(server.address))}
        return tuple(host for host in every if host not in away) or every

    def changes(self) -> Iterator[Change]:
        """All changes of all hosts, in host order."""
        for view in self.hosts.values():
            yield from view.changes


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold before or after a stage; polled until it does or its deadline passes."""

    name: str
    reason: Callable[[Live], str | None]
    """None when it holds, else why not yet."""
    timeout: float
    """Seconds."""
    hopeless: Callable[[Live], str | None] = lambda live: None
    """Why it can hold no more, whatever the time; None while it may."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Changes that are applied at the same time on several hosts, between two gates.

    A stage without changes only waits for its gate.
    """

    name: str
    changes: tuple[Change, ...]
    before: Gate | None = None
    after: Gate | None = None
    interrupts: str = ""
    """Name of the module whose whole cluster this stage stops on purpose, which the operator was told and confirmed."""
    heirs: tuple[str, ...] = ()
    """Of a stage after which another member leads: the members of which one is chosen then."""
    joins: bool = False
    """It may wait for the step of a later module that interrupts the same hosts anyway, and goes first there."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the stage, in order, each once."""
        return tuple(dict.fromkeys(change.host for change in self.changes))

    def of(self, host: str) -> tuple[Change, ...]:
        """Return the stage's changes on one host."""
        return tuple(change for change in self.changes if change.host == host)


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a topology."""

    host: str
    role: str
    state: str
    details: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        in_one_line(self, "host", "role", "state")
        details = tuple((one_line(name), one_line(text)) for name, text in self.details)
        object.__setattr__(self, "details", details)


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many members a cluster has, and how many it may still lose."""

    members: int
    up: int
    spare: int
    """Negative when too many are away already."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Who does what in a cluster now."""

    cluster: str
    members: tuple[Member, ...]
    summary: str = ""
