"""Which modules may be at work at the same time, and that what they declare is all that they need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.chains.order import End, Place, arrange, declared
from keybuzz.site.module import Module
from tests.bench import beside
from tests.unit.engine.chains.fleets import Drawn, fleets, small
from tests.unit.support.site_values import memory_site

ROOT = Path(__file__).parents[4]
MODULES = all_modules()
SITE = memory_site()
REAL = {place.name: place for place in arrange(MODULES, MODULES, SITE)}
_ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")


def places_of(drawn: Drawn) -> dict[str, Place]:
    return {place.name: place for place in arrange(drawn.modules, drawn.modules, drawn.site)}


class TestAnyFleet:
    @given(fleets())
    def test_every_module_comes_once_and_after_what_it_waits_for(self, drawn: Drawn) -> None:
        places = list(places_of(drawn).values())
        names = [place.name for place in places]
        assert sorted(names) == sorted(module.name for module in drawn.modules)
        for number, place in enumerate(places):
            assert place.before <= set(names[:number])
            assert declared(place.module) & set(names) <= place.needs

    @given(fleets(), st.data())
    def test_no_two_at_work_share_a_host_and_all_get_their_turn(
        self, drawn: Drawn, data: st.DataObject
    ) -> None:
        """Whichever module is quicker: any that is open begins, and any that runs may be the next to end."""
        places = places_of(drawn)
        ends: dict[str, End] = {}
        running: list[Place] = []
        while len(ends) < len(places):
            for place in places.values():
                if place not in running and place.open(ends):
                    assert not any(place.hosts & other.hosts for other in running)
                    running.append(place)
            assert running, "nothing is at work, and not all have ended"
            ending = data.draw(st.sampled_from(running))
            running.remove(ending)
            ends[ending.name] = End.WELL

    @given(fleets(), st.data())
    def test_a_failure_stops_what_needs_it_and_what_is_on_its_hosts(
        self, drawn: Drawn, data: st.DataObject
    ) -> None:
        places = places_of(drawn)
        broken = data.draw(st.sampled_from(sorted(places)))
        ends: dict[str, End] = {}
        for name, place in places.items():
            if place.barred(places, ends):
                ends[name] = End.NOT_BEGUN
            else:
                ends[name] = End.FAILED if name == broken else End.WELL
        for name, place in places.items():
            bad = {other for other in place.needs if ends[other] is not End.WELL}
            near = broken in place.before and bool(place.own & places[broken].own)
            assert (ends[name] is End.NOT_BEGUN) == (bool(bad) or near)

    @given(fleets())
    def test_who_comes_last_waits_for_all_that_do_not_need_it(self, drawn: Drawn) -> None:
        for place in places_of(drawn).values():
            if place.module.comes_last:
                assert place.needs >= {m.name for m in drawn.modules} - {place.name}

    def test_the_owners_order_decides_between_two_on_one_host(self) -> None:
        drawn = Drawn((small("b"), small("a")), {"a": frozenset({"h"}), "b": frozenset({"h"})})
        places = places_of(drawn)
        assert places["a"].after == {"b"}
        assert not places["b"].after

    def test_an_entry_is_at_work_alone_with_the_cluster_that_it_leads_to(self) -> None:
        """A stage on the cluster makes it lead elsewhere, though the run of the cluster is not its own."""
        cluster, entry = small("cluster"), small("entry", fronts="cluster")
        other = small("other")
        members = {
            "cluster": frozenset({"c"}),
            "entry": frozenset({"e"}),
            "other": frozenset({"e"}),
        }
        drawn = Drawn((cluster, entry, other), members)
        places = {p.name: p for p in arrange((cluster, other), drawn.modules, drawn.site)}
        assert places["other"].after == {"cluster"}


class TestThisSite:
    def test_base_is_first_and_one_is_last(self) -> None:
        names = list(REAL)
        assert REAL[names[0]].before == frozenset()
        assert all(names[0] in place.needs for place in REAL.values() if place.name != names[0])
        assert REAL[names[-1]].module.comes_last
        assert REAL[names[-1]].needs == set(names[:-1])

    def test_clusters_on_hosts_of_their_own_are_built_at_the_same_time(self) -> None:
        together = {name for name, place in REAL.items() if place.before == {next(iter(REAL))}}
        assert together == {"patroni", "redis", "rabbitmq", "minio", "galera", "qdrant"}

    def test_the_page_says_what_comes_after_what(self) -> None:
        page = (ROOT / "docs" / "how-to" / "side-by-side.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| ([a-z0-9, -]+) \| ([a-z0-9, -]*) ?\|$", page, re.MULTILINE)
        told = {
            name: frozenset(after.strip().split(", ")) - {""}
            for names, after in rows
            if names != "module"
            for name in names.split(", ")
        }
        waits = {name: place.before for name, place in REAL.items()}
        implied = {n: {far for one in found for far in waits[one]} for n, found in waits.items()}
        direct = {name: found - implied[name] for name, found in waits.items()}
        last = list(REAL)[-1]
        assert told.pop(last) == {"all others"}
        del direct[last]
        assert told == direct

    def test_the_benchmark_has_a_time_for_every_module(self) -> None:
        assert beside.SECONDS.keys() == REAL.keys()
        assert max(beside.SECONDS.values()) < beside.longest(tuple(REAL.values()))
        assert beside.longest(tuple(REAL.values())) < sum(beside.SECONDS.values())

    @pytest.mark.parametrize("module", [m for m in MODULES if m.requires], ids=lambda m: m.name)
    def test_what_a_module_asks_elsewhere_is_what_it_says_it_needs(self, module: Module) -> None:
        """A reading, or a file, with the address of another group: its module is declared, and so waited for."""
        asked = {frozenset(found) for found in _asked(module)}
        undeclared = [found for found in asked if not found & declared(module)]
        assert undeclared == [], f"`needs` of {module.name} lacks one of each"


def _asked(module: Module) -> Iterator[set[str]]:
    """Yield, for each address of others in what a module describes, the modules that may be meant by it."""
    own = {str(server.address) for server in SITE.members(module.group)}
    for server in SITE.members(module.group):
        description = module.describe(SITE, server)
        asked = [repr(reading) for reading in description.readings]
        told = [repr(resource) for resource in (*description.resources, *description.cluster)]
        # A load balancer is asked by a reading; a file may name it as what must not be used.
        groups = [group for text in (*asked, *told) for group in _groups(text, own)]
        groups += [group for text in asked for group in _balanced(text)]
        for group in groups:
            if group != module.group:
                yield {other.name for other in MODULES if other.group == group and other.requires}


def _groups(text: str, own: set[str]) -> Iterator[str]:
    for address in set(_ADDRESS.findall(text)) - own:
        for server in SITE.servers:
            if str(server.address) == address:
                yield next(group for group in server.groups if group != "all")


def _balanced(text: str) -> Iterator[str]:
    for entry in SITE.catalogue.virtual_addresses:
        if re.search(rf"\b{re.escape(str(IPv4Address(entry.address)))}\b", text):
            yield from entry.targets
