"""The real files of inventory/, and copies with one thing changed."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.tsv import NEEDED, parse_servers
from keybuzz.site.groups import load_groups

INVENTORY = Path(__file__).parents[3] / "inventory"
GROUPS = INVENTORY / "groups.yaml"
SERVERS = INVENTORY / "servers.tsv"
CONTENT = SERVERS.read_bytes()


def real_catalogue() -> GroupCatalogue:
    return load_groups(GROUPS)


def real_servers() -> tuple[Server, ...]:
    return parse_servers(CONTENT, "servers.tsv", real_catalogue())


def with_cell(host: str, column: str, text: str) -> bytes:
    """Return servers.tsv with one cell changed."""
    lines = CONTENT.decode().split("\n")
    position = line_of(host) - 1
    cells = lines[position].split("\t")
    cells[NEEDED.index(column)] = text
    lines[position] = "\t".join(cells)
    return "\n".join(lines).encode()


def line_of(host: str) -> int:
    """Return the line of a host in the real file, counted from 1."""
    for number, line in enumerate(CONTENT.decode().split("\n"), start=1):
        if f"\t{host}\t" in line:
            return number
    raise LookupError(host)
