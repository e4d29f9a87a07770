"""inventory/servers.tsv: typed servers, or one error that names every bad line (CARD-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from keybuzz.model.inventory.server import Server
from keybuzz.site.files.cells import CHECKS, OPTIONAL, UNIQUE, form_fault, pair_fault
from keybuzz.site.files.problems import Problems, nearest, read_file, shown
from keybuzz.site.groups import Group, GroupCatalogue

COLUMNS = tuple(CHECKS)
NEEDED = tuple(column for column in COLUMNS if column not in OPTIONAL)
_LIMIT = 1 << 20
_NAMED = 10
"""Hosts that a message about a group lists by name."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: Mapping[str, str]


def read_servers(path: Path, groups: GroupCatalogue) -> tuple[Server, ...]:
    """Read servers.tsv; as parse_servers, and InputError when the file cannot be read."""
    return parse_servers(read_file(path, _LIMIT), str(path), groups)


def parse_servers(content: bytes, source: str, groups: GroupCatalogue) -> tuple[Server, ...]:
    """Return the servers in the order of the file, each with its groups.

    Raises InputError with `file:line: what → what to do` for every problem of the file. The sizes
    of the groups are only judged once each row is good: a typo would otherwise be reported twice.
    """
    problems = Problems(source)
    rows = _rows(_lines(content, problems), problems)
    for row in rows:
        _check_row(row, groups, problems)
    _check_unique(rows, problems)
    problems.raise_if_any()
    servers = tuple(_server(row, groups) for row in rows)
    for group in groups.groups:
        _check_size(group, servers, groups, problems)
    problems.raise_if_any()
    _check_aliases(servers, groups, source)
    return servers


def _lines(content: bytes, problems: Problems) -> list[tuple[int, str]]:
    """Return the non-blank lines and their numbers; note what is not UTF-8 text with LF."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.add(1, "is UTF-16", "save the file as UTF-8 without BOM")
        return []
    if content.startswith(b"\xef\xbb\xbf"):
        problems.add(1, "begins with a byte order mark (BOM)", "save as UTF-8 without BOM")
        content = content[3:]
    lines = []
    carriage_returns = []
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if raw.endswith(b"\r"):
            carriage_returns.append(number)
        text = _text(number, raw.removesuffix(b"\r"), problems)
        if text:
            lines.append((number, text))
    if carriage_returns:
        what = f"ends with CR LF, as {len(carriage_returns)} lines of the file do"
        problems.add(carriage_returns[0], what, "save the file with Unix line ends (LF)")
    return lines


def _text(number: int, raw: bytes, problems: Problems) -> str:
    """Return a line as text, or "" after noting why it is none."""
    if b"\0" in raw:
        what = f"holds a NUL byte in column {raw.index(0) + 1}"
        problems.add(number, what, "remove it: the file is damaged or not a text")
        return ""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: byte 0x{raw[error.start]:02x} in column {error.start + 1}"
        problems.add(number, what, "save the file as UTF-8")
        return ""


def _rows(lines: list[tuple[int, str]], problems: Problems) -> list[_Row]:
    """Return the rows whose number of fields is right; note the others, and a wrong header."""
    if not lines:
        problems.add(1, "there is no header and no server", "take servers.tsv from git")
        return []
    header_line, header = lines[0][0], lines[0][1].split("\t")
    if not set(header) & set(COLUMNS):
        what = f"the first line is not the header: {shown(lines[0][1])}"
        problems.add(header_line, what, "begin with " + ", ".join(NEEDED) + ", split by TAB")
        return []
    _check_header(header_line, header, problems)
    rows = []
    for number, text in lines[1:]:
        cells = text.split("\t")
        if len(cells) == len(header):
            rows.append(_Row(number, dict(zip(header, cells, strict=True))))
            continue
        what = (
            f"has {len(cells)} cells, the header has {len(header)}: a cell is missing or too many"
        )
        hint = "separate cells by one TAB each; an empty NOTES keeps the TAB before it"
        problems.add(number, what, hint)
    return rows


def _check_header(line: int, header: list[str], problems: Problems) -> None:
    for name in dict.fromkeys(header):
        if name not in COLUMNS:
            problems.add(line, f"the column {shown(name)} is unknown", nearest(name, COLUMNS))
        elif header.count(name) > 1:
            problems.add(line, f"the column {name} is there twice", "remove one of the two")
    for name in NEEDED:
        if name not in header:
            problems.add(line, f"the column {name} is missing", f"add {name} and its cells")


def _check_row(row: _Row, groups: GroupCatalogue, problems: Problems) -> None:
    bad = set()
    for column, check in CHECKS.items():
        text = row.cells.get(column)
        if text is None:
            continue  # the header's problem, noted once
        fault = form_fault(column, text) or (check(text, groups) if text else None)
        if fault is not None:
            bad.add(column)
            problems.add(row.line, f"{column} {fault.what}", fault.hint)
    if not bad & {"ROLE", "SUBROLE"} and {"ROLE", "SUBROLE"} <= row.cells.keys():
        fault = pair_fault(row.cells["ROLE"], row.cells["SUBROLE"], groups)
        if fault is not None:
            problems.add(row.line, f"SUBROLE {fault.what}", fault.hint)


def _check_unique(rows: Iterable[_Row], problems: Problems) -> None:
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        for column in UNIQUE:
            text = row.cells.get(column, "")
            known = first.setdefault((column, text), row.line)
            if text and known != row.line:
                what = f"{column} {shown(text)} is already on line {known}"
                problems.add(row.line, what, "keep one row, or give each server its own value")


def _server(row: _Row, groups: GroupCatalogue) -> Server:
    """Return the server of a row that has passed every check."""
    cells = row.cells
    server = Server(
        name=cells["HOSTNAME"],
        address=IPv4Address(cells["IP_PRIVEE"]),
        public_address=IPv4Address(cells["IP_PUBLIQUE"]),
        fqdn=cells["FQDN"],
        environment=cells["ENV"],
        user=cells["USER_SSH"],
        pool=cells["POOL"],
        role=cells["ROLE"],
        subrole=cells["SUBROLE"],
        stack=cells["DOCKER_STACK"],
        core=cells["CORE"] == "yes",
        notes=cells["NOTES"],
        line=row.line,
        region=cells.get("REGION", ""),
    )
    return replace(server, groups=groups.names_of(server))


def _check_size(
    group: Group, servers: tuple[Server, ...], groups: GroupCatalogue, problems: Problems
) -> None:
    found = group.members(servers)
    if len(found) == group.expected:
        return
    names = ", ".join(f"{server.name} (line {server.line})" for server in found[:_NAMED])
    rest = ", …" if len(found) > _NAMED else ""
    rule = " and ".join(f"{column}={value}" for column, value in group.select) or "every server"
    what = (
        f"group {group.name} ({rule}) must have exactly {group.expected} host(s)"
        f" and has {len(found)}: {names or 'none'}{rest}"
    )
    hint = (
        f"mend the rows; if the fleet has changed, change expected in {groups.source}:{group.line}"
    )
    problems.add(found[0].line if found else 1, what, hint)


def _check_aliases(servers: tuple[Server, ...], groups: GroupCatalogue, source: str) -> None:
    problems = Problems(groups.source)
    names = {server.name for server in servers}
    for entry in groups.host_aliases:
        if entry.host not in names:
            what = f"{entry.alias} is an alias of {shown(entry.host)}, which is not in {source}"
            problems.add(entry.line, what, nearest(entry.host, names))
    problems.raise_if_any()
