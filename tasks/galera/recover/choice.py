"""Which node a recovery starts from: proven by the engines of all nodes, or named by the operator. Pure.

A node that holds acknowledged writes and is not chosen joins the chosen one and loses what that does not have. So
whatever could mean that no single node has everything is refused, with the table, until the operator names the source.
"""

from __future__ import annotations

from itertools import pairwise

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Position

JUMP = 1_000_000
"""Changes that a node may be ahead of the next one when it was not the last to leave by its own word."""
UNKNOWN = "?"
"""History of a node whose position is not known."""


def choose(positions: tuple[Position, ...], named: str = "") -> str:
    """Return the node with the highest number of the one history, or the named one.

    Raises:
        RefusedError: the positions do not prove that the node has every acknowledged write.
    """
    if named:
        return _named(positions, named)
    _require_known(positions)
    holding = [item for item in positions if item.history]
    if not holding:
        raise _nothing_whole(positions)
    _require_one_history(holding)
    _require_one_last(holding)
    _require_one_past(holding)
    best = min(holding, key=lambda item: (-item.number, not item.marked, item.host))
    _require_nothing_more(best, positions)
    _require_explained(best, [item for item in holding if item is not best])
    return best.host


def _named(positions: tuple[Position, ...], named: str) -> str:
    found = next((item for item in positions if item.host == named), None)
    if found is None:
        names = ", ".join(item.host for item in positions)
        raise RefusedError(
            f"{named} is no member of this cluster: {names}",
            where="galera",
            hint="--from takes one of them; nothing was started",
        )
    if not found.history or found.history == UNKNOWN:
        raise RefusedError(
            f"it holds no whole copy of the data: {found.source}",
            where=named,
            hint="name another node; nothing was started",
        )
    return named


def _require_known(positions: tuple[Position, ...]) -> None:
    for item in positions:
        if item.history == UNKNOWN:
            raise RefusedError(
                f"its position is not known: {item.source}",
                where=item.host,
                hint=f"it may be the most advanced. {_way_out()}",
            )
        if item.doubt:
            raise RefusedError(item.doubt, where=item.host, hint=_way_out())


def _require_one_history(holding: list[Position]) -> None:
    if len({item.history for item in holding}) > 1:
        told = ", ".join(f"{item.host} {item.history}" for item in holding)
        raise RefusedError(
            f"the nodes have different histories: {told}", where="galera", hint=_way_out()
        )


def _require_one_last(holding: list[Position]) -> None:
    """At most one node was the last to leave, and no other one has more than it."""
    last = [item for item in holding if item.marked]
    if len(last) > 1:
        raise RefusedError(
            f"{' and '.join(item.host for item in last)} say that they were the last to leave: only one can be",
            where="galera",
            hint=_way_out(),
        )
    most = max(item.number for item in holding)
    for item in last:
        if item.number < most:
            raise RefusedError(
                f"it says that it was the last to leave, with {item.number}, and another node has {most}",
                where=item.host,
                hint=_way_out(),
            )


def _require_one_past(holding: list[Position]) -> None:
    """Two Primary components that share no member were two clusters: each may hold writes that the other has not."""
    seen = sorted((item for item in holding if item.members), key=lambda item: item.view)
    for earlier, later in pairwise(seen):
        if not set(earlier.members) & set(later.members):
            raise RefusedError(
                f"the cluster was split: {earlier.host} was last in a Primary component of "
                f"{', '.join(earlier.members)}, and {later.host} in one of {', '.join(later.members)}",
                where="galera",
                hint=_way_out(),
            )


def _require_nothing_more(best: Position, positions: tuple[Position, ...]) -> None:
    """A node whose file says that it is no whole copy may hold writes all the same: its engine knows its number."""
    for item in positions:
        if item.number > best.number:
            raise RefusedError(
                f"its engine holds {item.number}, more than any whole copy ({best.host} {best.number}), "
                "and its grastate.dat says that it is no whole copy",
                where=item.host,
                hint=_way_out(),
            )


def _require_explained(best: Position, others: list[Position]) -> None:
    if best.marked or not others:
        return
    near = max(item.number for item in others)
    if best.number - near > JUMP:
        raise RefusedError(
            f"it is {best.number - near} changes ahead of every other node, and was not the last to leave",
            where=best.host,
            hint=_way_out(),
        )


def _nothing_whole(positions: tuple[Position, ...]) -> RefusedError:
    if any(item.source != "no data" for item in positions) and all(p.empty for p in positions):
        return RefusedError(
            "no node holds a whole copy, and none holds a database of a user: a first start was cut off",
            where="galera",
            hint=(
                "move the data folders away (nothing was ever written there), "
                "then kbz run galera installs a new cluster"
            ),
        )
    return RefusedError(
        "no node holds a whole copy of the data",
        where="galera",
        hint="restore a backup; kbz makes no new cluster over what is there",
    )


def _way_out() -> str:
    command = proposed("kbz", "recover", "galera", "--from", "HOST")
    return (
        f"nothing was started. The owner decides whose data stays: {command} starts from that node, and "
        "all others take a full copy of its data; what only they have is lost, so copy it aside first"
    )
