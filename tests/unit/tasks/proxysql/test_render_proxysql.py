"""proxysql.cnf and the wanted state for any valid site; the file is read by a parser of libconfig's grammar."""

from __future__ import annotations

import importlib
import runpy
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import Directory, File
from keybuzz.site.site import Site
from tasks.proxysql import MODULE
from tasks.proxysql.service.resources import (
    NULL,
    ProxysqlStartup,
    ProxysqlTable,
    ProxysqlTables,
    ProxysqlVariables,
)
from tasks.proxysql.values import CNF
from tests.unit.support.site_values import (
    PLANTED,
    Row,
    described,
    fleet_of,
    memory_site,
    sites,
    with_parameters,
    with_secrets,
)

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
HOST = ("db_proxy", "proxysql", "proxysql-docker")
DATABASE = ("db", "mariadb", "mariadb-galera-docker")
STAND_IN = Path(__file__).parents[4] / "tasks/proxysql/stand_in/proxysql"
SCHEMA = runpy.run_path(str(STAND_IN / "proxysql/schema.py"))["TABLES"]
DEFAULTS = runpy.run_path(str(STAND_IN / "proxysql/schema.py"))["DEFAULTS"]
GIVEN = ("MARIADB_APP_PASSWORD", "MARIADB_MONITOR_PASSWORD", "PROXYSQL_ADMIN_PASSWORD")
_FORBIDDEN = "\"'\\;"
passwords = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"], exclude_characters=_FORBIDDEN),
    max_size=30,
).map(lambda text: f"{PLANTED}{text}")
names = st.from_regex(r"[a-z_][a-z0-9_-]{0,20}", fullmatch=True)


def with_entry(site: Site, databases: int) -> Site:
    """Return the site with two entry hosts and some databases, whatever fleet was drawn."""
    kinds = [HOST, HOST, *[DATABASE] * databases]
    rows = [Row(s.name, s.address, s.role, s.subrole, s.stack) for s in site.servers]
    rows = [row for row in rows if (row.role, row.subrole, row.stack) not in (HOST, DATABASE)]
    taken = {row.address for row in rows}
    free = (IPv4Address("10.0.255.1") + number for number in range(200))
    places = [address for address in free if address not in taken][: len(kinds)]
    own = [Row(f"own{n}", p, *k) for n, (p, k) in enumerate(zip(places, kinds, strict=True))]
    servers, catalogue = fleet_of((*rows, *own))
    return replace(site, servers=servers, catalogue=catalogue)


def resources(description: HostDescription) -> Any:
    return description.modules["proxysql"].resources


def cnf(description: HostDescription) -> File:
    return next(r for r in resources(description) if isinstance(r, File) and r.path == CNF)


@pytest.fixture(scope="module")
def parse() -> Callable[[str], dict[str, Any]]:
    """Return the stand-in's parser: the part of libconfig that ProxySQL's file is written in."""
    sys.path.insert(0, str(STAND_IN))
    try:
        found = importlib.import_module("proxysql.cnf").parse  # a program of the lab's image
    finally:
        sys.path.remove(str(STAND_IN))
    result: Callable[[str], dict[str, Any]] = found
    return result


@HEAVY
@given(
    sites(),
    st.integers(1, 7),
    st.tuples(passwords, passwords, passwords),
    st.tuples(names, names, names),
)
def test_any_valid_site_renders_the_same_state_as_a_file_and_for_the_admin_port(
    parse: Callable[[str], dict[str, Any]],
    site: Site,
    databases: int,
    secrets: tuple[str, str, str],
    users: tuple[str, str, str],
) -> None:
    named = dict(
        zip(("MARIADB_APP_USER", "MARIADB_MONITOR_USER", "PROXYSQL_ADMIN_USER"), users, strict=True)
    )
    given_secrets = {**dict(zip(GIVEN, secrets, strict=True)), **named}
    site = with_secrets(with_entry(site, databases), given_secrets)
    first, second = described(site, MODULE).values()
    assert cnf(first).text.reveal() == cnf(second).text.reveal()
    assert [r.order() for r in told(first)] == [r.order() for r in told(second)]
    found = parse(cnf(first).text.reveal())
    for resource in told(first):
        assert_same(found, resource, site)
    assert PLANTED not in cnf(first).text.masked()
    groups = [row["hostgroup_id"] for row in found["mysql_servers"]]
    assert groups.count("10") == 1, "a first boot has one writer, and the others to take over"
    assert groups.count("20") == groups.count("30") == databases - 1


def told(
    description: HostDescription,
) -> list[ProxysqlTables | ProxysqlVariables | ProxysqlStartup]:
    kinds = (ProxysqlTables, ProxysqlVariables, ProxysqlStartup)
    return [r for r in resources(description) if isinstance(r, kinds)]


def assert_same(
    found: dict[str, Any],
    resource: ProxysqlTables | ProxysqlVariables | ProxysqlStartup,
    site: Site,
) -> None:
    """What the first boot reads is what the admin port is told afterwards, so a first install changes nothing."""
    order: Any = resource.order()
    if not isinstance(resource, ProxysqlTables):
        for name, value in order["values"].items():
            kind, _, short = name.partition("-")
            assert found[f"{kind}_variables"][short] == value
        return
    for table in resource.tables:
        rows = [row["values"] for row in order["rows"] if row["table"] == table.table]
        assert booted(found.get(table.table, ()), table) == sorted(map(sorted_cells, rows))
    shown = " ".join(map(str, resource.wanted(site.digest_key).values()))
    assert PLANTED not in shown


def sorted_cells(row: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(row.items())


def booted(rows: Any, table: ProxysqlTable) -> list[list[tuple[str, str]]]:
    """Return the described columns of rows that the file gives to a table of ProxySQL, with its own defaults."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute(f"CREATE TABLE it {SCHEMA[table.table]}")
        for row in rows:
            marks = ", ".join("?" * len(row))
            base.execute(f"INSERT INTO it ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        chosen = base.execute(f"SELECT DISTINCT {', '.join(table.columns)} FROM it").fetchall()
    return sorted(
        sorted((c, NULL if v is None else str(v)) for c, v in zip(table.columns, row, strict=True))
        for row in chosen
    )


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize(
    "bad", ["it's-1234567890", 'a"b-1234567890', "a\\b-1234567890", "a;b-12345"]
)
def test_a_password_that_the_file_can_not_hold_is_refused_without_it(name: str, bad: str) -> None:
    site = with_secrets(memory_site(), {name: bad})
    with pytest.raises(InputError, match=f"ProxySQL cannot hold {name}") as error:
        described(site, MODULE)
    assert bad not in str(error.value)


def test_no_variable_is_an_invented_one() -> None:
    """Once mysql-galera_check_* and others that ProxySQL does not know were set."""
    first = next(iter(described(memory_site(), MODULE).values()))
    kinds = (ProxysqlVariables, ProxysqlStartup)
    names = {name for r in told(first) if isinstance(r, kinds) for name, _ in r.values}
    assert names <= DEFAULTS.keys(), "ProxySQL 2.6.4 has each of them (facts/08)"
    assert {"mysql-monitor_enabled", "mysql-interfaces", "mysql-threads"} <= names


def test_both_proxies_fit_into_one_node() -> None:
    """200 clients of a node with 100 sessions: 1040, the writer shunned, then no writer for any client."""
    MODULE.require(with_parameters(memory_site(), {"galera.max_connections": "420"}))
    wrong = with_parameters(memory_site(), {"galera.max_connections": "419"})
    with pytest.raises(RefusedError, match="more than the 419 that a node takes") as error:
        MODULE.require(wrong)
    assert "lower proxysql.max_connections_to_a_node to 199" in error.value.hint
    place = wrong.settings.places["galera.max_connections"]
    assert f"{place.file}:{place.line}" in error.value.where
    assert described(wrong, MODULE).keys() == {"proxysql-01", "proxysql-02"}, "looks go on"


def test_everything_goes_to_one_writer_and_the_admin_port_is_for_the_host_itself(
    parse: Callable[[str], dict[str, Any]],
) -> None:
    hosts = described(memory_site(), MODULE)
    assert sorted(hosts) == ["proxysql-01", "proxysql-02"]
    found = parse(cnf(hosts["proxysql-01"]).text.reveal())
    assert found["mysql_variables"]["interfaces"] == "0.0.0.0:3306"
    assert found["admin_variables"]["mysql_ifaces"] == "127.0.0.1:6032"
    assert "admin:admin" not in found["admin_variables"]["admin_credentials"]
    [group] = found["mysql_galera_hostgroups"]
    assert (group["max_writers"], group["writer_is_also_reader"]) == ("1", "1")
    [rule] = found["mysql_query_rules"]
    assert (rule["match_pattern"], rule["destination_hostgroup"]) == (".", "10")
    assert {row["weight"] for row in found["mysql_servers"]} == {"1000"}
    [container] = [r for r in resources(hosts["proxysql-01"]) if isinstance(r, Container)]
    assert container.image == "proxysql/proxysql:2.6.4"
    paths = {r.path: r.mode for r in resources(hosts["proxysql-01"]) if isinstance(r, Directory)}
    assert paths["/opt/keybuzz/proxysql/data"] == 0o700
    assert cnf(hosts["proxysql-01"]).mode == 0o600
