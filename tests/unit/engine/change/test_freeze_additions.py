"""FRZ-1 and applications: the refusal says who asks for what, where additions are all that is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.resource import Resource
from tests.unit.support.application_values import with_applications
from tests.unit.support.site_values import described

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
