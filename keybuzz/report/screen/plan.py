"""A plan as one reads it: module by module in their order, the same change on many hosts once. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from keybuzz.model.core.live import Topology
from keybuzz.model.core.plan import Action, Change, NotApplicable, Plan
from keybuzz.model.core.resource import Value
from keybuzz.model.core.visible import one_line
from keybuzz.report.screen.fit import WIDTH, broken
from keybuzz.report.screen.hosts import count, ranges

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.LATER: "?"}
_SHORTEST_DIGEST = 16


def plan_text(
    plan: Plan, topologies: Iterable[Topology] = (), hosts: int = 0, width: int = WIDTH
) -> str:
    """Return the plan. `hosts`: how many were read, so that all of them need no list."""
    lines: list[str] = []
    for module, entries in _by_module(plan).items():
        lines.append(module)
        for same in entries:
            lines += _entry(same, hosts, width)
    lines += _interrupted(plan, tuple(topologies), width)
    for line in _not_applicable(plan.not_applicable):
        lines += broken(line, width, 4)
    return "\n".join(lines)


def _by_module(plan: Plan) -> dict[str, list[list[Change]]]:
    """Return by module what is to be changed, in the order of the descriptions, equal changes together."""
    grouped: dict[str, dict[tuple[object, ...], list[Change]]] = defaultdict(dict)
    for changes in plan.changes.values():
        for change in changes:
            grouped[change.module].setdefault(_same(change), []).append(change)
    return {module: _waiting_together(list(found.values())) for module, found in grouped.items()}


def _waiting_together(entries: list[list[Change]]) -> list[list[Change]]:
    """Put the resources that cannot be read for one reason on the same hosts behind the first of them."""
    found: dict[object, list[Change]] = {}
    for same in entries:
        change = same[0]
        key: object = change.identity, id(same)
        if change.action is Action.LATER:
            key = change.reason, tuple(item.host for item in same)
        found.setdefault(key, []).extend(same)
    return list(found.values())


def _same(change: Change) -> tuple[object, ...]:
    shown = change.action is Action.UPDATE
    return (
        change.identity,
        change.action,
        change.differences if shown else (),
        change.disrupts,
        change.diff,
        change.reason,
        change.effects,
    )


def _entry(same: list[Change], hosts: int, width: int) -> Iterator[str]:
    change = same[0]
    names = list(dict.fromkeys(item.host for item in same))
    identities = list(dict.fromkeys(item.identity for item in same))
    more = f" and {len(identities) - 1} more" if len(identities) > 1 else ""
    where = f"all {len(names)} hosts" if len(names) == hosts > 6 else ranges(names)
    restart = "  (interrupts a running service)" if change.disrupts else ""
    number = f"  {len(names)} hosts" if len(names) > 6 and len(names) != hosts else ""
    head = f"  {_SIGNS[change.action]} {change.identity}{more}{number}{restart}"
    one = f"{head}  {where}"
    if len(one) <= width:
        yield one
    else:
        yield head
        yield from broken(f"      {where}", width, 6)
    for effect in change.effects:
        yield from broken(f"      {effect}", width, 8)
    yield from (f"      {line}" for line in _details(change))


def _details(change: Change) -> Iterator[str]:
    if change.action is Action.LATER:
        yield f"known after apply: {change.reason}"
    elif change.diff:
        yield from change.diff.rstrip("\n").split("\n")
    if change.action is Action.UPDATE:
        for item in change.differences:
            if not (item.attribute == "digest" and change.diff):
                yield f"{item.attribute}: {_shown(item.observed)} → {_shown(item.wanted)}"


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, str) and value.startswith(("sha256:", "hmac-sha256:")):
        return value[: value.index(":") + _SHORTEST_DIGEST]
    return "absent" if value is None else one_line(str(value))


def _interrupted(plan: Plan, topologies: tuple[Topology, ...], width: int) -> list[str]:
    """Return which members of which clusters are interrupted, and what they are there."""
    hosts = {c.host for changes in plan.changes.values() for c in changes if c.disrupts}
    lines: list[str] = []
    for topology in topologies:
        members = [
            f"{member.host} ({member.role})" for member in topology.members if member.host in hosts
        ]
        if members:
            lines += broken(f"interrupts {topology.cluster}: {', '.join(members)}", width, 4)
    return lines


def _not_applicable(items: Iterable[NotApplicable]) -> Iterator[str]:
    hosts: dict[tuple[str, str], int] = Counter((item.identity, item.reason) for item in items)
    for (identity, reason), number in sorted(hosts.items()):
        yield f"not applicable on {count(number, 'host')}: {identity}: {reason}"
