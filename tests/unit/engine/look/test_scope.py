"""What was not asked is not judged: every module, every --limit of one host, looks and runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change import taker
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.look import survey as look
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.observe import Observation, Snapshot
from keybuzz.engine.look.scope import concerned, proven_virgin
from keybuzz.engine.look.status import status
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import HostView, Live, Stage
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.status import Frozen
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.unit.support.site_values import memory_nornir, memory_site

HOSTS = tuple(server.name for server in memory_site().servers)
MODULES = all_modules()
CLUSTERS = tuple(module for module in MODULES if module.members_up is not None)


@lru_cache(maxsize=1)
def everything() -> Mapping[str, HostDescription]:
    """Return the description of the whole fleet, made once for all tests of this file."""
    return describe_all(memory_nornir(memory_site()), MODULES)


def scripted(descriptions: Mapping[str, HostDescription], silent: Iterable[str] = ()) -> Snapshot:
    """Return a fleet on which every resource is as described, and which answers no other question."""
    key = memory_site().digest_key
    seen = {
        host: Observation(
            {
                resource.identity: State(resource.identity, True, dict(resource.wanted(key)))
                for module in described.modules.values()
                for resource in (*module.resources, *module.cluster)
            },
            {
                reading.name: Answer(reading.name, problem="not scripted")
                for module in described.modules.values()
                for reading in module.readings
            },
        )
        for host, described in descriptions.items()
        if host not in silent
    }
    away = {host: "no route" for host in silent if host in descriptions}
    return Snapshot(seen, away)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Script the hosts; the list holds every host that was asked, and what it was asked for as host/module."""
    found: list[str] = []

    def observe(
        nornir: object, descriptions: Mapping[str, HostDescription], *rest: object
    ) -> Snapshot:
        del nornir, rest
        found.extend(f"{host}/{name}" for host, one in descriptions.items() for name in one.modules)
        return scripted(descriptions)

    def describe(nornir: object, modules: tuple[Module, ...]) -> dict[str, HostDescription]:
        wanted = {module.name for module in modules}
        hosts = nornir.inventory.hosts  # type: ignore[attr-defined]  # Nornir's own
        return {
            host: replace(
                everything()[host],
                modules={n: d for n, d in everything()[host].modules.items() if n in wanted},
            )
            for host in hosts
        }

    monkeypatch.setattr(look, "observe_within", observe)
    monkeypatch.setattr(look, "describe_all", describe)
    monkeypatch.setattr(taker, "observe", observe)
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    site = memory_site()
    site = replace(site, settings=replace(site.settings, state=tmp_path))
    journal = Journal(tmp_path / "journal.sqlite")
    return Workspace(site, memory_nornir(site), journal, lambda event: None, "kbz health")


def spied(site: Site, selected: frozenset[str]) -> tuple[Module, ...]:
    """Return the modules, of which those that were not asked end the test when anything is made of them."""
    return tuple(
        _whole(module) if module in concerned(MODULES, site, selected) else _forbidden(module)
        for module in MODULES
    )


def _whole(module: Module) -> Module:
    """A green module that is told of its whole cluster, or of none of it."""

    def judge(live: Live) -> tuple[Finding, ...]:
        members = {server.name for server in live.members}
        assert module.members_up is None or set(live.hosts) | set(live.unreachable) == members
        return (Finding(f"{module.name}.asked", Level.OK, "is green"),)

    def nothing(live: Live) -> Stage | None:
        judge(live)
        return None

    def first(live: Live) -> str | None:
        return next(iter(live.hosts), None)

    return replace(module, checks=judge, next_stage=nothing, writer=first)


def _forbidden(module: Module) -> Module:
    def never(live: Live) -> None:
        raise AssertionError(f"{module.name} was judged, and none of its members was selected")

    topology = never if module.topology else None
    return replace(module, checks=never, next_stage=never, topology=topology, virgin=never)  # type: ignore[arg-type]  # they end the test


@pytest.mark.parametrize("host", HOSTS)
def test_a_look_at_one_host_judges_its_clusters_whole_and_no_other(
    workspace: Workspace, asked: list[str], host: str
) -> None:
    selected = frozenset({host})
    meant = {module.name for module in concerned(MODULES, workspace.site, selected)}
    found = look.survey(workspace, spied(workspace.site, selected), selected)
    assert {finding.check.partition(".")[0] for finding in found.findings} == meant
    assert {module.name for module in found.modules} == meant
    assert {word.partition("/")[2] for word in asked} == meant


@pytest.mark.parametrize("host", HOSTS)
def test_a_run_on_one_host_needs_no_cluster_that_it_does_not_belong_to(
    workspace: Workspace, asked: list[str], host: str, tmp_path: Path
) -> None:
    selected = frozenset({host})
    modules = spied(workspace.site, selected)
    before = look.survey(workspace, modules, selected)
    assert not before.plan.changes
    freeze = Freeze(frozenset(), NO_LIFT, FirstInstalls(tmp_path / "first-installs"))
    Conductor(
        workspace.nornir,
        workspace.site,
        modules,
        modules,
        before.descriptions,
        selected,
        lambda event: None,
        time.monotonic() + 60,
        threading.Event(),
        freeze,
    ).run(before.snapshot)


@pytest.mark.parametrize("host", HOSTS)
def test_real_checks_say_nothing_of_clusters_that_were_not_asked(
    workspace: Workspace, asked: list[str], host: str
) -> None:
    selected = frozenset({host})
    meant = {module.name for module in concerned(MODULES, workspace.site, selected)}
    found = look.survey(workspace, MODULES, selected)
    assert {finding.check.partition(".")[0] for finding in found.findings} <= meant
    clusters = status(workspace, MODULES, selected).clusters
    assert {cluster.module for cluster in clusters} <= meant


@given(st.sets(st.sampled_from(HOSTS), min_size=1))
def test_a_module_is_meant_when_one_of_its_members_is(selected: set[str]) -> None:
    site = memory_site()
    found = concerned(MODULES, site, frozenset(selected))
    for module in MODULES:
        members = {server.name for server in site.members(module.group)}
        assert (module in found) == bool(members & selected)


@pytest.mark.parametrize("module", CLUSTERS, ids=lambda module: module.name)
def test_what_does_not_answer_is_never_called_virgin(
    workspace: Workspace, asked: list[str], module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [server.name for server in workspace.site.members(module.group)]
    for silent in ([members[0]], members):
        monkeypatch.setattr(
            look,
            "observe_within",
            lambda nornir, found, *rest, away=tuple(silent): scripted(found, away),
        )
        (cluster,) = status(workspace, (module,), frozenset(members)).clusters
        assert cluster.frozen is not Frozen.VIRGIN


PROOFS = [
    pytest.param(module, kind, id=f"{module.name}-{kind.__name__}")
    for module in CLUSTERS
    for kind in (Container, File, SystemdUnit)
    if any(
        isinstance(resource, kind)
        for server in memory_site().members(module.group)
        for resource in everything()[server.name].modules[module.name].resources
    )
]


@pytest.mark.parametrize(("module", "kind"), PROOFS)
def test_what_cannot_be_read_is_never_called_virgin(module: Module, kind: type[Resource]) -> None:
    def seen(resource: Resource) -> State:
        problem = "input/output error" if isinstance(resource, kind) else ""
        return State(resource.identity, False, problem=problem)

    members = memory_site().members(module.group)
    hosts: dict[str, HostView] = {}
    for server in members:
        resources = everything()[server.name].modules[module.name].resources
        states = {resource.identity: seen(resource) for resource in resources}
        hosts[server.name] = HostView(server, states, {}, (), resources)
    selected = frozenset(server.name for server in members)
    green = replace(module, virgin=lambda live: True)
    assert not proven_virgin(green, Live(module.name, members, hosts, {}, selected))


def test_a_description_that_cannot_be_made_leaves_no_host_out_of_what_comes_next() -> None:
    """Once a run was told of an entry without a description, and then failed with a fault at that entry's hosts."""
    nornir = memory_nornir(memory_site())

    def broken(site: Site, server: Server) -> Description:
        raise InputError("an image is not listed", where="versions.yaml")

    entry = replace(MODULES[0], describe=broken)
    with pytest.raises(InputError, match="an image is not listed"):
        describe_all(nornir, (entry,))
    assert nornir.data.failed_hosts == set()
