"""servers.tsv: the real file loads, and every way to damage it is named with its line."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.model.inventory.server import Server
from keybuzz.report.text.inventory import inventory_document, inventory_table
from keybuzz.site.files.tsv import NEEDED, parse_servers, read_servers
from keybuzz.site.groups import FLEET_NETWORK
from keybuzz.site.limit import parse_limit
from tests.unit.support.inventory_files import (
    CONTENT,
    SERVERS,
    line_of,
    real_catalogue,
    real_servers,
    with_cell,
)

CATALOGUE = real_catalogue()
REAL = real_servers()
DB = line_of("db-slave-01")


def refusal(content: bytes) -> str:
    """Return the message that the content is refused with."""
    with pytest.raises(InputError) as caught:
        parse_servers(content, "servers.tsv", CATALOGUE)
    return str(caught.value)


def test_the_real_file_has_48_typed_servers() -> None:
    servers = read_servers(SERVERS, CATALOGUE)
    assert len(servers) == 48
    assert len({server.name for server in servers}) == 48
    assert next(s for s in servers if s.name == "db-slave-01") == Server(
        name="db-slave-01",
        address=IPv4Address("10.0.0.121"),
        public_address=IPv4Address("203.0.113.20"),
        fqdn="db-slave1.keybuzz.io",
        environment="prod",
        user="root",
        pool="db-pool",
        role="db",
        subrole="postgres",
        stack="patroni-node",
        core=True,
        notes="",
        line=DB,
        groups=("all", "patroni"),
    )


def test_blank_lines_and_a_missing_last_line_end_are_fine() -> None:
    spaced = b"\n" + CONTENT.replace(b"\n", b"\n\n") + b"\n\n"
    assert [s.name for s in parse_servers(spaced, "x", CATALOGUE)] == [s.name for s in REAL]
    assert len(parse_servers(CONTENT.rstrip(b"\t\n") + b"\t", "x", CATALOGUE)) == 48


def test_notes_hold_accents_and_typographic_characters() -> None:
    notes = "Nœud réservé\u202f: « à côté » – n’y touchez pas…"
    servers = parse_servers(with_cell("crm-01", "NOTES", notes), "x", CATALOGUE)
    assert next(s for s in servers if s.name == "crm-01").notes == notes


BAD_CELLS = [
    ("HOSTNAME", "db-slave-02", "already on line"),
    ("HOSTNAME", "DB-slave-01", "not a host name"),
    ("HOSTNAME", "-oProxyCommand=x", "not a host name"),
    ("HOSTNAME", "db_slave", "not a host name"),
    ("HOSTNAME", "db-", "not a host name"),
    ("HOSTNAME", "a" * 64, "not a host name"),
    ("HOSTNAME", "12345", "not a host name"),
    ("HOSTNAME", "localhost", "not a host name"),
    ("HOSTNAME", "db;reboot", "not a host name"),
    ("HOSTNAME", "$(reboot)", "not a host name"),
    ("HOSTNAME", "../etc/passwd", "not a host name"),
    ("HOSTNAME", "db\x1b[31m", "U+001B"),
    ("HOSTNAME", "db\rslave", "U+000D"),
    ("HOSTNAME", "db-slаve-01", "CYRILLIC SMALL LETTER A"),
    ("HOSTNAME", "backn8n", "excluded by design"),
    ("HOSTNAME", "k3s-worker-01", "alias of k8s-worker-01"),
    ("HOSTNAME", "redis", "name of a group"),
    ("HOSTNAME", "db", "name of a group"),
    ("HOSTNAME", "lb-haproxy", "name of a group or a load balancer"),
    ("HOSTNAME", "", "is missing"),
    ("IP_PRIVEE", "", "is missing"),
    ("IP_PRIVEE", "10.0.0.122", "already on line"),
    ("IP_PRIVEE", "10.1.0.121", "outside 10.0.0.0/16"),
    ("IP_PRIVEE", "192.168.0.4", "outside 10.0.0.0/16"),
    ("IP_PRIVEE", "10.0.0.5", "lb-public-1"),
    ("IP_PRIVEE", "10.0.0.6", "lb-public-2"),
    ("IP_PRIVEE", "10.0.0.10", "lb-haproxy"),
    ("IP_PRIVEE", "10.0.0.20", "lb-proxysql"),
    ("IP_PRIVEE", "10.0.0.0", "network's own"),
    ("IP_PRIVEE", "10.0.0.1", "network's own"),
    ("IP_PRIVEE", "10.0.255.255", "network's own"),
    ("IP_PRIVEE", "10.0.0.256", "not an IPv4 address"),
    ("IP_PRIVEE", "10.0.0.0121", "not an IPv4 address"),
    ("IP_PRIVEE", "10.0.121", "not an IPv4 address"),
    ("IP_PRIVEE", "10.0.0.121/32", "not an IPv4 address"),
    ("IP_PRIVEE", "fd00::121", "not an IPv4 address"),
    ("IP_PRIVEE", "١٠.٠.٠.١", "ARABIC-INDIC DIGIT"),
    ("IP_PRIVEE", "10.0.0.121 ", "space at its edge"),
    ("IP_PUBLIQUE", "203.0.113.21", "already on line"),
    ("IP_PUBLIQUE", "10.0.0.121", "cannot be a public address"),
    ("IP_PUBLIQUE", "0.0.0.0", "cannot be a public address"),
    ("IP_PUBLIQUE", "127.0.0.1", "cannot be a public address"),
    ("IP_PUBLIQUE", "239.1.1.1", "cannot be a public address"),
    ("IP_PUBLIQUE", "none", "not an IPv4 address"),
    ("FQDN", "db-slave2.keybuzz.io", "already on line"),
    ("FQDN", "db-slave1", "not a full domain name"),
    ("FQDN", "db..keybuzz.io", "not a full domain name"),
    ("FQDN", "db_1.keybuzz.io", "not a full domain name"),
    ("FQDN", ".".join(["a" * 60] * 5), "not a full domain name"),
    ("ENV", "prd", "did you mean prod?"),
    ("ENV", "PROD", "did you mean prod?"),
    ("ROLE", "k8s", "did you mean k3s?"),
    ("ROLE", "rmq", "is unknown"),
    ("ROLE", "Db", "did you mean db"),
    ("ROLE", " db", "space at its edge"),
    ("SUBROLE", "postgre", "did you mean postgres?"),
    ("SUBROLE", "rabbitmq", "does not go with ROLE 'db'"),
    ("SUBROLE", "", "is missing"),
    ("POOL", "db pool", "not a name"),
    ("POOL", "DB", "not a name"),
    ("DOCKER_STACK", "", "is missing"),
    ("DOCKER_STACK", "patroni;node", "not a name"),
    ("CORE", "Yes", "did you mean yes?"),
    ("CORE", "true", "one of: no, yes"),
    ("USER_SSH", "Root", "not a user name"),
    ("USER_SSH", "root -o x", "not a user name"),
    ("USER_SSH", "-l", "not a user name"),
    ("USER_SSH", "a" * 33, "not a user name"),
    ("USER_SSH", "ubuntu", "has not the rights that kbz needs"),
    ("NOTES", "left ", "space at its edge"),
    ("NOTES", "\u00a0left", "space at its edge"),
    ("NOTES", "a\x1b]0;title\x07", "U+001B"),
    ("NOTES", "a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("NOTES", "a\u2028b", "U+2028 LINE SEPARATOR"),
]


@pytest.mark.parametrize(("column", "text", "expected"), BAD_CELLS)
def test_a_bad_cell_is_named_with_line_and_column(column: str, text: str, expected: str) -> None:
    message = refusal(with_cell("db-slave-01", column, text))
    lines = [line for line in message.splitlines() if expected in line]
    assert len(lines) == 1
    place, _, rest = lines[0].partition(f": {column} ")
    # Of two equal values the later row is the one that is named.
    later = DB + 1 if expected == "already on line" else DB
    assert place == f"servers.tsv:{later}"
    assert rest.partition(" → ")[2], "no advice"
    assert "\x1b" not in message
    assert "\u202e" not in message


def without_column(name: str) -> bytes:
    position = NEEDED.index(name)
    rows = [line.split("\t") for line in CONTENT.decode().splitlines()]
    return "\n".join("\t".join(r[:position] + r[position + 1 :]) for r in rows).encode()


def without(host: str) -> bytes:
    lines = CONTENT.splitlines(keepends=True)
    return b"".join(lines[: line_of(host) - 1] + lines[line_of(host) :])


ROW = CONTENT.splitlines()[DB - 1]
BAD_FILES = [
    ("empty", b"", "servers.tsv:1: there is no header"),
    ("only blank lines", b"\n\n\n", "servers.tsv:1: there is no header"),
    ("header only", CONTENT.splitlines()[0], "servers.tsv:1: group all (every server)"),
    ("no header", CONTENT.split(b"\n", 1)[1], "servers.tsv:1: the first line is not the header"),
    ("CRLF", CONTENT.replace(b"\n", b"\r\n"), "servers.tsv:1: ends with CR LF, as 49 lines"),
    ("one CRLF", CONTENT.replace(ROW, ROW + b"\r"), f"servers.tsv:{DB}: ends with CR LF, as 1 "),
    ("BOM", b"\xef\xbb\xbf" + CONTENT, "servers.tsv:1: begins with a byte order mark (BOM)"),
    ("UTF-16", CONTENT.decode().encode("utf-16"), "servers.tsv:1: is UTF-16"),
    ("NUL", CONTENT.replace(ROW, ROW + b"\0"), f"servers.tsv:{DB}: holds a NUL byte in column"),
    (
        "Latin-1",
        CONTENT.replace(ROW, ROW + "réservé".encode("latin-1")),
        f"servers.tsv:{DB}: is not UTF-8: byte 0xe9",
    ),
    (
        "surrogate",
        CONTENT.replace(ROW, ROW + b"\xed\xa0\x80"),
        f"servers.tsv:{DB}: is not UTF-8: byte 0xed",
    ),
    (
        "missing cell",
        CONTENT.replace(ROW, ROW.replace(b"root\t", b"")),
        f"servers.tsv:{DB}: has 11 cells, the header has 12",
    ),
    (
        "one cell too many",
        CONTENT.replace(ROW, ROW + b"\tx"),
        f"servers.tsv:{DB}: has 13 cells",
    ),
    ("stripped TAB", CONTENT.replace(ROW, ROW.rstrip()), f"servers.tsv:{DB}: has 11 cells"),
    (
        "line of spaces",
        CONTENT.replace(ROW, b"   \n" + ROW),
        f"servers.tsv:{DB}: has 1 cells",
    ),
    ("comment", CONTENT + b"# end\n", "servers.tsv:50: has 1 cells"),
    ("spaces for TAB", CONTENT.replace(ROW, ROW.replace(b"\t", b"  ")), f"tsv:{DB}: has 1 cells"),
    (
        "unknown column",
        CONTENT.replace(b"ROLE", b"ROLES", 1),
        "servers.tsv:1: the column 'ROLES' is unknown → did you mean ROLE",
    ),
    (
        "column twice",
        CONTENT.replace(b"SUBROLE", b"ROLE", 1),
        "servers.tsv:1: the column ROLE is there twice",
    ),
    (
        "column with a space",
        CONTENT.replace(b"POOL", b"POOL ", 1),
        "servers.tsv:1: the column 'POOL ' is unknown → did you mean POOL",
    ),
    ("no CORE", without_column("CORE"), "servers.tsv:1: the column CORE is missing"),
    ("row twice", CONTENT + ROW, f"servers.tsv:50: HOSTNAME 'db-slave-01' is already on line {DB}"),
    (
        "group too small",
        without("redis-02"),
        "group redis (ROLE=redis) must have exactly 3 host(s) and has 2: redis-01",
    ),
    (
        "group too big",
        with_cell("temporal-db-01", "DOCKER_STACK", "patroni-node"),
        "must have exactly 3 host(s) and has 4: db-master-01 (line 10)",
    ),
    (
        "group gone",
        without("install-01"),
        "group controller (ROLE=orchestrator) must have exactly 1 host(s) and has 0: none",
    ),
]


@pytest.mark.parametrize(
    ("content", "expected"), [row[1:] for row in BAD_FILES], ids=[row[0] for row in BAD_FILES]
)
def test_a_damaged_file_is_named_with_its_line(content: bytes, expected: str) -> None:
    message = refusal(content)
    assert expected in message
    for line in message.splitlines():
        assert line.startswith("servers.tsv:")
        assert " → " in line


def test_all_problems_are_reported_at_once_in_the_order_of_the_lines() -> None:
    content = CONTENT.replace(b"\tyes\t", b"\tmaybe\t").replace(b"\tvault\t", b"\tsafe\t")
    lines = refusal(content).splitlines()
    assert len(lines) == 31
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)
    assert numbers[0] == 2


def test_a_flood_of_problems_is_counted() -> None:
    lines = refusal(CONTENT + b"x\n" * 500).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "… and 400 more problems in servers.tsv"


def test_a_host_alias_must_lead_to_a_server() -> None:
    content = CONTENT.replace(b"\tk8s-worker-05\t", b"\tk8s-worker-06\t")
    assert "groups.yaml:" in refusal(content)
    assert "k3s-worker-05 is an alias of 'k8s-worker-05'" in refusal(content)


@pytest.mark.parametrize("kind", ["missing", "folder", "huge"])
def test_a_file_that_can_not_be_read_is_an_input_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "servers.tsv"
    if kind == "folder":
        path.mkdir()
    if kind == "huge":
        path.touch()
        os.truncate(path, 1 << 33)
    with pytest.raises(InputError, match=r"servers\.tsv: .*\n  → give the path|larger than"):
        read_servers(path, CATALOGUE)


def loads_or_says_why(content: bytes) -> list[str]:
    """Check the one promise for any bytes, and return the problems; none when they load.

    They are either 48 valid servers, or lines of `file:line: what → what to do`.
    """
    try:
        servers = parse_servers(content, "servers.tsv", CATALOGUE)
    except InputError as error:
        problems = str(error).split("\n")
    else:
        assert len({server.address for server in servers}) == len(servers) == 48
        assert all(server.address in FLEET_NETWORK for server in servers)
        assert all(CATALOGUE.virtual(server.address) is None for server in servers)
        return []
    assert all(line.isprintable() for line in problems)
    assert all(" → " in line or line.startswith("…") for line in problems)
    return problems


@given(st.binary(max_size=2000))
@example(b"\xff\xfe")
@example(b"\t" * 11)
@settings(deadline=None)
def test_any_bytes_load_or_give_a_clean_error(content: bytes) -> None:
    loads_or_says_why(content)


@given(
    start=st.integers(0, len(CONTENT)),
    removed=st.integers(0, 40),
    inserted=st.one_of(st.binary(max_size=8), st.text(max_size=8).map(lambda t: t.encode("utf-8"))),
)
@settings(deadline=None, max_examples=300)
def test_any_edit_of_the_real_file_loads_or_gives_a_clean_error(
    start: int, removed: int, inserted: bytes
) -> None:
    loads_or_says_why(CONTENT[:start] + inserted + CONTENT[start + removed :])


@given(
    host=st.sampled_from([server.name for server in REAL]),
    column=st.sampled_from(NEEDED),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\t"), max_size=70),
)
@settings(deadline=None, max_examples=300)
def test_any_text_in_any_cell_loads_or_names_the_column(host: str, column: str, text: str) -> None:
    problems = loads_or_says_why(with_cell(host, column, text))
    line = f"servers.tsv:{line_of(host)}: "
    elsewhere = ("must have exactly", "is an alias of", "already on")
    assert all(p.startswith(line) or any(word in p for word in elsewhere) for p in problems)


@given(st.randoms())
@settings(deadline=None, max_examples=20)
def test_the_order_of_the_rows_does_not_change_the_groups(random: Random) -> None:
    header, *rows = CONTENT.decode().splitlines()
    random.shuffle(rows)
    content = "\n".join([header, *rows]).encode()
    shuffled = parse_servers(content, "x", CATALOGUE)
    for group in CATALOGUE.groups:
        names = [server.name for server in group.members(shuffled)]
        assert names == [server.name for server in group.members(REAL)]


def with_regions(*regions: str) -> bytes:
    """Return servers.tsv with the column REGION: these for the first servers, no region for the others."""
    header, *rows = CONTENT.decode().rstrip("\n").split("\n")
    cells = [*regions, *[""] * (len(rows) - len(regions))]
    lines = [
        f"{header}\tREGION",
        *(f"{row}\t{cell}" for row, cell in zip(rows, cells, strict=True)),
    ]
    return "\n".join(lines).encode()


def test_the_column_region_may_be_there_and_its_cells_may_be_empty() -> None:
    servers = parse_servers(with_regions("fsn1", "hel1"), "servers.tsv", CATALOGUE)
    assert [server.region for server in servers[:3]] == ["fsn1", "hel1", ""]
    assert [server.name for server in servers] == [server.name for server in REAL]
    assert {server.region for server in REAL} == {""}


def test_a_region_is_a_label() -> None:
    assert "servers.tsv:3: REGION 'Hel 1' is not a name" in refusal(with_regions("fsn1", "Hel 1"))


def test_the_region_is_a_term_of_limit_and_a_column_of_the_table() -> None:
    servers = parse_servers(with_regions("fsn1", "hel1"), "servers.tsv", CATALOGUE)
    assert parse_limit("region=hel1", servers, CATALOGUE) == {servers[1].name}
    with pytest.raises(UsageError, match="region=fsn2"):
        parse_limit("region=fsn2", servers, CATALOGUE)
    header, first, _, third = inventory_table(servers, CATALOGUE, len(servers)).split("\n")[:4]
    assert (header.split()[-1], first.split()[-1], third.split()[-1]) == ("REGION", "fsn1", "–")
    assert "REGION" not in inventory_table(REAL, CATALOGUE, len(REAL))
    document = inventory_document(servers, CATALOGUE, len(servers))
    assert '"region": "hel1"' in json.dumps(document)
