"""`kbz drift accept`: the entries for differences as they are now. It looks, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from keybuzz.engine.drift.accepted import chosen
from keybuzz.engine.drift.drift import DriftRequest, items_now
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.reports.drift import DriftItem
from keybuzz.site.accepted import SHORTEST_REASON, Accepted
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module


@dataclass(frozen=True, slots=True)
class AcceptWords:
    """What was typed after `kbz drift accept`."""

    differences: tuple[str, ...]
    """Ids, or patterns of them."""
    reason: str
    today: date
    until: date | None


def accepting(
    workspace: Workspace, words: AcceptWords, modules: tuple[Module, ...]
) -> tuple[Accepted, ...]:
    """Return an entry for each difference; UsageError for one that is not there, RefusedError for one not to read."""
    if len(words.reason.strip()) < SHORTEST_REASON:
        raise UsageError(
            "--reason explains nothing", hint="write a sentence: why it stays, and who decided"
        )
    selected = workspace.present(_hosts(workspace, words.differences, modules))
    items = items_now(workspace, DriftRequest(modules, selected, modules))
    found = chosen(items, words.differences)
    for pattern, same in found.items():
        if not same:
            ids = [item.identity for item in items]
            raise UsageError(
                f"{pattern} is no difference that is there now",
                hint=nearest(pattern, ids) if ids else proposed("kbz", "drift"),
            )
    wanted = {item.identity: item for same in found.values() for item in same}
    return tuple(_entry(item, words) for _, item in sorted(wanted.items()))


def _hosts(
    workspace: Workspace, patterns: Iterable[str], modules: tuple[Module, ...]
) -> frozenset[str]:
    """Return the hosts that the ids name, and the members of the clusters that they name."""
    places = []
    for pattern in patterns:
        kind, _, rest = pattern.partition("/")
        if kind not in ("drift", "stray") or "/" not in rest:
            raise UsageError(
                f"{pattern} is no id of drift",
                hint=f"{proposed('kbz', 'drift')} prints them: drift/haproxy-01/container:haproxy",
            )
        places.append(rest.partition("/")[0])
    site = workspace.site
    members = {module.name: site.members(module.group) for module in modules}
    named = {server.name: (server,) for servers in members.values() for server in servers}
    return frozenset(
        server.name
        for place, servers in (*members.items(), *named.items())
        if any(fnmatchcase(place, pattern) for pattern in places)
        for server in servers
    )


def _entry(item: DriftItem, words: AcceptWords) -> Accepted:
    if not item.state:
        raise RefusedError(
            f"{item.identity} cannot be read now ({item.what}), so that there is nothing to accept",
            where=item.host,
            hint=proposed("kbz", "plan", "--limit", item.host),
        )
    return Accepted(item.identity, item.state, words.reason, words.today, words.until, 0)
