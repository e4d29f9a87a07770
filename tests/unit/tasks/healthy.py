"""Every module's cluster in health, with each answer whole: what a check may call good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.base import MODULE as BASE
from tests.unit.support.site_values import described
from tests.unit.support.system_values import NOW, WELL
from tests.unit.tasks.backup import backup_world
from tests.unit.tasks.galera import galera_world
from tests.unit.tasks.k3s import k3s_world
from tests.unit.tasks.minio import minio_world
from tests.unit.tasks.minio_client import client_world
from tests.unit.tasks.patroni import cluster_world
from tests.unit.tasks.postgres_proxy import proxy_world
from tests.unit.tasks.proxysql import proxysql_world
from tests.unit.tasks.rabbitmq import rabbitmq_world
from tests.unit.tasks.rabbitmq_proxy import rabbitmq_proxy_world
from tests.unit.tasks.redis import redis_world
from tests.unit.tasks.redis_proxy import redis_proxy_world

CONTAINER = {
    "name": "one",
    "restarting": False,
    "running": True,
    "paused": False,
    "restarts": 0,
    "oom_killed": False,
    "up": 90_000.0,
}


def _base() -> Live:
    site = cluster_world.site_of(3)
    known = described(site, BASE)
    units = Answer("base.failed-units", {"exit_code": 0, "stdout": "", "stderr": ""})
    seen = {
        host: Observation(
            {
                r.identity: State(
                    r.identity,
                    True,
                    {**r.wanted(site.digest_key), "running": True, "version": "27.1.1"},
                )
                for r in found.modules["base"].resources
            },
            {
                "base.system": Answer(
                    "base.system",
                    {**WELL, "hostname": host, "containers": [CONTAINER]},
                    between=(NOW, NOW + 0.2),
                ),
                "base.failed-units": units,
            },
        )
        for host, found in known.items()
    }
    return View(known, Snapshot(seen), frozenset(known), site.digest_key).live(BASE, site)


def _redis() -> Live:
    """Return Redis with the memory limit that the owner has not set so far."""
    live = redis_world.World.healthy().live()
    for host in live.hosts:
        live = with_state(live, host, redis_world.SETTINGS, maxmemory="1073741824")
    return live


_LIVES: Mapping[str, Callable[[], Live]] = {
    "base": _base,
    "patroni": lambda: cluster_world.World.healthy(3).live(),
    "postgres-proxy": lambda: proxy_world.World.healthy().live(),
    "redis": _redis,
    "redis-proxy": lambda: redis_proxy_world.World.healthy().live(),
    "rabbitmq": lambda: rabbitmq_world.World.healthy().live(),
    "rabbitmq-proxy": lambda: rabbitmq_proxy_world.World.healthy().live(),
    "minio": lambda: minio_world.World.healthy().live(),
    "minio-client": client_world.healthy,
    "galera": lambda: galera_world.World.healthy().live(),
    "proxysql": lambda: proxysql_world.World.healthy().live(),
    "backup": backup_world.healthy,
    "k3s": lambda: k3s_world.World.healthy().live(),
}


@cache
def healthy(module: str) -> Live:
    """Return a module's hosts in health; KeyError for a module that has none here.

    A module that is not named here has them in its own tests: `healthy` of tests/unit/tasks/<module>/healthy_world.py.
    """
    own = of_module(module, "healthy")
    live: Live = own() if own and module not in _LIVES else _LIVES[module]()
    return live


def of_module(module: str, name: str) -> Any:
    """Return what a module's own tests have of that name in their `healthy_world.py`; None where they have none."""
    package = f"tests.unit.tasks.{module.replace('-', '_')}"
    if find_spec(package) is None or find_spec(f"{package}.healthy_world") is None:
        return None
    return getattr(import_module(f"{package}.healthy_world"), name, None)


def with_answers(live: Live, host: str, values: Mapping[str, object]) -> Live:
    """Return the same with other answers of one host; an Answer is taken as it is."""
    view = live.hosts[host]
    said = {
        name: value
        if isinstance(value, Answer)
        else replace(view.answers.get(name, Answer(name)), value=value)
        for name, value in values.items()
    }
    changed = replace(view, answers={**view.answers, **said})
    return replace(live, hosts={**live.hosts, host: changed})


def with_state(live: Live, host: str, identity: str, **attributes: Any) -> Live:
    """Return the same with other attributes of one resource of one host."""
    view = live.hosts[host]
    state = view.states[identity]
    state = replace(state, attributes={**state.attributes, **attributes})
    changed = replace(view, states={**view.states, identity: state})
    return replace(live, hosts={**live.hosts, host: changed})
