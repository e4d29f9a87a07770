"""FRZ-1: the refusal says who asks for what; which lift is one, what is virgin, when a first install has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze, Lift, lift
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.site.module import Module
from tests.unit.support.application_values import with_applications
from tests.unit.support.site_values import described, memory_site

GALERA = next(module for module in all_modules() if module.name == "galera")


def refusal(tmp_path: Path, *, only_applications: bool) -> str:
    site = with_applications()
    server = site.members("galera")[0]
    inside = described(site, GALERA)[server.name].modules["galera"].cluster

    def asked(resource: Resource) -> bool:
        return bool(resource.application) or not only_applications

    changes = tuple(
        Change(server.name, "galera", resource, Action.CREATE)
        for resource in inside
        if asked(resource)
    )
    view = HostView(server, {}, {}, changes)
    live = Live("galera", (server,), {server.name: view}, {}, frozenset({server.name}))
    freeze = Freeze(frozenset({"galera"}), NO_LIFT, FirstInstalls(tmp_path))
    with pytest.raises(RefusedError) as caught:
        freeze.require_free(replace(GALERA, virgin=None), live)
    return str(caught.value)


def test_additions_of_applications_are_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, only_applications=True)
    assert "4 changes needed, none made" in said
    assert "need the owner's lift once" in said
    assert "mysql-database:erp_acme, mysql-database:erp_beta" in said
    assert "for erp" in said
    assert "--lift-freeze galera --reason" in said


def test_anything_else_is_no_mere_addition(tmp_path: Path) -> None:
    assert "applications.yaml" not in refusal(tmp_path, only_applications=False)


MODULES = {module.name: module for module in all_modules()}
CHAIN = (MODULES["base"], MODULES["redis"])
TEN = "0123456789"


def live(changes: int) -> Live:
    servers = memory_site().members("redis")
    wanted = tuple(
        Change(servers[0].name, "redis", Container(f"c{number}", "image:1"), Action.CREATE)
        for number in range(changes)
    )
    views = {
        server.name: HostView(server, {}, {}, wanted if server is servers[0] else ())
        for server in servers
    }
    return Live("redis", servers, views, {}, frozenset(views))


def frozen(folder: Path, lifted: Lift = NO_LIFT) -> Freeze:
    return Freeze(frozenset({"redis"}), lifted, FirstInstalls(folder))


def redis(*, virgin: bool) -> Module:
    return replace(MODULES["redis"], virgin=lambda found: virgin)


class TestLift:
    def test_a_sentence_of_ten_characters_is_a_reason_and_is_kept_without_its_margins(self) -> None:
        found = lift(["redis"], f"  {TEN} ", CHAIN)
        assert found == Lift(frozenset({"redis"}), TEN)

    def test_a_shorter_one_is_none(self) -> None:
        with pytest.raises(UsageError, match="needs --reason TEXT"):
            lift(["redis"], f" {TEN[:9]}  ", CHAIN)

    def test_nothing_is_lifted_without_a_word(self) -> None:
        assert lift([], "", CHAIN) == NO_LIFT

    def test_a_reason_belongs_to_a_lift(self) -> None:
        with pytest.raises(UsageError, match="--reason belongs to --lift-freeze MODULE"):
            lift([], TEN, CHAIN)

    def test_the_first_module_that_is_not_touched_is_named(self) -> None:
        with pytest.raises(UsageError, match="--lift-freeze galera: this run"):
            lift(["redis", "proxysql", "galera"], TEN, CHAIN)


class TestRefusal:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [(1, "1 change needed"), (2, "2 changes needed"), (0, "0 changes needed")],
    )
    def test_it_counts_what_is_needed(self, tmp_path: Path, changes: int, said: str) -> None:
        found = frozen(tmp_path).refusal(redis(virgin=False), live(changes))
        assert found is not None
        assert f"deployed: {said}, none made" in str(found)
        assert "Not counted" not in str(found)

    def test_a_mark_of_other_members_is_told_and_does_not_count(self, tmp_path: Path) -> None:
        FirstInstalls(tmp_path).begin("redis", ("redis-01", "elsewhere"))
        found = frozen(tmp_path).refusal(redis(virgin=False), live(1))
        assert found is not None
        assert "Not counted: " in str(found)

    def test_virgin_ground_is_free_and_its_install_is_marked_until_it_has_ended(
        self, tmp_path: Path
    ) -> None:
        freeze, found = frozen(tmp_path), live(1)
        assert freeze.refusal(redis(virgin=True), found) is None
        freeze.require_free(redis(virgin=True), found)
        assert freeze.refusal(redis(virgin=False), found) is None, "it was cut off: go on"
        freeze.converged(MODULES["redis"])
        assert freeze.refusal(redis(virgin=False), found) is not None, "the install has ended"

    def test_a_lift_is_for_its_module_alone(self, tmp_path: Path) -> None:
        lifted = Lift(frozenset({"redis"}), TEN)
        assert frozen(tmp_path, lifted).refusal(redis(virgin=False), live(1)) is None
        other = Lift(frozenset({"galera"}), TEN)
        assert frozen(tmp_path, other).refusal(redis(virgin=False), live(1)) is not None
