"""Values of a site that break a service together: a run refuses them before its first stage."""

from __future__ import annotations

import threading

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError
from tests.unit.support.site_values import described, memory_nornir, memory_site, with_parameters


def test_a_run_begins_no_stage(tmp_path_factory: pytest.TempPathFactory) -> None:
    site = with_parameters(memory_site(), {"galera.max_connections": "419"})
    module = next(module for module in all_modules() if module.name == "proxysql")
    told: list[object] = []
    conductor = Conductor(
        memory_nornir(site),
        site,
        (module,),
        (module,),
        described(site, module),
        frozenset({"proxysql-01"}),
        told.append,
        float("inf"),
        threading.Event(),
        Freeze(frozenset(), NO_LIFT, FirstInstalls(tmp_path_factory.mktemp("marks"))),
    )
    with pytest.raises(RefusedError, match="more than the 419 that a node takes"):
        conductor.run(Snapshot({}, {}))
    assert told == []
