"""What kbz writes through ProxySQL's admin port, and reads back layer by layer, against the lab's stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from keybuzz.agent.kinds import reader
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import stored
from keybuzz.engine.look.planning import change_of
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.secret import DigestKey, Secret
from tasks.galera.service.resources import MysqlAccess
from tasks.proxysql.agent import proxysql as kind
from tasks.proxysql.service.resources import (
    Placement,
    ProxysqlNoUser,
    ProxysqlOpen,
    ProxysqlStartup,
    ProxysqlTable,
    ProxysqlTables,
    ProxysqlVariables,
    Row,
)
from tests.flow.servers.proxysql_server import ADMIN, ADMIN_PASSWORD, Ports, connect, stand_in, tell

KEY = DigestKey(b"k" * 32)
CONTEXT: Any = SimpleNamespace(digest=lambda content, secret: KEY.digest(content))
NEW = "it's-PlantedNeedle"
PLACEMENT = Placement("hostgroup_id", "10", ("20", "30"), "9999")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with stand_in(tmp_path_factory.mktemp("proxysql")) as found:
        yield found


def access(ports: Ports) -> MysqlAccess:
    return MysqlAccess("127.0.0.1", ADMIN, Secret("A", ADMIN_PASSWORD), ports.admin)


def table(name: str, *rows: Row, placed: Placement | None = None) -> ProxysqlTable:
    return ProxysqlTable(name, tuple(column for column, _ in rows[0]), rows, placed)


def users(ports: Ports, password: str = NEW) -> ProxysqlTables:
    row: Row = (("username", "erp"), ("password", Secret("P", password)), ("active", "1"))
    return ProxysqlTables(access(ports), "MYSQL USERS", (table("mysql_users", row),))


def servers(ports: Ports) -> ProxysqlTables:
    """Return three nodes on which nobody listens."""
    rows: list[Row] = [
        (("hostname", f"127.0.0.{last}"), ("port", "1"), ("weight", "1000")) for last in (2, 3, 4)
    ]
    group: Row = (
        ("writer_hostgroup", "10"),
        ("backup_writer_hostgroup", "20"),
        ("reader_hostgroup", "30"),
        ("offline_hostgroup", "9999"),
        ("active", "1"),
    )
    tables = (
        table("mysql_servers", *rows, placed=PLACEMENT),
        table("mysql_galera_hostgroups", group),
    )
    return ProxysqlTables(access(ports), "MYSQL SERVERS", tables)


def rules(ports: Ports) -> ProxysqlTables:
    row: Row = (("rule_id", "1"), ("active", "1"), ("match_pattern", "."), ("apply", "1"))
    return ProxysqlTables(access(ports), "MYSQL QUERY RULES", (table("mysql_query_rules", row),))


def variables(ports: Ports, **values: str) -> ProxysqlVariables:
    row: Row = tuple((f"mysql-{name}", value) for name, value in values.items())
    return ProxysqlVariables(access(ports), "MYSQL VARIABLES", row)


Read = ProxysqlTables | ProxysqlVariables | ProxysqlStartup | ProxysqlOpen


def change(resource: Read) -> Change | None:
    """Return what kbz would change now."""
    found = reader(resource.kind)(resource.query(), CONTEXT)
    # As it travels: lists become tuples.
    attributes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found["attributes"].items()
    }
    state = State(resource.identity, True, attributes)
    return change_of("proxysql-01", "proxysql", resource, state, KEY)


def layers(resource: Read) -> list[str]:
    found = change(resource)
    return [item.attribute for item in found.differences] if found else []


def write(resource: ProxysqlTables) -> None:
    kind.write_proxysql_tables(resource.order(), CONTEXT)


@pytest.mark.parametrize("make", [users, servers, rules])
def test_what_is_written_is_in_every_layer(ports: Ports, make: Any) -> None:
    write(make(ports))
    assert layers(make(ports)) == []


def test_a_new_password_lets_the_application_in_and_the_old_one_does_not(ports: Ports) -> None:
    write(users(ports, "before-123456"))
    write(users(ports))
    connect(ports.traffic, "erp", NEW).close()
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        connect(ports.traffic, "erp", "before-123456")


@pytest.mark.parametrize(("password", "seen"), [(NEW, []), ("another-123456", ["runtime"])])
def test_a_hash_at_runtime_is_the_password_of_memory_or_a_difference(
    ports: Ports, password: str, seen: list[str]
) -> None:
    """ProxySQL before 2.6 loads hashes (admin-hash_passwords)."""
    write(users(ports))
    setting = "UPDATE main.mysql_users SET password='{}'"
    tell(
        ports,
        setting.format(stored(password)),
        "LOAD MYSQL USERS TO RUNTIME",
        setting.format(NEW.replace("'", "''")),
    )
    assert layers(users(ports)) == seen


def test_a_user_that_is_not_ours_is_neither_compared_nor_removed(ports: Ports) -> None:
    """Each ERPNext site has one: a run that writes our users must leave it working (S-36)."""
    write(users(ports))
    tell(
        ports,
        "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('site', 'of-another-1', 10)",
        "LOAD MYSQL USERS TO RUNTIME",
        "SAVE MYSQL USERS TO DISK",
    )
    mine = users(ports)
    ours = ProxysqlTables(mine.access, mine.group, (replace(mine.tables[0], own="username"),))
    assert layers(ours) == []
    tell(ports, "UPDATE main.mysql_users SET active=0 WHERE username='erp'")
    assert layers(ours) == ["memory"]
    write(ours)
    assert layers(ours) == []
    connect(ports.traffic, "site", "of-another-1").close()
    connect(ports.traffic, "erp", NEW).close()
    assert layers(mine) == ["memory", "disk", "runtime"], "a table that is all ours would differ"
    write(mine)


def test_no_password_is_in_what_is_read_or_planned(ports: Ports) -> None:
    write(users(ports, "before-123456"))
    found = change(users(ports))
    assert found is not None
    assert [item.attribute for item in found.differences] == ["memory", "disk", "runtime"]
    for secret in ("before-123456", NEW):
        assert secret not in repr(found.differences)


@pytest.mark.parametrize(
    ("statements", "layer"),
    [
        (["UPDATE main.mysql_servers SET weight=7"], "memory"),
        (["DELETE FROM disk.mysql_servers WHERE hostname='127.0.0.3'"], "disk"),
        (
            [
                "INSERT INTO mysql_servers (hostgroup_id, hostname, weight) VALUES (10, '127.0.0.9', 1)",
                "LOAD MYSQL SERVERS TO RUNTIME",
                "DELETE FROM mysql_servers WHERE hostname='127.0.0.9'",
            ],
            "runtime",
        ),
    ],
    ids=["memory", "disk", "runtime"],
)
def test_an_edit_by_hand_is_seen_in_its_layer_and_gone_after_a_write(
    ports: Ports, statements: list[str], layer: str
) -> None:
    write(servers(ports))
    tell(ports, *statements)
    assert layers(servers(ports)) == [layer]
    write(servers(ports))
    assert layers(servers(ports)) == []


def test_variables_are_set_everywhere_and_all_others_stay(ports: Ports) -> None:
    wanted = variables(ports, max_connections="2048", monitor_username="kb_monitor")
    assert layers(wanted) == ["memory", "disk", "runtime"]
    kind.write_proxysql_variables(wanted.order(), CONTEXT)
    assert layers(wanted) == []
    ask = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-threads'"
    assert tell(ports, ask) == [("4",)]


def test_a_value_that_proxysql_does_not_take_is_said_and_not_kept_on_disk(ports: Ports) -> None:
    name = "monitor_galera_healthcheck_interval"
    good, wrong = variables(ports, **{name: "1000"}), variables(ports, **{name: "1"})
    kind.write_proxysql_variables(good.order(), CONTEXT)
    with pytest.raises(AgentError, match=f"does not take mysql-{name}"):
        kind.write_proxysql_variables(wrong.order(), CONTEXT)
    assert "disk" not in layers(good)


def test_no_value_that_kbz_sets_stands_in_the_log(ports: Ports) -> None:
    """ProxySQL logs each SET of a variable: values go in by UPDATE."""
    row: Row = (("mysql-monitor_password", Secret("M", "PlantedNeedle-m-1")),)
    wanted = ProxysqlVariables(access(ports), "MYSQL VARIABLES", row)
    kind.write_proxysql_variables(wanted.order(), CONTEXT)
    tell(ports, "SET mysql-max_connections='2048'")
    said = ports.log.read_text()
    assert "SET mysql-max_connections='2048'" in said
    assert "PlantedNeedle" not in said


def test_a_user_who_must_not_be_there_goes_from_every_layer_and_alone(ports: Ports) -> None:
    kind.write_proxysql_tables(users(ports).order(), CONTEXT)
    tell(
        ports,
        "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('it''s', 'x', 10)",
        "LOAD MYSQL USERS TO RUNTIME",
        "SAVE MYSQL USERS TO DISK",
    )
    gone = ProxysqlNoUser(access(ports), "it's")
    assert kind.read_proxysql_no_user(gone.query(), CONTEXT)["attributes"] == {"there": True}
    kind.write_proxysql_no_user(gone.order(), CONTEXT)
    assert kind.read_proxysql_no_user(gone.query(), CONTEXT)["attributes"] == {"there": False}
    ours = ProxysqlNoUser(access(ports), "erp")
    assert kind.read_proxysql_no_user(ours.query(), CONTEXT)["attributes"] == {"there": True}
