"""After a total stop: which node has everything that was acknowledged, and how it begins again. Pure."""

from __future__ import annotations

import re

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.reading import Answer, GaleraPosition
from keybuzz.model.host.docker import StoppedContainer
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Position
from keybuzz.site.site import Site
from tasks.galera import values
from tasks.galera.members import NO_HISTORY, cut_off, nodes, unborn
from tasks.galera.rollout import bootstrap

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
    return Stage("stop what serves nobody", stopping) if stopping else None


def question(site: Site, server: Server) -> GaleraPosition:
    """Return the question for a stopped node's position."""
    del server
    return GaleraPosition(
        "galera.position",
        values.CONTAINER,
        values.DATA,
        site.image("mariadb-galera"),
        (
            values.SERVER,
            f"--defaults-file={values.CUSTOM_CNF}",
            f"--datadir={values.INSIDE}/data",
            "--log-bin=mysql-bin",
            "--socket=/tmp/recover.sock",
            "--pid-file=/tmp/recover.pid",
            "--wsrep-recover",
        ),
        (f"{values.VOLUME}:{values.INSIDE}:rw", f"{values.MY_CNF}:{values.CUSTOM_CNF}:ro"),
    )


def position(host: str, answer: Answer) -> Position:
    """Return a node's position; the server's own finding counts more than grastate.dat without a number."""
    if not answer.known:
        return Position(host, "?", -1, False, answer.problem)
    value = answer.value
    if not value["there"]:
        return Position(host, "", -1, False, "no data")
    history, number, source = value["uuid"], int(value["seqno"]), "grastate.dat"
    if value["recovered"]:
        found = _RECOVERED.fullmatch(value["recovered"])
        if found is None:
            return Position(host, "?", -1, False, "its position is no position")
        history, number, source = found[1], int(found[2]), "wsrep-recover"
    if history == NO_HISTORY or number < 0:
        return Position(host, "", -1, bool(value["safe"]), f"{source}: no whole copy")
    return Position(host, history, number, bool(value["safe"]), source)


def choose(positions: tuple[Position, ...]) -> str:
    """Return the node with the highest number of the one history; RefusedError when that is not proven."""
    if unknown := [item for item in positions if item.history == "?"]:
        raise RefusedError(
            f"its position is not known: {unknown[0].source}",
            where=unknown[0].host,
            hint="it may be the most advanced; nothing was started",
        )
    holding = [item for item in positions if item.history]
    if not holding:
        raise RefusedError(
            "no node holds a whole copy of the data",
            where="galera",
            hint="restore a backup; kbz makes no new cluster over what is there",
        )
    if len({item.history for item in holding}) > 1:
        told = ", ".join(f"{item.host} {item.history}" for item in holding)
        raise RefusedError(
            f"the nodes have different histories: {told}",
            where="galera",
            hint="two clusters have been written; the owner decides whose data stays. Nothing was started",
        )
    return min(holding, key=lambda item: (-item.number, not item.marked, item.host)).host


def start(live: Live, host: str) -> Stage:
    """Return the bootstrap of the chosen node; the rollout then brings the others and takes the flag away."""
    return bootstrap(live, host, values.recovering)
