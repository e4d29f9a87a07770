"""What a module is: one description, of which every verb is a view. `tasks/<name>/` fills it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keybuzz.model.core.finding import CheckInfo, Finding, Level
from keybuzz.model.core.live import Live, Stage, Topology
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.candidates import Places
from keybuzz.model.host.ground import Ground
from keybuzz.model.host.strays import Traces
from keybuzz.model.host.upgrades import Upgrades, Version
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Workload
from keybuzz.model.reports.handover import Candidate
from keybuzz.site.applications.services import Service
from keybuzz.site.backups.archive import Archive
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.drill import Drill
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.settled import Settled
from keybuzz.site.site import Site

NO_TRACES = Traces()


@dataclass(frozen=True, slots=True)
class Description:
    """What one host must be for one module, and what its checks read there."""

    resources: tuple[Resource, ...]
    readings: tuple[Reading, ...] = ()
    cluster: tuple[Resource, ...] = ()
    """Resources inside the cluster: read on every member, written where `writer` says."""
    traces: Traces = NO_TRACES
    """What the module leaves there beside its resources: `kbz drift` does not report it as stray."""


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """An image that kbz builds itself (PG-2): the same inputs give the same reference everywhere."""

    reference: str
    context: Mapping[str, bytes]
    """Path in the build context, and its content."""
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a live cluster takes a new value of one credential (`kbz secrets rotate`)."""

    service: str
    """What the operator names, such as `postgres-app`."""
    credential: str
    next_stage: Callable[[Live], Stage | None]
    """As in Module, with the new value described; only what holds the credential may change."""
    logins: Callable[[Site, Server], tuple[Reading, ...]]
    """What each member is asked to prove before the store is switched; the stages see the answers too."""
    followers: tuple[str, ...] = ()
    """Modules whose hosts use the value too: each takes it by its own rollout, in this order, after the cluster.

    Those without a host on the site are passed over.
    """
    keeps_old: bool = False
    """The cluster can take two values: the old one (`Site.former`) is good until the store is switched.

    Without `Site.former` the same stages drop it.
    """
    outage: str = ""
    """What it interrupts, in a sentence that is shown before the name is typed; empty when nothing stops."""
    refused: str = ""
    """Why kbz does not do it; empty when it does."""
    ends: tuple[str, ...] = ()
    """Checks whose fault it ends, so that it begins in spite of them: a password that everybody knows."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What can be inside a cluster without a description: accounts, databases, vhosts. Only `kbz drift` asks.

    It is reported as stray, and no run removes it: a verb of its own does, by a typed name.
    """

    kinds: tuple[str, ...]
    """Kinds of things that it finds, such as `role`."""
    ask: Callable[[Site, Server], tuple[Reading, ...]]
    undescribed: Callable[[Site, Mapping[str, Answer]], Mapping[str, str] | None]
    """From one member's answers: each thing (`role:bob`) and what it is; None when they do not say."""
    each_host: bool = False
    """True when each host has its own, and there is no cluster."""
    by_hand: frozenset[str] = frozenset()
    """Kinds that no file can describe."""
    account: str = ""
    """The kind that is an account, which `kbz apps remove-account` may remove; data never is."""
    removed: Callable[[Site, Server, str], Resource] | None = None
    """The wish that an account is not there, by its name."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """A port of the module's hosts that the provider's load balancers lead to (LB-1)."""

    port: int
    ask: Callable[[Site, str], Reading]
    """The question to what answers at an address: a real login, and what only the right one can answer."""
    wrong: Callable[[Answer], str]
    """Why the answer is not a good one; empty when it is."""
    good: str
    """What a good answer proves, such as `the application writes`."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one member's data goes, as its disk says."""

    host: str
    history: str
    """Id of the history that the data belongs to; empty when the member holds none."""
    number: int
    """The last change that it holds; -1 when it is not known."""
    marked: bool
    """It was the last to leave, by its own word."""
    source: str
    """Where that was read, or why it could not be."""
    doubt: str = ""
    """Why its own words contradict each other; empty when they do not."""
    view: int = -1
    """Number of the last Primary component that it knows; -1 when it is not known."""
    members: tuple[str, ...] = ()
    """Names of the members of that component."""
    empty: bool = False
    """It holds no database of a user."""
    warning: str = ""
    """What the operator must rule out at this member before any is started; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a cluster comes back after a total stop (`kbz recover`): a verb of its own, with a typed name."""

    name: Callable[[Site], str]
    """What the operator types: the cluster's name."""
    halt: Callable[[Live], Stage | None]
    """What still runs, and serves no client, is stopped. Raises RefusedError when the cluster is not down."""
    positions: Callable[[Site, Server], Reading]
    """The question to each stopped member."""
    position: Callable[[str, Answer], Position]
    choose: Callable[[tuple[Position, ...], str], str]
    """The one member to start from, which may be named. Raises RefusedError when the positions do not prove which."""
    start: Callable[[Live, str], Stage]
    """Makes a cluster of that member; the module's own rollout brings the others."""
    forget: Callable[[Live, str], Stage | None] = lambda live, host: None
    """Before the start of a member that was named: makes all others take a full copy of its data."""
    askable: Callable[[Live], Stage | None] = lambda live: None
    """Makes what a member's position is read with, where its host lost it: a file, a directory, the image."""
    startable: Callable[[Live], Stage | None] = lambda live: None
    """Makes, before any member is started, what else its container reads and its host lost."""


@dataclass(frozen=True, slots=True)
class Switchover:
    """How the lead of a cluster is handed over on purpose (`kbz switchover`); an entry moves the writer behind it.

    `members` are the servers of the cluster, whose own module may be another one.
    """

    leads: Callable[[Live, tuple[Server, ...]], str]
    """Host that leads now. Raises RefusedError when not exactly one does."""
    candidates: Callable[[Live, tuple[Server, ...]], tuple[Candidate, ...]]
    """All other members, each with why it cannot take over now."""
    stage: Callable[[Live, Server, Server | None], Stage]
    """Hands over from the first, which leads, to the second; None: the service chooses."""
    lasts: str = ""
    """What ends it, where that is not the next hand-over."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How members that must hold the same data are compared: by `kbz health --deep`, and after `kbz recover`."""

    say: Callable[[Level, str, str, str], Finding]
    """Makes the finding of level, message, host and hint."""
    ask: Callable[[Site, Server], Reading]
    """The question to each member."""
    contents: Callable[[Answer], Mapping[str, str]]
    """What a member holds: a digest by name. Raises ValueError with the reason when it does not say."""
    alone: Callable[[str, Answer], tuple[Finding, ...]] = lambda host, answer: ()
    """What one member's answer says by itself."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What upstream wants of the members before another series of an image, where they tell (`kbz upgrade`)."""

    image: str
    """Its name in versions.yaml."""
    ask: Callable[[Site, Server], Reading]
    """The question to each member."""
    missing: Callable[[Version, Mapping[str, Answer]], tuple[str, str] | None]
    """From the version that it leads to and all answers: what is missing, and what to do; None where nothing is."""


@dataclass(frozen=True, slots=True)
class RestartCost:
    """How long clients wait at most while a member is restarted as planned, where no drill of the site has told."""

    seconds: float
    source: str
    """What the figure is made of, such as `two health checks of HAProxy`."""
    once: bool = False
    """True where a roll over all members makes one wait: the leader is taken last, after it has handed over."""


@dataclass(frozen=True, slots=True)
class Module:
    """Everything the engine needs to know about a module."""

    name: str
    number: int
    """Its number in the owner's order (ORD-1)."""
    title: str
    group: str
    """Name of the closed group that it runs on."""
    requires: tuple[str, ...]
    """Modules that must be converged and healthy on the same hosts before this one (ORD-2)."""
    describe: Callable[[Site, Server], Description]
    next_stage: Callable[[Live], Stage | None]
    """The next step from the live state, or None when nothing is left. Raises RefusedError."""
    checks: Callable[[Live], tuple[Finding, ...]]
    require: Callable[[Site], None] = lambda site: None
    """Raises RefusedError for values that break the service together: no run makes that so, and looks go on."""
    step: int = 1
    """Its place among the modules of one number: the proxies of a cluster come after the cluster."""
    on_request: bool = False
    """It is no part of `all` unless site.yaml says so (`modules.in_all`)."""
    needs: tuple[str, ...] = ()
    """Modules of other hosts whose service its gates and checks ask for: side by side, it comes after them."""
    comes_last: bool = False
    """Side by side, it begins when all others have ended: what runs in it uses them."""
    reaches: tuple[str, ...] = ()
    """Modules inside whose clusters some of its resources are (`Resource.cluster_of`): their freezes hold for those."""
    frozen_as: str = ""
    """Name by which policies.yaml freezes it (FRZ-1), when that is not its group."""
    members_up: Callable[[Live], frozenset[str]] | None = None
    """Members that count for the quorum now; None when the group needs no majority."""
    voters: Callable[[Live], frozenset[str]] | None = None
    """Members whose majority is the quorum, where not all of the group have a vote; None: all have."""
    able: Callable[[Live], frozenset[str]] | None = None
    """Members that take writes now, or could take over at once; None where every member that is up can."""
    least_up: int | None = None
    """Members that must stay up where that is no majority: 1 of a pair of proxies.

    0 for a service of one node: it has no spare, and whatever interrupts its host interrupts the service.
    """
    ground: Ground | None = None
    """How data of its service is recognised anywhere on a host: looked for before the first change."""
    places: tuple[Places, ...] = ()
    """Where older installations keep its credentials: looked at by `kbz adopt --take-credentials`."""
    foreign: Callable[[Live], None] = lambda live: None
    """Raises RefusedError for a live cluster that is not ours, by password, cookie or data, before any change."""
    virgin: Callable[[Live], bool] | None = None
    """True when every member proves that it holds no data and no container of this module (FRZ-1)."""
    writer: Callable[[Live], str | None] = lambda live: None
    """Host on which cluster resources are written now."""
    release: Callable[[Live, str], Stage | None] = lambda live, host: None
    """What must happen before this host is interrupted by another module: its lead is handed over."""
    regain: Callable[[Live, str], Stage | None] = lambda live, host: None
    """What undoes a release when its host is back, such as taking work again; None when nothing is left of one."""
    fronts: str = ""
    """Name of the module whose members its own hosts lead sessions to; empty where it is no entry."""
    lead_away: Callable[[Live, Server], Stage | None] = lambda live, server: None
    """What its hosts do before that member is interrupted: they lead to another; None when none leads there."""
    lead_back: Callable[[Live, Server], Stage | None] = lambda live, server: None
    """What undoes it when that member serves again; None when nothing is left of it."""
    lead_as_described: Callable[[Live], Stage | None] = lambda live: None
    """What undoes it at once, as after a run that was cut off. None when nothing is left of it."""
    switchover: Switchover | None = None
    """How the lead of its cluster, or of the one that it fronts, is handed over on purpose; None where none leads."""
    maintenance_over: Callable[[Maintenance], Finding] | None = None
    """What a host is told for whose maintenance has ended, and is still noted; the module of all hosts says it."""
    topology: Callable[[Live], Topology] | None = None
    images: Callable[[Site], tuple[ImageBuild, ...]] = lambda site: ()
    rotations: tuple[Rotation, ...] = ()
    account_rotations: Callable[[Site], tuple[Rotation, ...]] = lambda site: ()
    """Rotations of the accounts of applications (applications.yaml)."""
    inside: Inside | None = None
    recovery: Recovery | None = None
    likeness: Likeness | None = None
    """How its members' data is compared; None where they do not hold the same."""
    restart_cost: RestartCost | None = None
    """What `kbz adopt` foretells of a restart; None where clients have nothing to wait for."""
    entrances: tuple[Entrance, ...] = ()
    """What `kbz lb check` looks at from outside."""
    drills: tuple[Drill, ...] = ()
    """How `kbz drill` breaks it on purpose; the first is found by the module's name too."""
    probe: Callable[[Site], Workload] | None = None
    """What `kbz health --deep` writes through the official endpoint; None where another module's probe says it."""
    archives: tuple[Archive, ...] = ()
    """The services whose data its host keeps backups of (`kbz backup`, `kbz restore`)."""
    upgrades: tuple[Upgrades, ...] = ()
    """Which versions of its images may follow which (`kbz upgrade`)."""
    readiness: Readiness | None = None
    """What its members are asked before another series; None where upstream wants nothing of them."""
    parameters: tuple[Parameter[Any], ...] = ()
    """The parameters of site.yaml that it reads."""
    credentials: tuple[Credential, ...] = ()
    """The credentials of its service in the store; `consumers` says which other groups need one too."""
    delivered: tuple[str, ...] = ()
    """Passwords that its programs are delivered with, and that everybody tries first."""
    services: tuple[Service, ...] = ()
    """What applications use of it, with the official endpoint."""
    lab_packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Debian packages that it installs, by operating system: a host of the lab is made with them, and fetches none."""
    settled: tuple[Settled, ...] = ()
    """Which of its parameters the live service tells, for `kbz adopt --take-settings`."""
    preflight: tuple[str, ...] = ()
    """Checks about what a run cannot cure, such as the clock: `kbz preflight` tells them before the first run."""
    check_infos: tuple[CheckInfo, ...] = ()
    """What each of its check ids means; every id that `checks` can say is here."""
