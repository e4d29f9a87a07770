"""The inventory for people and for programs: a table, a tree by module, a JSON document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from keybuzz.model.inventory.group import Group, GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.policy.violation import Violation

FORMAT_VERSION = 1
_Child = TypeVar("_Child")
_HEADER = ("HOST", "ADDRESS", "GROUP", "ROLE/SUBROLE", "STACK", "CORE")
_REGION = "REGION"
"""A column for inventories that have one."""


def inventory_table(servers: Sequence[Server], catalogue: GroupCatalogue, total: int) -> str:
    """Return one line per server, in the given order.

    `total` is the size of the fleet: when all of it is shown, what is no server follows.
    """
    rows = [_HEADER, *(_cells(server, catalogue) for server in servers)]
    if any(server.region for server in servers):
        regions = (_REGION, *(server.region or "–" for server in servers))
        rows = [(*row, region) for row, region in zip(rows, regions, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines += ["", _count(servers, total)]
    if len(servers) == total:
        for title, entries in _outside(catalogue):
            lines += ["", f"{title}:", *(f"  {entry}" for entry in entries)]
    return "\n".join(lines)


def inventory_tree(servers: Sequence[Server], catalogue: GroupCatalogue, total: int) -> str:
    """Return the servers as a tree: modules, their groups, their hosts. `total` as in the table.

    A server stands once, under its own group; those that only get the first module stand there.
    """
    branches = []
    for module in sorted({group.module for group in catalogue.groups}):
        groups = [group for group in catalogue.groups if group.module == module]
        twigs = [twig for group in groups if (twig := _group_twig(group, servers, catalogue))]
        if twigs:
            branches.append((f"Module {module}", twigs))
    if len(servers) == total:
        for title, entries in _outside(catalogue):
            branches.append((title, [(entry, []) for entry in entries]))
    lines = [_count(servers, total)]
    for title, twigs, bar, indent in _last_marked(branches):
        lines.append(f"{bar} {title}")
        for name, leaves, twig_bar, twig_indent in _last_marked(twigs):
            lines.append(f"{indent}{twig_bar} {name}")
            ends = ["├──"] * (len(leaves) - 1) + ["└──"]
            for leaf, end in zip(leaves, ends, strict=False):
                lines.append(f"{indent}{twig_indent}{end} {leaf}")
    return "\n".join(lines)


def inventory_document(
    servers: Sequence[Server], catalogue: GroupCatalogue, total: int
) -> dict[str, object]:
    """Return the selection for JSON; its shape only changes together with `format_version`."""
    return {
        "format_version": FORMAT_VERSION,
        "total": total,
        "servers": [_server_document(server) for server in servers],
        "groups": [_group_document(group, servers) for group in catalogue.groups],
        "virtual_addresses": [
            {
                "name": entry.name,
                "address": str(entry.address),
                "ports": list(entry.ports),
                "targets": list(entry.targets),
            }
            for entry in catalogue.virtual_addresses
        ],
        "excluded": [{"name": entry.name, "reason": entry.reason} for entry in catalogue.excluded],
    }


def _server_document(server: Server) -> dict[str, object]:
    return {
        "name": server.name,
        "address": str(server.address),
        "public_address": str(server.public_address),
        "fqdn": server.fqdn,
        "environment": server.environment,
        "user": server.user,
        "pool": server.pool,
        "role": server.role,
        "subrole": server.subrole,
        "stack": server.stack,
        "core": server.core,
        "notes": server.notes,
        "groups": list(server.groups),
        "region": server.region,
    }


def _group_document(group: Group, servers: Sequence[Server]) -> dict[str, object]:
    return {
        "name": group.name,
        "title": group.title,
        "module": group.module,
        "aliases": list(group.aliases),
        "expected": group.expected,
        "hosts": [server.name for server in group.members(servers)],
    }


def by_own_group(
    servers: Sequence[Server], catalogue: GroupCatalogue
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the title and the hosts of each group, in the owner's order; each host once, under its own group.

    Those that are in no narrower group than everybody come last.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    for group in sorted(catalogue.groups, key=lambda group: (not group.select, group.module)):
        names = tuple(s.name for s in servers if own_group(s, catalogue) == group)
        if names:
            found.append((group.title if group.select else "In no other group", names))
    return tuple(found)


def own_group(server: Server, catalogue: GroupCatalogue) -> Group | None:
    """Return the narrowest group of the server: the one with the smallest exact size."""
    groups = [group for group in catalogue.groups if group.name in server.groups]
    return min(groups, key=lambda group: group.expected, default=None)


def _cells(server: Server, catalogue: GroupCatalogue) -> tuple[str, ...]:
    group = own_group(server, catalogue)
    own = group.name if group is not None and group.select else "–"
    role = f"{server.role}/{server.subrole}"
    core = "yes" if server.core else "no"
    return (server.name, str(server.address), own, role, server.stack, core)


def _group_twig(
    group: Group, servers: Sequence[Server], catalogue: GroupCatalogue
) -> tuple[str, list[str]] | None:
    """Return the group's line and those of the hosts that stand under it, or None without hosts."""
    members = [s for s in group.members(servers) if own_group(s, catalogue) == group]
    if not members:
        return None
    width = max(len(server.name) for server in members)
    leaves = [f"{s.name:<{width}}  {s.address!s:<10}  {s.role}/{s.subrole}" for s in members]
    reach = len(group.members(servers))
    own = f", {len(members)} of them in no other group" if len(members) < reach else ""
    return f"{group.name}: {group.title} ({reach} of {group.expected}{own})", leaves


def _outside(catalogue: GroupCatalogue) -> list[tuple[str, list[str]]]:
    """Return titles and lines for the addresses and the servers that kbz does not manage."""
    width = max((len(entry.name) for entry in catalogue.virtual_addresses), default=0)
    addresses = [
        f"{entry.address!s:<10} {entry.name:<{width}}"
        f"  ports {', '.join(map(str, entry.ports))} → {', '.join(entry.targets)}"
        for entry in catalogue.virtual_addresses
    ]
    excluded = [f"{entry.name}: {entry.reason}" for entry in catalogue.excluded]
    titled = [
        ("Virtual addresses of the load balancers, not servers", addresses),
        ("Excluded by design", excluded),
    ]
    return [(title, entries) for title, entries in titled if entries]


def _count(servers: Sequence[Server], total: int) -> str:
    return f"{total} servers" if len(servers) == total else f"{len(servers)} of {total} servers"


def _last_marked(
    branches: Sequence[tuple[str, list[_Child]]],
) -> Iterator[tuple[str, list[_Child], str, str]]:
    """Yield each branch with its own bar and the indentation of what hangs under it."""
    for position, (title, children) in enumerate(branches, start=1):
        last = position == len(branches)
        yield title, children, "└──" if last else "├──", "    " if last else "│   "


def secrets_text(found: Sequence[Violation], unchecked: str) -> str:
    """Return a line for each secret in the site's own files, without its value; "" when there is none."""
    if unchecked:
        return f"\nnote: no file of the site was searched for secrets: {unchecked}\n"
    lines = [f"{v.path}:{v.line}: {v.rule}: {v.message} → {v.instead}" for v in found]
    return "".join(f"\n{line}" for line in lines) + "\n" if lines else ""


def secrets_document(found: Sequence[Violation], unchecked: str) -> dict[str, object]:
    """Return the same for JSON."""
    listed = [{"rule": v.rule, "path": v.path, "line": v.line, "message": v.message} for v in found]
    return {"secrets": listed, "secrets_unchecked": unchecked}
