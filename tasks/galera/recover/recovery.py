"""After a total stop: which node has everything that was acknowledged, and how it begins again. Pure."""

from __future__ import annotations

import re
from pathlib import Path

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Image, StoppedContainer
from keybuzz.model.host.files import Absent, Directory, File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Position
from keybuzz.site.site import Site
from tasks.galera import values
from tasks.galera.members import NO_HISTORY, cut_off, nodes, unborn
from tasks.galera.recover.choice import UNKNOWN, choose
from tasks.galera.rollout import bootstrap, refuse_foreign_data
from tasks.galera.service.readings import GaleraPosition

__all__ = ["askable", "choose", "forget", "halt", "position", "question", "start", "startable"]

_SCRIPT = (Path(__file__).parents[1] / "templates" / "position.sh").read_text(encoding="utf-8")
NOTHING = (
    "holds nothing, and would take a full copy; if its disk is only not mounted it may hold the newest data: stop "
    "here, mount it, and give the command again"
)
_RECOVERED = re.compile(r"([0-9a-f-]{36}):(-?[0-9]{1,19})")


def halt(live: Live) -> Stage | None:
    """Return the stage that stops what runs without serving; RefusedError unless all is down, and seen."""
    found = nodes(live)
    if missing := sorted({member.name for member in live.members} - found.keys()):
        raise RefusedError(
            f"{', '.join(missing)} cannot be read: it may hold the newest data, or serve",
            where="galera",
            hint="bring it back first; nothing was changed",
        )
    if serving := [node for node in found.values() if node.primary]:
        going = any(node.flagged for node in serving)
        raise RefusedError(
            f"{', '.join(node.host for node in serving)} is in a Primary component: the cluster is not down",
            where="galera",
            hint="kbz run galera goes on from there" if going else "kbz run galera starts the rest",
        )
    if denied := [node.host for node in found.values() if node.denied]:
        raise RefusedError(
            f"{', '.join(denied)} does not take the password of mariadb.env: it may serve",
            where="galera",
            hint="put the live password into mariadb.env",
        )
    if host := cut_off(live):
        raise RefusedError(
            f"a first start was cut off on {host}: there is nothing to recover",
            where="galera",
            hint="kbz run galera begins the first start again",
        )
    if unborn(live):
        raise RefusedError(
            "there is no data on any node: nothing can be recovered",
            where="galera",
            hint="kbz run galera installs a new cluster",
        )
    stopping = tuple(
        Change(
            host,
            live.module,
            StoppedContainer(values.CONTAINER, values.STOP_TIMEOUT),
            Action.UPDATE,
            (Difference("running", True, False),),
        )
        for host, node in found.items()
        if node.running
    )
    return Stage("stop what serves no client", stopping) if stopping else None


def askable(live: Live) -> Stage | None:
    """Return the stage that brings back what `question` needs, on hosts that were installed again.

    Where the data folder is gone there is nothing to ask, and nothing is made yet: its disk may only not be mounted.

    Raises:
        RefusedError: a data folder is none of ours, or a host is not ready for it.
    """
    refuse_foreign_data(live)
    stage = _lost(live, frozenset({values.MY_CNF}), without=_without_folder(live))
    waiting = (
        c for c in live.changes() if c.action is Action.LATER and isinstance(c.resource, Image)
    )
    for change in waiting:
        raise RefusedError(
            f"the image cannot be looked for: {change.reason}",
            where=change.host,
            hint=f"nothing was started; {proposed('kbz', 'run', 'base', '--limit', change.host)} makes it ready",
        )
    return stage


def startable(live: Live) -> Stage | None:
    """Return the stage that brings back what a container reads, where a host lost it."""
    return _lost(live, frozenset({values.MY_CNF, values.START}))


def _without_folder(live: Live) -> frozenset[str]:
    return frozenset(
        change.host
        for change in live.changes()
        if change.action is Action.CREATE
        and isinstance(change.resource, Directory)
        and change.resource.path == values.VOLUME
    )


def _lost(live: Live, files: frozenset[str], without: frozenset[str] = frozenset()) -> Stage | None:
    """Return the stage that makes these files again, their directories and the image; what is there stays as it is."""
    created = [
        change
        for change in live.changes()
        if change.action is Action.CREATE and change.host not in without
    ]
    read = [
        change
        for change in created
        if isinstance(change.resource, Image)
        or (isinstance(change.resource, File) and change.resource.path in files)
    ]
    lost = tuple(c for c in created if c in read or isinstance(c.resource, Directory))
    return Stage("bring back what its hosts lost", lost) if read else None


def question(site: Site, server: Server) -> GaleraPosition:
    """Return the question for a stopped node's position."""
    del server
    return GaleraPosition(
        "galera.position",
        values.CONTAINER,
        values.DATA,
        site.image("mariadb-galera"),
        ("/bin/bash", "-c", _SCRIPT, "position", values.CUSTOM_CNF, f"{values.INSIDE}/data"),
        (f"{values.VOLUME}:{values.INSIDE}:rw", f"{values.MY_CNF}:{values.CUSTOM_CNF}:ro"),
    )


def position(host: str, answer: Answer) -> Position:
    """Return a node's position by its engine, and where grastate.dat says something else."""
    if not answer.known:
        return Position(host, UNKNOWN, -1, False, answer.problem)
    value = answer.value
    empty = value["databases"] == 0
    if not value["there"]:
        return Position(host, "", -1, False, "no data", empty=empty, warning=NOTHING)
    if not value["recovered"]:
        return Position(host, "", -1, bool(value["safe"]), "no database", empty=empty)
    found = _RECOVERED.fullmatch(value["recovered"])
    if found is None:
        return Position(host, UNKNOWN, -1, False, "its position is no position")
    history, number = found[1], int(found[2])
    said = (str(value["uuid"]), int(value["seqno"]))
    whole = history != NO_HISTORY and number >= 0
    if said[0] in ("", NO_HISTORY):
        # Galera takes the history away while a first copy or a change of the schema is under way.
        source = "grastate.dat: no whole copy"
        known = number if whole and not empty else -1
        return Position(host, "", known, bool(value["safe"]), source, empty=empty)
    if not whole:
        return Position(
            host, "", -1, bool(value["safe"]), "wsrep-recover: no whole copy", empty=empty
        )
    differs = said[0] != history or (said[1] >= 0 and said[1] != number)
    return Position(
        host,
        history,
        number,
        bool(value["safe"]),
        f"wsrep-recover; grastate.dat {said[0]}:{said[1]}" if differs else "wsrep-recover",
        f"its grastate.dat says {said[0]}:{said[1]}, and its engine {history}:{number}"
        if differs
        else "",
        int(value["view"]),
        tuple(value["members"]),
        empty,
    )


def forget(live: Live, host: str) -> Stage | None:
    """Return the stage after which all nodes but one take a full copy: none keeps a position to go on from."""
    leaving = tuple(
        Change(
            other,
            live.module,
            Absent(f"{values.DATA}/{name}"),
            Action.UPDATE,
            (Difference("there", True, False),),
        )
        for other in sorted(live.hosts)
        if other != host
        for name in ("grastate.dat", "gvwstate.dat")
    )
    return Stage("all others take a full copy", leaving) if leaving else None


def start(live: Live, host: str) -> Stage:
    """Return the bootstrap of the chosen node; the rollout then brings the others and takes the flag away."""
    return bootstrap(live, host, values.recovering)
