"""Where shards of hosts are asked: the options of the runner `kbz_sharded`. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class BackEnd(Enum):
    """How the controller reaches its workers."""

    PROCESS = "process"
    """Processes on the controller."""
    RELAY = "relay"
    """A machine in each region, over SSH; nothing listens there but sshd."""
    DASK = "dask"
    """A standing pool of Dask.distributed, over TLS."""


@dataclass(frozen=True, slots=True)
class Relay:
    """The machine of a region that asks the hosts there."""

    region: str
    address: str
    python: str
    """Absolute path of the Python that kbz is installed for."""
    config: str
    """Absolute path of the relay's own nornir_config.yaml."""
    user: str = "root"
    port: int = 22


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a process of a pool, absolute: the pool's own CA, and a certificate of it with its key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Pool:
    """A standing pool, whose workers ask the hosts of their regions."""

    address: str
    """HOST:PORT of its scheduler; the host is in the scheduler's certificate."""
    regions: tuple[str, ...]
    tls: Tls


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """What nornir_config.yaml says of `kbz_sharded`."""

    back_end: BackEnd
    num_workers: int
    """Hosts that one worker asks at a time; also for what the controller does itself."""
    shard_size: int = 50
    """Hosts of one shard at most."""
    shards: int = 2
    """Shards at work at a time on one machine: the controller, or a relay."""
    deadline: int = 300
    """Seconds for one shard; its hosts that are not heard by then are unknown."""
    relays: Mapping[str, Relay] = field(default_factory=dict)
    """By region."""
    pool: Pool | None = None
