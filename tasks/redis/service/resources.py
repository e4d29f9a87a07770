"""Resources of Redis and Sentinel.

Both daemons rewrite their configuration file: who follows whom, `myid`, `known-*`. Such a runtime file is made once,
when it is absent, and then belongs to the daemon. What is settled stands in a file of ours, which the daemon reads
after its own and cannot write, so that our values win at every start. While it runs, they are compared over its
own protocol, and set there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret

OURS, FORMER, ANOTHER = "ours", "the former one", "another one"
"""Passwords that a Redis takes, as they are called where none may be shown."""
Settings = tuple[tuple[str, str], ...]
"""Keys and their values as CONFIG GET and SENTINEL MASTER answer them."""


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """How the agent reaches the daemons of its own host: on the private address, never on 127.0.0.1 (facts/04)."""

    address: str
    password: Secret
    port: int = 6379
    sentinel_port: int = 26379
    former: Secret | None = None
    """The password that a rotation is about to replace: tried where the other is not taken yet."""
    file: str = ""
    """Where a Redis as described keeps its settings; one that keeps them elsewhere, or nowhere, will be replaced."""

    def order(self) -> Json:
        """Return the agent's part of a query."""
        return {
            "address": self.address,
            "port": self.port,
            "sentinel_port": self.sentinel_port,
            "password": self.password.reveal(),
            "former": self.former.reveal() if self.former else "",
            "file": self.file,
        }


@dataclass(frozen=True, slots=True)
class RuntimeFile:
    """Where a runtime file is, and whose."""

    path: str
    owner: int
    group: int
    container: str
    """The container whose daemon it belongs to."""

    def wanted(self) -> dict[str, str | int]:
        """Return the attributes that any of them must have."""
        return {"owner": self.owner, "group": self.group, "mode": "0600"}

    def order(self) -> Json:
        """Return the agent's part of an order."""
        return {"owner": self.owner, "group": self.group, "container": self.container}


@dataclass(frozen=True, slots=True)
class RedisRuntime(Resource):
    """Redis's own file. `follows` is an address, empty for a master, None where nothing has been decided.

    The rollout decides, from the live topology. The agent writes it only into a new file, or for a daemon that does
    not run; it never takes a `replicaof` away.
    """

    kind: ClassVar[str] = "redis-runtime"
    file: RuntimeFile
    port: int = 6379
    follows: str | None = None

    @property
    def name(self) -> str:
        return self.file.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        found = self.file.wanted()
        return found if self.follows is None else {**found, "follows": self.follows}

    def order(self) -> Json:
        replica = f"replicaof {self.follows} {self.port}\n" if self.follows else ""
        return {**self.query(), **self.file.order(), "follows": self.follows, "line": replica}


@dataclass(frozen=True, slots=True)
class SentinelWatch:
    """What a Sentinel must know about the master: by which name, and when it counts as down."""

    master: str
    quorum: int
    settings: Settings
    announce: str
    """Address under which the others reach this Sentinel."""


@dataclass(frozen=True, slots=True)
class SentinelRuntime(Resource):
    """Sentinel's own file: everything about the master stands there, so it is born with all of it."""

    kind: ClassVar[str] = "sentinel-runtime"
    file: RuntimeFile
    access: RedisAccess
    watch: SentinelWatch
    monitors: str | None = None
    """Address of the master; the rollout decides."""

    @property
    def name(self) -> str:
        return self.file.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        found = self.file.wanted()
        return found if self.monitors is None else {**found, "monitors": self.monitors}

    def query(self) -> Json:
        return {**Resource.query(self), "master": self.watch.master}

    def order(self) -> Json:
        text = "" if self.monitors is None else self._text(self.monitors)
        return {**self.query(), **self.file.order(), "text": text}

    def _text(self, address: str) -> str:
        master = self.watch.master
        password = self.access.password.reveal()
        lines = [
            "# Sentinel keeps its own state here. kbz makes this file once.",
            f"sentinel monitor {master} {address} {self.access.port} {self.watch.quorum}",
            f"sentinel auth-pass {master} {password}",
            *(f"sentinel {key} {master} {value}" for key, value in self.watch.settings),
            f"sentinel announce-ip {self.watch.announce}",
            f"sentinel announce-port {self.access.sentinel_port}",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class RedisData(Resource):
    """The format of the data on disk. Compared and never written: newer data refuses the run (contradiction 19)."""

    kind: ClassVar[str] = "redis-data"
    path: str
    newest: int
    """Newest RDB version that the frozen image can load."""

    @property
    def name(self) -> str:
        return self.path

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"loadable": True}

    def query(self) -> Json:
        return {**Resource.query(self), "newest": self.newest}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class RedisSettings(Resource):
    """Settings of the running Redis, set without a restart; `masterauth` is compared on the host."""

    kind: ClassVar[str] = "redis-settings"
    access: RedisAccess
    settings: Settings

    @property
    def name(self) -> str:
        return "live"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {**dict(self.settings), "masterauth_matches": True}

    def query(self) -> Json:
        keys = [key for key, _ in self.settings]
        return {**Resource.query(self), **self.access.order(), "keys": keys}

    def order(self) -> Json:
        return {**self.query(), "settings": dict(self.settings)}


@dataclass(frozen=True, slots=True)
class RedisPassword(Resource):
    """Which passwords the running Redis takes: the one of the store, and beside it only what a rotation replaces."""

    kind: ClassVar[str] = "redis-password"
    access: RedisAccess

    @property
    def name(self) -> str:
        return "default"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        if self.access.former is not None:
            return {"taken": (OURS, FORMER)}
        return {"taken": (OURS,), "requirepass_matches": True}

    def query(self) -> Json:
        return {**Resource.query(self), **self.access.order()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class SentinelMonitor(Resource):
    """What the running Sentinel knows about the master, except who it is: that is its own decision."""

    kind: ClassVar[str] = "sentinel-monitor"
    access: RedisAccess
    watch: SentinelWatch
    runtime: str
    """Sentinel's own file, the only place where its password for Redis can be read back."""
    address: str = ""
    """The master, for a Sentinel that does not know one of this name; the rollout decides."""

    @property
    def name(self) -> str:
        return self.watch.master

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {
            "quorum": str(self.watch.quorum),
            **dict(self.watch.settings),
            "announce-ip": self.watch.announce,
            "announce-port": str(self.access.sentinel_port),
            "auth_pass_matches": True,
        }

    def query(self) -> Json:
        keys = [key for key, _ in self.watch.settings]
        return {
            **Resource.query(self),
            **self.access.order(),
            "keys": keys,
            "runtime": self.runtime,
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "quorum": str(self.watch.quorum),
            "settings": dict(self.watch.settings),
            "announce": self.watch.announce,
            "master_address": self.address,
        }


@dataclass(frozen=True, slots=True)
class RedisMaster(Resource):
    """The wish that a node is no longer the master: writes pause, replicas catch up, Sentinel hands over."""

    kind: ClassVar[str] = "redis-master"
    access: RedisAccess
    master: str
    """Name by which Sentinel knows it."""
    member: str
    heir: str = ""
    """Address of the node that is to be master then; empty: Sentinel chooses."""

    @property
    def name(self) -> str:
        return self.member

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"leads": False}

    def query(self) -> Json:
        return {**Resource.query(self), **self.access.order()}

    def order(self) -> Json:
        return {**self.query(), "master": self.master, "heir": self.heir}
