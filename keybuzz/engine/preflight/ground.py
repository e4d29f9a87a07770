"""What a first run needs of the hosts: package sources, volumes, free ports, load balancers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keybuzz.engine.adopt.ground import require_own_ground
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.preflight.machines import of_copies, of_machine
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import on_host
from keybuzz.model.host.docker import Container
from keybuzz.model.host.readiness import Readiness, ReadinessAnswer
from keybuzz.model.host.system import Package
from keybuzz.model.reports.preflight import Obstacle
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir

READING = "first-run"
_LASTING = ("UUID=", "LABEL=", "PARTUUID=", "/dev/disk/by-")
"""How a source begins that means the same disk after every start."""


def of_ground(
    nornir: Nornir, site: Site, modules: Iterable[Module], lives: Mapping[str, Live]
) -> Iterator[Obstacle]:
    """Ask the hosts that answered once more, and yield every obstacle."""
    known = tuple(modules)
    for module in known:
        yield from _foreign(nornir, module, lives[module.name])
    hosts = sorted(
        {host for live in lives.values() for host in live.hosts if host in live.selected}
    )
    controllers = {server.name for server in site.members("controller")}
    asked = {
        host: HostDescription(
            {"preflight": Description((), (_question(site, host in controllers),))}, ()
        )
        for host in hosts
    }
    heard: dict[str, ReadinessAnswer] = {}
    for host, seen in sorted(observe(nornir, asked).observations.items()):
        answer = seen.answers[READING]
        if not answer.known:
            what = f"what a first run needs cannot be told: {answer.problem}"
            yield Obstacle((host,), "ground", what, on_host(host, "true"), stops=False)
            continue
        said: ReadinessAnswer = answer.value
        heard[host] = said
        yield from of_machine(host, said)
        yield from _sources(host, said, lives)
        yield from _balancers(host, said)
        if site.settings.lab is None:  # a lab has no volumes
            yield from _volumes(host, said, known, lives)
    yield from of_copies(heard)


def _question(site: Site, controls: bool) -> Readiness:
    addresses = site.catalogue.virtual_addresses if controls else ()
    return Readiness(READING, tuple((str(a.address), a.ports) for a in addresses if a.ports))


def _foreign(nornir: Nornir, module: Module, live: Live) -> Iterator[Obstacle]:
    """Yield what a run would refuse before the first change: data of another installation, a port that is taken."""
    bare = frozenset(
        host
        for host in live.selected & set(live.hosts)
        if live.hosts[host].changes and not _runs(live.hosts[host])
    )
    for host in sorted(bare) if module.ground is not None else ():
        try:
            require_own_ground(nornir, module, replace(live, selected=frozenset({host})))
        except RefusedError as refused:
            yield Obstacle((host,), module.name, refused.what, refused.hint)


def _runs(view: HostView) -> bool:
    containers = (item for item in view.resources if isinstance(item, Container))
    return any(view.present(item.identity) for item in containers)


def _sources(host: str, said: ReadinessAnswer, lives: Mapping[str, Live]) -> Iterator[Obstacle]:
    """Yield the package sources that are not reached, where something is to be installed from one."""
    changes = (change for live in lives.values() for change in live.changes())
    wanted = [
        c for c in changes if c.host == host and isinstance(c.resource, Package) and _comes(c)
    ]
    bad = [why for _, why in said["sources"] if why]
    if wanted and bad:
        todo = on_host(host, "apt-get", "update")
        yield Obstacle((host,), "package sources", f"not reached: {'; '.join(bad)}", todo)


def _comes(change: Change) -> bool:
    """Return whether a change may bring a package: one that is there may only be held from now on."""
    return change.action is not Action.UPDATE or any(
        found.attribute != "held" for found in change.differences
    )


def _balancers(host: str, said: ReadinessAnswer) -> Iterator[Obstacle]:
    for address, why in said["balancers"]:
        if why:
            what = f"the load balancer {address} is not there: {why}"
            yield Obstacle((host,), "load balancer", what, "kbz lb show", stops=False)


def _volumes(
    host: str, said: ReadinessAnswer, modules: Iterable[Module], lives: Mapping[str, Live]
) -> Iterator[Obstacle]:
    """Yield what is wrong with the volumes that data is to lie on, each once."""
    folders = {
        folder
        for module in modules
        if module.ground is not None and host in lives[module.name].hosts
        for folder in module.ground.own
    }
    types = dict(said["mounts"])
    places = (("/etc/fstab", said["fstab"]), ("a .mount unit", said["units"]))
    entries = {point: (place, source) for place, found in places for source, point in found}
    for point in sorted(entries):
        if point in types or not any(_is_in(point, f) or _is_in(f, point) for f in folders):
            continue
        what = f"the volume of {point} is in {entries[point][0]} and not mounted: data would go to the disk below"
        yield Obstacle((host,), "volume", what, on_host(host, "mount", point))
    mounted = sorted(p for p in types if p != "/")
    for point in mounted:
        if any(_is_in(folder, point) or _is_in(point, folder) for folder in folders):
            yield from _mounted(host, point, types[point], *entries.get(point, ("", "")))
    for folder in sorted(folders) if types else ():
        if not any(_is_in(folder, p) or _is_in(p, folder) for p in {*mounted, *entries} - {"/"}):
            what = f"{folder} has no volume: its data would be on the disk of the system"
            yield Obstacle((host,), "volume", what, "attach one, and mount it there", stops=False)


def _mounted(host: str, point: str, kind: str, place: str, source: str) -> Iterator[Obstacle]:
    if not place:
        what = (
            f"{point} is mounted, not in /etc/fstab, and no .mount unit that is enabled mounts it: "
            "after a restart data would go to the disk below"
        )
        todo = "write it in /etc/fstab, by UUID; or enable its unit"
        yield Obstacle((host,), "volume", what, todo)
    elif not source.startswith(_LASTING):
        what = f"{point} is in {place} as {source}, which may be another disk after a restart"
        yield Obstacle((host,), "volume", what, "write its UUID there: blkid says it", stops=False)
    if kind != "xfs":
        what = f"{point} is {kind}, and volumes of data are XFS"
        yield Obstacle((host,), "volume", what, "it is kept, and never formatted", stops=False)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
