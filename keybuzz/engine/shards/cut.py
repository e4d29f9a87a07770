"""Hosts cut into shards: by region, then into pieces of about the same size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybuzz.model.inventory.server import Server
from keybuzz.model.inventory.shards import BackEnd, ShardOptions

HERE = "this machine"


@dataclass(frozen=True, slots=True)
class Shard:
    """Hosts of one region that one worker asks."""

    name: str
    place: str
    """HERE, or the region whose relay or pool asks."""
    hosts: tuple[str, ...]


def cut(servers: Iterable[Server], options: ShardOptions) -> tuple[Shard, ...]:
    """Return the shards of these servers, in the order of the inventory.

    Hosts of a region that has no relay or pool, and of none, are asked by processes on the controller.
    """
    regions: dict[str, list[str]] = {}
    for server in servers:
        regions.setdefault(server.region, []).append(server.name)
    return tuple(
        Shard(f"{region or '*'}-{number}", place_of(region, options), hosts)
        for region, names in regions.items()
        for number, hosts in enumerate(_pieces(names, options.shard_size), start=1)
    )


def place_of(region: str, options: ShardOptions) -> str:
    """Return where the hosts of a region are asked from."""
    return region if region in remote_regions(options) else HERE


def remote_regions(options: ShardOptions) -> tuple[str, ...]:
    """Return the regions that others ask."""
    if options.back_end is BackEnd.RELAY:
        return tuple(options.relays)
    return () if options.pool is None else options.pool.regions


def by_place(shards: Iterable[Shard]) -> Mapping[str, tuple[Shard, ...]]:
    """Return the shards of each place."""
    found: dict[str, tuple[Shard, ...]] = {}
    for shard in shards:
        found[shard.place] = (*found.get(shard.place, ()), shard)
    return found


def _pieces(names: list[str], size: int) -> Iterable[tuple[str, ...]]:
    count = -(-len(names) // size)
    for number in range(count):
        yield tuple(names[number * len(names) // count : (number + 1) * len(names) // count])
