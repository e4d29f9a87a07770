"""proxysql.cnf and the wanted state for any valid site; the file is read by a parser of libconfig's grammar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import InputError
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import Directory, File
from keybuzz.model.services.proxysql import ProxysqlTables, ProxysqlVariables
from keybuzz.site.site import Site
from tasks.proxysql import MODULE
from tasks.proxysql.values import CNF
from tests.unit.support.site_values import (
    PLANTED,
    Row,
    described,
    fleet_of,
    memory_site,
    sites,
    with_secrets,
)

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
HOST = ("db_proxy", "proxysql", "proxysql-docker")
DATABASE = ("db", "mariadb", "mariadb-galera-docker")
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
    image = Path(__file__).parents[4] / "tasks/proxysql/stand_in/proxysql"
    sys.path.insert(0, str(image))
    try:
        from proxysql.cnf import parse as found  # a program of the lab's image
    finally:
        sys.path.remove(str(image))
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
    assert len(found["mysql_servers"]) == databases


def told(description: HostDescription) -> list[ProxysqlTables | ProxysqlVariables]:
    kinds = (ProxysqlTables, ProxysqlVariables)
    return [r for r in resources(description) if isinstance(r, kinds)]


def assert_same(
    found: dict[str, Any], resource: ProxysqlTables | ProxysqlVariables, site: Site
) -> None:
    """What the first boot reads is what the admin port is told afterwards, so a first install changes nothing."""
    order: Any = resource.order()
    if isinstance(resource, ProxysqlVariables):
        for name, value in order["values"].items():
            kind, _, short = name.partition("-")
            assert found[f"{kind}_variables"][short] == value
        return
    for table in resource.tables:
        rows = [row["values"] for row in order["rows"] if row["table"] == table.table]
        assert list(found[table.table]) == rows
    shown = " ".join(text for layer in resource.wanted(site.digest_key).values() for text in layer)
    assert PLANTED not in shown


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
    names = {name for r in told(first) if isinstance(r, ProxysqlVariables) for name, _ in r.values}
    assert names == {
        "admin-admin_credentials",
        "admin-mysql_ifaces",
        "mysql-max_connections",
        "mysql-default_query_timeout",
        "mysql-server_version",
        "mysql-monitor_username",
        "mysql-monitor_password",
        "mysql-monitor_galera_healthcheck_interval",
        "mysql-monitor_galera_healthcheck_timeout",
        "mysql-monitor_galera_healthcheck_max_timeout_count",
    }


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
