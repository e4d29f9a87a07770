"""What a host answers, of the right shape and of any content: no check, gate or rollout of any module falls over it."""

from __future__ import annotations

import types
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.guard import cluster_of
from keybuzz.engine.look.heard import answer_to, state_of
from keybuzz.engine.look.judging import judged, topology_of
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.site.module import Module
from tests.unit.support.scripted_hosts import SITE, fleet, sample

MODULES = {module.name: module for module in all_modules()}
MOST_HOSTS = 5

WORDS = (
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "9" * 30,
        "1e999",
        "nan",
        "٣",
        "yes",
        "true",
        "None",
        "null",
        "{}",
        "[]",
    ),
    *(
        "master",
        "slave",
        "streaming",
        "running",
        "replica",
        "up",
        "UP",
        "ok",
        "OK",
        "Synced",
        "Primary",
    ),
    *(
        "ON",
        "active",
        "True",
        "rabbit@queue-01",
        "10.0.0.123",
        "10.0.0.123:9000",
        "f",
        "grastate.dat",
    ),
    *(
        "a: b",
        ":",
        "\n",
        "\x85",
        " \x1c\n x",
        "x" * 3000,
        "\x1b[2J\r",
        "a,b\nc",
        "# pxname,svname,status\n",
    ),
    *("# pxname,svname\nx,y,UP,z", "[" * 2000, '{"success": 1e999}', '{"success": NaN}', "\0"),
    *("00000000-0000-0000-0000-000000000000:-1", "0-0:9", "description: x", "\u202e"),
)
TEXTS = st.sampled_from(WORDS) | st.text(max_size=5)
NUMBERS = st.sampled_from((0, 1, -1, 2, 3, 200, 2**31, 2**62, -(2**62)))
FLOATS = st.sampled_from((0.0, -0.0, 1.0, -1.0, 1e308, 1e-308, 95.0))
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PATRONI = st.fixed_dictionaries(
    {},
    optional={
        "state": st.just("running") | ANYTHING,
        "role": st.sampled_from(("master", "replica")) | ANYTHING,
        "timeline": ANYTHING,
        "server_version": ANYTHING,
        "patroni": ANYTHING,
        "database_system_identifier": ANYTHING,
        "pending_restart": ANYTHING,
        "members": st.lists(
            st.fixed_dictionaries(
                {},
                optional={"name": TEXTS, "state": ANYTHING, "lag": ANYTHING, "timeline": ANYTHING},
            )
            | ANYTHING,
            max_size=3,
        )
        | ANYTHING,
    },
)


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Return values of a type, of any content."""
    if is_typeddict(shape):
        hints = get_type_hints(shape, include_extras=True)
        needed = {name: values(h) for name, h in hints.items() if name in shape.__required_keys__}
        others = {name: values(h) for name, h in hints.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=others)
    origin, parts = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return st.one_of(*(values(part) for part in parts))
    if origin is NotRequired:
        return values(parts[0])
    if origin is tuple:
        return st.tuples(*(values(part) for part in parts)).map(list)
    if origin is list:
        return st.lists(values(parts[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(TEXTS, values(parts[1]), max_size=3)
    plain = {str: TEXTS, int: NUMBERS, bool: st.booleans(), float: FLOATS, type(None): st.none()}
    return PATRONI | ANYTHING if shape is Any else plain[shape]


@st.composite
def answers(draw: st.DrawFn, reading: Reading) -> Any:
    """Return a value for a reading; where names are asked for by key, those keys too."""
    value = draw(values(reading.answers))
    for part, names in (("rows", "statements"), ("replies", "commands")):
        asked = getattr(reading, names, ())
        if part in value and asked:
            inner = get_args(get_type_hints(reading.answers)[part])[1]
            keys = [name if isinstance(name, str) else " ".join(name) for name in asked]
            value[part].update({key: draw(values(inner)) for key in keys if draw(st.booleans())})
    return value


ATTRIBUTE = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=3)


@st.composite
def states(draw: st.DrawFn, resource: Resource) -> dict[str, Any]:
    """Return a state of a resource with odd attributes, and now and then a problem."""
    wanted = list(resource.wanted(SITE.digest_key))
    extra = ("running", "version", "id", "digest", "find", "deployment", "place", "size", "by")
    names = draw(st.lists(st.sampled_from((*wanted, *extra)), max_size=4, unique=True))
    return {
        "present": draw(st.booleans()),
        "attributes": {name: draw(ATTRIBUTE) for name in names},
        "text": draw(st.none() | TEXTS),
        "problem": draw(st.sampled_from(("", "", "", "cannot be read\n"))),
    }


@cache
def hosts_of(name: str) -> tuple[str, ...]:
    return tuple(s.name for s in SITE.members(MODULES[name].group))[:MOST_HOSTS]


def observed(module: Module, host: str, draw: st.DrawFn | None) -> Observation:
    """Return what the product makes of what a host says: sound answers, or drawn ones."""
    found = fleet()[host].modules[module.name]
    resources = (*found.resources, *found.cluster)
    plain: dict[str, Any] = {"present": False, "attributes": {}}
    return Observation(
        {r.identity: state_of(r, draw(states(r)) if draw else plain) for r in resources},
        {
            r.name: answer_to(
                r, {"value": draw(answers(r)) if draw else sample(r.answers)}, (0.0, 1.0)
            )
            for r in found.readings
        },
    )


@st.composite
def snapshots(draw: st.DrawFn, name: str) -> Snapshot:
    """Return what the hosts of a module say, one or several of which say anything."""
    hosts = hosts_of(name)
    odd = draw(st.sets(st.sampled_from(hosts), min_size=1, max_size=2))
    return Snapshot({h: observed(MODULES[name], h, draw if h in odd else None) for h in hosts})


def live_of(module: Module, snapshot: Snapshot) -> Live:
    view = View(
        {host: fleet()[host] for host in snapshot.observations},
        snapshot,
        frozenset(snapshot.observations),
        SITE.digest_key,
    )
    return view.live(module, SITE)


def is_one_line(text: str) -> bool:
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


def about(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.host for finding in findings if finding.host}


@pytest.mark.parametrize("name", MODULES)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_falls_over_what_a_host_says(name: str, data: st.DataObject) -> None:
    module = MODULES[name]
    live = live_of(module, data.draw(snapshots(name)))
    found = module.checks(live)
    assert set(hosts_of(name)) <= about(found)
    for finding in found:
        assert is_one_line(finding.message)
        assert is_one_line(finding.hint)
    if module.topology is not None:
        shown = module.topology(live)
        assert {member.host for member in shown.members} >= set(hosts_of(name))
    cluster_of(module, live)
    module.writer(live)
    if module.virgin is not None:
        module.virgin(live)
    for act in (module.next_stage, *(_moves(module, host) for host in hosts_of(name))):
        try:
            stage = act(live)
        except KbzError:
            continue
        for gate in (stage.before, stage.after) if stage is not None else ():
            assert gate is None or gate.reason(live) is None or gate.reason(live)


def _moves(module: Module, host: str) -> Any:
    return lambda live: module.release(live, host) or module.regain(live, host)


BROKEN = "sees an odd word"


def _odd(live: Live) -> tuple[Finding, ...]:
    """A check that has not thought of one host's word."""
    bad = [host for host, view in live.hosts.items() if view.answer("odd").value == BROKEN]
    if bad:
        raise IndexError(BROKEN)
    seen = (Finding("demo.ok", Level.OK, "", host) for host in live.hosts)
    lost = (Finding("demo.ok", Level.UNKNOWN, why, host) for host, why in live.unreachable.items())
    return (*seen, *lost)


def test_a_check_that_falls_over_one_host_says_so_of_that_host_and_judges_the_others() -> None:
    redis = MODULES["redis"]
    hosts = hosts_of("redis")
    live = live_of(redis, Snapshot({host: observed(redis, host, None) for host in hosts}))
    bad = hosts[0]
    views: Mapping[str, Any] = {
        host: replace(view, answers={"odd": Answer("odd", BROKEN if host == bad else "")})
        for host, view in live.hosts.items()
    }
    demo = replace(redis, checks=_odd, topology=None)
    kept, found = judged(demo, replace(live, hosts=views))
    assert set(kept.hosts) == set(hosts[1:])
    levels = {finding.host: finding.level for finding in found}
    assert levels == {bad: Level.UNKNOWN, **dict.fromkeys(hosts[1:], Level.OK)}
    assert BROKEN in next(f.message for f in found if f.host == bad)
    assert topology_of(demo, kept) is None
