"""FRZ-1 holds for what one module changes inside another's cluster: the slot of the backups is Patroni's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze, Lift, lift
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import State
from keybuzz.site.policies import Policies
from tasks.backup import MODULE, converge
from tests.unit.engine.memory.test_forgetful import workspace
from tests.unit.support.scripted_hosts import Json, Script, fleet, scripted, sound
from tests.unit.tasks.backup.backup_world import HOST, SLOT_ID, UNIT_ID, good, live

REASON = "the owner said so on the phone"
CHAIN = (MODULE,)


def freeze(folder: Path, lifted: Lift = NO_LIFT) -> Freeze:
    return Freeze(frozenset({"patroni"}), lifted, FirstInstalls(folder / "first-installs"))


def without(identity: str) -> Mapping[str, State]:
    return {name: state for name, state in good().items() if name != identity}


def test_the_slot_is_not_made_inside_a_frozen_cluster(tmp_path: Path) -> None:
    found = live(states=without(SLOT_ID))
    assert freeze(tmp_path).refuses(MODULE, found)
    with pytest.raises(
        RefusedError, match="patroni-slot:kbz_backup inside the cluster of patroni"
    ) as caught:
        freeze(tmp_path).require_free(MODULE, found)
    assert "--lift-freeze patroni" in caught.value.hint


def test_its_bound_is_not_changed_either(tmp_path: Path) -> None:
    states = good()
    states[SLOT_ID].attributes["most"] = "1GB"  # type: ignore[index]  # made here
    assert freeze(tmp_path).refusal(MODULE, live(states=states)) is not None


def test_what_cannot_be_read_there_is_not_taken_for_nothing(tmp_path: Path) -> None:
    states = {**good(), SLOT_ID: State(SLOT_ID, False, problem="no member's Patroni answers")}
    assert freeze(tmp_path).refusal(MODULE, live(states=states)) is not None


def test_what_is_on_the_host_alone_is_free(tmp_path: Path) -> None:
    freeze(tmp_path).require_free(MODULE, live(states=without(UNIT_ID)))


def test_the_lift_of_the_cluster_is_taken_and_is_enough(tmp_path: Path) -> None:
    lifted = lift(["patroni"], REASON, CHAIN)
    freeze(tmp_path, lifted).require_free(MODULE, live(states=without(SLOT_ID)))
    own = lift(["backup"], REASON, CHAIN)
    assert freeze(tmp_path, own).refuses(MODULE, live(states=without(SLOT_ID)))


def test_a_nornir_script_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ops: list[str] = []

    def replies(host: str, request: Json) -> Iterable[bytes]:
        ops.append(request["op"])
        return sound(host, request) if "id" in request else []

    made = workspace(tmp_path / "journal.sqlite")
    nornir = scripted(Script({HOST: replies}))
    site = replace(made.site, policies=Policies(freeze=("patroni",)))
    nornir.config.user_defined["site"] = site
    found = nornir.filter(filter_func=lambda host: host.name == HOST).run(task=converge)
    assert "module patroni is frozen" in str(found[HOST][0].exception)
    assert "apply" not in ops


def test_every_resource_that_names_a_cluster_is_of_a_module_that_says_so() -> None:
    """Else its lift would be refused as one that the run does not touch."""
    modules = {module.name: module for module in all_modules()}
    found = {
        (name, resource.cluster_of)
        for host in fleet().values()
        for name, description in host.modules.items()
        for resource in (*description.resources, *description.cluster)
        if resource.cluster_of
    }
    assert ("backup", "patroni") in found
    assert found == {(name, other) for name, module in modules.items() for other in module.reaches}
