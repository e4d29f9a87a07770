"""Virgin ground is proven, not assumed: before the first change of a module, data of its service is looked for.

What is recognised elsewhere than described, or serves already, refuses the change: an empty cluster beside the data
of an older one is a second cluster. Nothing is written, and what was found is said with its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from keybuzz.agent.host.data_marks import serving
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from keybuzz.model.host.ground import DataSweep, Ground, SweepAnswer
from keybuzz.model.host.system import SystemdUnit
from keybuzz.site.module import Description, Module

if TYPE_CHECKING:
    from nornir.core import Nornir

READING = "data.elsewhere"
Item = tuple[str, str, str, str]
"""Kind, path, identity and holder, as SweepAnswer has them."""


def require_own_ground(nornir: Nornir, module: Module, live: Live) -> None:
    """Look for data of the module's service anywhere on its selected hosts, and judge it."""
    if module.ground is None:
        return
    look = Description((), (DataSweep(READING, module.ground),))
    hosts = [host for host in live.hosts if host in live.selected]
    seen = observe(nornir, {host: HostDescription({module.name: look}, ()) for host in hosts})
    answers = {host: found.answers[READING] for host, found in seen.observations.items()}
    for host, problem in seen.unreachable.items():
        answers[host] = Answer(READING, problem=problem)
    judge_ground(
        module.name,
        module.ground,
        dict(sorted(answers.items())),
        {host: [r.name for r in _containers(live.hosts[host])] for host in hosts},
        {host: _present(live.hosts[host]) for host in hosts},
    )


def _containers(view: HostView) -> list[Container]:
    return [r for r in view.resources if isinstance(r, Container)]


def _present(view: HostView) -> list[str]:
    """Return the module's containers, and units that serve, which are there."""
    units = [r for r in view.resources if isinstance(r, SystemdUnit) and r.serves]
    return [r.name for r in (*_containers(view), *units) if view.present(r.identity)]


def judge_ground(
    module: str,
    ground: Ground,
    answers: Mapping[str, Answer],
    described: Mapping[str, Collection[str]],
    present: Mapping[str, Collection[str]],
) -> None:
    """Raise RefusedError for a host where another installation of the service is.

    `described` has the containers that the module describes on each host, `present` those of them that are there.
    """
    serving = any(answer.known and answer.value["listening"] for answer in answers.values())
    for host, answer in answers.items():
        if not answer.known:
            raise RefusedError(
                f"whether it holds data of {module} cannot be told: {answer.problem}",
                where=host,
                hint="nothing was written; run it again when the host answers",
            )
        if taking := next(_taking(answer.value, described[host]), None):
            raise RefusedError(
                f"another container is set up for its ports: {_told(taking)}; nothing was installed",
                where=host,
                hint=f"{_taken_away(host, taking)}: it keeps its configuration; then run again",
            )
        why = _why(ground, answer.value, described[host], bool(present[host]), serving)
        if why:
            raise RefusedError(
                f"{why}; nothing was installed",
                where=host,
                hint=f"{on_host(host, 'docker', 'ps', '-a')} shows its containers; move data to where it is described, "
                "or away, stop what has the port, and run again",
            )


def _taking(said: SweepAnswer, described: Collection[str]) -> Iterator[Item]:
    """Yield the configurations of other containers that run, or that Docker would start, with the service's ports."""
    for item in said["found"]:
        if item[0] in serving() and _is_another(item, described):
            yield item


def _taken_away(host: str, item: Item) -> str:
    name = item[3].partition(" ")[2]
    stop, remove = (on_host(host, "docker", verb, name) for verb in ("stop", "rm"))
    return f"move its clients, {stop}, {remove}"


def _why(
    ground: Ground, said: SweepAnswer, described: Collection[str], present: bool, served: bool
) -> str:
    """Return what forbids a change there; empty when all that was found is where it is described."""
    own = [item for item in said["found"] if _is_own(ground, item[1])]
    for item in (item for item in said["found"] if _is_another(item, described)):
        if item in own:
            return f"another container has its data: {_told(item)}"
    # A configuration is no data: what its own container has is replaced.
    own = [item for item in own if item[0] not in serving()]
    elsewhere = [
        item for item in said["found"] if item[0] not in serving() and not _is_own(ground, item[1])
    ]
    if elsewhere and not own:
        return f"data of another installation is there: {'; '.join(map(_told, elsewhere))}"
    if elsewhere and not served:
        return f"two generations of data are there, and none serves: {'; '.join(map(_told, [*own, *elsewhere]))}"
    if said["listening"] and not own and not present:
        port, program = said["listening"][0]
        return f"port {port} is taken by {program or 'a program that cannot be told'}"
    if said["problems"] and not own:
        return f"that it holds no data cannot be proven: {'; '.join(said['problems'][:3])}"
    return ""


def _is_another(item: Item, described: Collection[str]) -> bool:
    holder, _, name = item[3].partition(" ")
    return holder == "container" and name not in described


def _is_own(ground: Ground, path: str) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in ground.own)


def _told(item: Item) -> str:
    kind, path, identity, holder = item
    told = ", ".join(part for part in (identity, holder) if part)
    return f"{kind} in {path}{f' ({told})' if told else ''}"
