"""Every host is in one shard, of its own region, and no shard is too large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.shards.cut import HERE, by_place, cut
from keybuzz.model.inventory.shards import BackEnd, Pool, Relay, ShardOptions, Tls
from tests.unit.support.inventory_files import real_servers

SERVERS = real_servers()
RELAYS = {"fsn1": Relay("fsn1", "10.0.0.9", "/python", "/config")}

POOL = Pool("10.0.0.9:8786", ("fsn1",), Tls(Path("/ca"), Path("/cert"), Path("/key")))


@given(
    st.lists(st.sampled_from(["", "fsn1", "hel1"]), min_size=48, max_size=48),
    st.integers(1, 60),
    st.sampled_from(BackEnd),
)
def test_shards_hold_every_host_once(regions: list[str], size: int, back_end: BackEnd) -> None:
    servers = [replace(s, region=r) for s, r in zip(SERVERS, regions, strict=True)]
    relays = RELAYS if back_end is BackEnd.RELAY else {}
    pool = POOL if back_end is BackEnd.DASK else None
    shards = cut(servers, ShardOptions(back_end, 8, size, relays=relays, pool=pool))
    region = {server.name: server.region for server in servers}
    assert sorted(h for s in shards for h in s.hosts) == sorted(region)
    assert len({shard.name for shard in shards}) == len(shards)
    for shard in shards:
        assert 1 <= len(shard.hosts) <= size
        (own,) = {region[host] for host in shard.hosts}
        assert shard.place == (own if own in relays or (pool and own in pool.regions) else HERE)
    assert sum(map(len, by_place(shards).values())) == len(shards)


def test_pieces_are_of_about_the_same_size() -> None:
    shards = cut(SERVERS, ShardOptions(BackEnd.PROCESS, 8, 20))
    assert [(shard.name, len(shard.hosts)) for shard in shards] == [
        ("*-1", 16),
        ("*-2", 16),
        ("*-3", 16),
    ]
