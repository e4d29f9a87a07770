"""FRZ-1: what could not be read on a host that the run would change is never virgin, in any module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.host.system import SystemdUnit
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.healthy import healthy

KEY = memory_site().digest_key
MODULES = {module.name: module for module in all_modules() if module.virgin is not None}
PROXIES = ("redis-proxy", "rabbitmq-proxy")
Problem = Callable[[Resource], str]
each_module = pytest.mark.parametrize("name", MODULES)
each_proxy = pytest.mark.parametrize("name", PROXIES)


def as_read(view: HostView, problem: Problem) -> HostView:
    """Return a host where nothing is there, as far as it could be read."""
    states = {
        resource.identity: State(resource.identity, False, problem=problem(resource))
        for resource in view.resources
    }
    name = view.server.name
    changes = plan_host(name, "module", view.resources, states, KEY)
    return replace(view, states=states, answers={}, changes=changes)


def live_of(name: str, problem: Problem) -> Live:
    live = healthy(name)
    hosts = {host: as_read(view, problem) for host, view in live.hosts.items()}
    return replace(live, hosts=hosts)


def nothing(resource: Resource) -> str:
    return ""


def everything(resource: Resource) -> str:
    return "input/output error"


def only(kind: type[Resource]) -> Problem:
    return lambda resource: "input/output error" if isinstance(resource, kind) else ""


def require(name: str, live: Live, marks: Path) -> None:
    module = MODULES[name]
    groups = frozenset({module.frozen_as or module.group})
    Freeze(groups, NO_LIFT, FirstInstalls(marks)).require_free(module, live)


def require_refused(name: str, live: Live, marks: Path) -> None:
    with pytest.raises(RefusedError, match="is frozen"):
        require(name, live, marks)
    assert not (marks / name).exists(), "a refused install leaves no mark"


@each_module
def test_hosts_that_cannot_be_read_are_refused(name: str, tmp_path: Path) -> None:
    require_refused(name, live_of(name, everything), tmp_path)


@each_proxy
@pytest.mark.parametrize("kind", [Container, File])
def test_one_kind_that_cannot_be_read_is_enough(
    name: str, kind: type[Resource], tmp_path: Path
) -> None:
    require_refused(name, live_of(name, only(kind)), tmp_path)


def test_the_watcher_that_cannot_be_read_is_enough(tmp_path: Path) -> None:
    require_refused("redis-proxy", live_of("redis-proxy", only(SystemdUnit)), tmp_path)


@each_proxy
def test_one_host_that_cannot_be_read_is_enough(name: str, tmp_path: Path) -> None:
    live = live_of(name, nothing)
    last = list(live.hosts)[-1]
    unread = as_read(live.hosts[last], everything)
    require_refused(name, replace(live, hosts={**live.hosts, last: unread}), tmp_path)


@each_proxy
def test_a_state_that_is_missing_was_not_read(name: str, tmp_path: Path) -> None:
    live = live_of(name, nothing)
    hosts = {host: replace(view, states={}) for host, view in live.hosts.items()}
    require_refused(name, replace(live, hosts=hosts), tmp_path)


@each_proxy
def test_bare_hosts_are_installed_and_marked(name: str, tmp_path: Path) -> None:
    require(name, live_of(name, nothing), tmp_path)
    assert (tmp_path / name).exists()


def beside(name: str) -> tuple[Live, str]:
    """Return two hosts of which the run changes the first alone, and the name of the other: it cannot be read."""
    live = live_of(name, nothing)
    other = list(live.hosts)[-1]
    unread = replace(as_read(live.hosts[other], everything), changes=())
    return replace(live, hosts={**live.hosts, other: unread}), other


def test_a_new_redis_proxy_may_be_installed_beside_one_that_is_not_touched(tmp_path: Path) -> None:
    live, other = beside("redis-proxy")
    require("redis-proxy", live, tmp_path / "unread")
    hosts = {host: view for host, view in live.hosts.items() if host != other}
    silent = replace(live, hosts=hosts, unreachable={other: "no route to host"})
    require("redis-proxy", silent, tmp_path / "silent")
    assert (tmp_path / "silent" / "redis-proxy").exists()


def test_a_rabbitmq_proxy_is_proven_by_every_host(tmp_path: Path) -> None:
    live, other = beside("rabbitmq-proxy")
    require_refused("rabbitmq-proxy", live, tmp_path)
    hosts = {host: view for host, view in live.hosts.items() if host != other}
    silent = replace(live, hosts=hosts, unreachable={other: "no route to host"})
    require_refused("rabbitmq-proxy", silent, tmp_path)
