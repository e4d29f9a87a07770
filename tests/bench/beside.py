"""`kbz run` one after the other and side by side, over the site's own modules with steps that take a while.

The hosts are scratch hosts of this machine with real agents, one for each group. What a step costs there is waiting, as
on real servers, so that the machine's cores say nothing.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.chains.order import Place, arrange
from keybuzz.engine.chains.side_by_side import side_by_side
from keybuzz.engine.change.conduct import Conductor, Route, one_after_other
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import observe
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.content import Content
from keybuzz.model.core.live import Live
from keybuzz.model.host.files import File, HostValidator
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from tests.flow.support.agent_host import ScratchHost, scratch_host
from tests.flow.support.fleet import all_at_once, command

SECONDS: Mapping[str, int] = {
    "base": 3,
    "patroni": 8,
    "postgres-proxy": 3,
    "redis": 5,
    "redis-proxy": 3,
    "rabbitmq": 6,
    "rabbitmq-proxy": 3,
    "minio": 5,
    "minio-client": 1,
    "galera": 9,
    "proxysql": 3,
    "k3s": 6,
    "backup": 2,
    "qdrant": 2,
}
"""What each module's changes take on its host; tens of seconds on real servers."""


def measured() -> str:
    """Return the section: both ways, and the longest chain of modules that wait for each other."""
    found = {
        "one after the other": _taken(one_after_other),
        "`--side-by-side`": _taken(side_by_side),
        "the longest chain, added up": float(longest(_places())),
        "all modules, added up": float(sum(SECONDS.values())),
    }
    lines = ["| what | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in found.items()]
    return "### Side by side: a first installation whose steps wait\n\n" + "\n".join(lines) + "\n"


def longest(places: tuple[Place, ...]) -> int:
    """Return the seconds of the longest chain of modules that wait for each other."""
    ends: dict[str, int] = {}
    for place in places:
        begins = max((ends[name] for name in place.before), default=0)
        ends[place.name] = begins + SECONDS[place.name]
    return max(ends.values())


def _taken(route: Route) -> float:
    with tempfile.TemporaryDirectory(prefix="kbz-beside-") as name:
        folder = Path(name)
        with command(folder, {}, "kbz run all") as empty:
            groups = {module.group for module in all_modules()} - {"all"}
            names = [empty.site.members(group)[0].name for group in sorted(groups)]
        hosts = {name: scratch_host(folder / name) for name in names}
        with command(folder, hosts, "kbz run all") as made:
            modules = _modules(hosts)
            descriptions = describe_all(made.nornir, modules)
            conductor = Conductor(
                made.nornir,
                made.site,
                modules,
                modules,
                descriptions,
                frozenset(hosts),
                lambda event: None,
                float("inf"),
                threading.Event(),
                Freeze(frozenset(), NO_LIFT, FirstInstalls(folder / "first-installs")),
                route=route,
            )
            snapshot = observe(made.nornir, descriptions)
            started = time.monotonic()
            conductor.run(snapshot)
            return time.monotonic() - started


def _places() -> tuple[Place, ...]:
    with tempfile.TemporaryDirectory() as folder, command(Path(folder), {}, "kbz run all") as made:
        return arrange(all_modules(), all_modules(), made.site)


def _modules(hosts: Mapping[str, ScratchHost]) -> tuple[Module, ...]:
    return tuple(_slow(module, hosts) for module in all_modules())


def _slow(module: Module, hosts: Mapping[str, ScratchHost]) -> Module:
    """Return a module that declares the same, and writes one file that takes its seconds to check."""

    def describe(site: Site, server: Server) -> Description:
        check = HostValidator(("sh", "-c", f"sleep {SECONDS[module.name]} # {{}}"))
        path = str(hosts[server.name].files / module.name)
        return Description((File(path, Content.plain("new\n"), validator=check),))

    return Module(
        name=module.name,
        number=module.number,
        step=module.step,
        title=module.title,
        group=module.group,
        requires=module.requires,
        needs=module.needs,
        reaches=module.reaches,
        fronts=module.fronts,
        comes_last=module.comes_last,
        describe=describe,
        next_stage=all_at_once,
        checks=lambda live: (),
        members_up=_up if module.members_up is not None else None,
    )


def _up(live: Live) -> frozenset[str]:
    return frozenset(live.hosts)
