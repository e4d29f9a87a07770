"""What a drill looks at: its own cluster, and those beside it that were well when it began."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drill import ground
from keybuzz.engine.drill.faults import NoFaults
from keybuzz.engine.look.observe import Observation, Snapshot
from tasks.rabbitmq_proxy import MODULE
from tasks.rabbitmq_proxy.drill import DRILL
from tests.unit.support.site_values import memory_nornir, memory_site
from tests.unit.tasks.rabbitmq.rabbitmq_world import HOSTS, World


def test_after_the_first_look_only_what_is_watched_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The entries to databases that are away answer late; they are on the drilled hosts, and are not asked again."""
    world, asked = World.healthy(), list[dict[str, set[str]]]()

    def observe(nornir: object, descriptions: dict[str, Any], access: object = None) -> Snapshot:
        asked.append({host: set(found.modules) for host, found in descriptions.items()})
        seen = {host: Observation(world._seen(host), world._answers(host)) for host in HOSTS}
        return Snapshot(seen, {host: "no route" for host in descriptions if host not in HOSTS})

    monkeypatch.setattr(ground, "observe", observe)
    site = memory_site()
    work: Any = SimpleNamespace(nornir=memory_nornir(site), site=site, stop=threading.Event())
    made = ground.ground_of(work, MODULE, DRILL, NoFaults(), all_modules())
    made.look()
    first, second = asked
    assert {"postgres-proxy", "rabbitmq-proxy"} <= first["haproxy-01"]
    assert [module.name for module in made.modules] == ["rabbitmq"]
    assert second == {
        **{host: {"rabbitmq-proxy"} for host in ("haproxy-01", "haproxy-02")},
        **{host: {"rabbitmq"} for host in HOSTS},
    }
