"""The settled values of facts/08, typed: one source for the first file and for what the admin port is told."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.site import Site
from tasks.galera.service.offer import ACCOUNTS, MariadbDatabase
from tasks.galera.service.resources import MysqlAccess
from tasks.proxysql import parameters, settled
from tasks.proxysql.service.resources import Placement, Row

GROUP, DATABASES = parameters.GROUP, "galera"
CONTAINER = "proxysql"
ROOT = "/opt/keybuzz/proxysql"
CONF, DATA = f"{ROOT}/conf", f"{ROOT}/data"
CNF = f"{CONF}/proxysql.cnf"
TEMPLATES = Path(__file__).parent / "templates"
PORT, ADMIN_PORT = 3306, 6032
LISTEN, ADMIN_LISTEN = f"0.0.0.0:{PORT}", f"127.0.0.1:{ADMIN_PORT}"
WRITER, BACKUP, READER, OFFLINE = "10", "20", "30", "9999"
PLACEMENT = Placement("hostgroup_id", WRITER, (BACKUP, READER), OFFLINE)
COMMAND = ("proxysql", "-f", "--idle-threads", "-D", "/var/lib/proxysql", "--no-version-check")
"""The image's own command, without its daily question to the vendor, for which it checks no certificate."""
_UNSAFE = re.compile("[\"'\\\\;\x00-\x1f\x7f]")
_UNSAFE_NAME = re.compile("[\"'\\\\;:\x00-\x1f\x7f]")

Rows = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Cnf:
    """Every name of proxysql.cnf.j2."""

    admin: Row
    mysql: Row
    servers: Rows
    users: Rows
    rules: Rows
    hostgroups: Rows
    texts: tuple[str, ...] = ("hostname", "username", "password", "match_pattern")
    """Columns in quotes. A number in quotes would not be read as one, and the row would get its default."""


def cnf(site: Site) -> Cnf:
    """Return the values of the first file: the same as the admin port is told later."""
    return Cnf(
        tuple((name.removeprefix("admin-"), value) for name, value in admin(site)),
        tuple((name.removeprefix("mysql-"), value) for name, value in (*STARTUP, *mysql(site))),
        _first_servers(site),
        users(site),
        rules(),
        hostgroups(),
    )


def _composed(site: Site) -> Secret:
    user, password = name(site, "PROXYSQL_ADMIN_USER"), secret(site, "PROXYSQL_ADMIN_PASSWORD")
    return Secret(password.name, f"{user}:{password.reveal()}")


def _statistics(site: Site) -> Secret:
    """Return the account of statistics, which no program uses: its password is no default, and follows the admin's."""
    password = secret(site, "PROXYSQL_ADMIN_PASSWORD")
    derived = hashlib.sha256(b"statistics of ProxySQL:" + password.reveal().encode()).hexdigest()
    return Secret(password.name, f"stats:{derived[:40]}")


def admin(site: Site) -> Row:
    """Return the variables of the admin port: reached from the host itself only, and by no default user."""
    return (
        ("admin-admin_credentials", _composed(site)),
        ("admin-stats_credentials", _statistics(site)),
        ("admin-mysql_ifaces", ADMIN_LISTEN),
        *settled.ADMIN,
    )


STARTUP: Row = (("mysql-interfaces", LISTEN), ("mysql-threads", "4"))
"""What only a start reads."""
INTERVAL = 1000
"""Milliseconds between two looks of the monitor at a node."""


def mysql(site: Site) -> Row:
    """Return the variables of traffic and monitor."""
    return (
        ("mysql-max_connections", "2048"),
        ("mysql-default_query_timeout", "36000000"),
        ("mysql-server_version", "10.11.6"),
        ("mysql-monitor_username", name(site, "MARIADB_MONITOR_USER")),
        ("mysql-monitor_password", secret(site, "MARIADB_MONITOR_PASSWORD")),
        ("mysql-monitor_galera_healthcheck_interval", str(INTERVAL)),
        ("mysql-monitor_galera_healthcheck_timeout", "600"),
        ("mysql-monitor_galera_healthcheck_max_timeout_count", "3"),
        *settled.MYSQL,
    )


def servers(site: Site) -> Rows:
    """Return the three nodes with the same weight: both proxies choose the same writer by themselves."""
    limit = parameters.TO_A_NODE.of(site)
    return tuple(
        (
            ("hostname", str(member.address)),
            ("port", "3306"),
            ("weight", "1000"),
            ("max_connections", str(limit)),
        )
        for member in site.members(DATABASES)
    )


def _first_servers(site: Site) -> Rows:
    """Return the rows of the first file: the node that the monitor will choose is the only writer from the start."""
    nodes = servers(site)
    chosen = max((dict(row)["hostname"] for row in nodes), key=str, default="")
    return tuple(
        ((PLACEMENT.column, group), *row)
        for row in nodes
        for group in ([WRITER] if dict(row)["hostname"] == chosen else PLACEMENT.others)
    )


def users(site: Site) -> Rows:
    """Return the platform's own user, and those of applications (each ERPNext site has one)."""
    most: dict[str, int] = {}
    for _, item in site.applications.parts(MariadbDatabase):
        most[item.user] = max(item.connections, most.get(item.user, 0))
    return (
        _user(name(site, "MARIADB_APP_USER"), secret(site, "MARIADB_APP_PASSWORD"), 100),
        *(_user(u, secret(site, ACCOUNTS.credential(u).name), n) for u, n in most.items()),
    )


def user_names(site: Site) -> tuple[str, ...]:
    """Return the names of our users."""
    sites = (item.user for _, item in site.applications.parts(MariadbDatabase))
    return (name(site, "MARIADB_APP_USER"), *dict.fromkeys(sites))


def _user(username: str, password: Secret, connections: int) -> Row:
    return (
        ("username", username),
        ("password", password),
        ("active", "1"),
        ("default_hostgroup", WRITER),
        ("max_connections", str(connections)),
        ("transaction_persistent", "1"),
    )


def rules() -> Rows:
    """Return the one rule: everything to the writer, because ERPNext reads what it has just written."""
    return (
        (
            ("rule_id", "1"),
            ("active", "1"),
            ("match_pattern", "."),
            ("destination_hostgroup", WRITER),
            ("apply", "1"),
        ),
    )


def hostgroups() -> Rows:
    """Return one writer at a time (contradiction 32)."""
    return (
        (
            ("writer_hostgroup", WRITER),
            ("backup_writer_hostgroup", BACKUP),
            ("reader_hostgroup", READER),
            ("offline_hostgroup", OFFLINE),
            ("active", "1"),
            ("max_writers", "1"),
            ("writer_is_also_reader", "1"),
            ("max_transactions_behind", "100"),
        ),
    )


def access(site: Site) -> MysqlAccess:
    """Return how the admin port is reached, from the host itself."""
    return MysqlAccess(
        "127.0.0.1",
        name(site, "PROXYSQL_ADMIN_USER"),
        secret(site, "PROXYSQL_ADMIN_PASSWORD"),
        ADMIN_PORT,
        site.former.get("PROXYSQL_ADMIN_PASSWORD"),
    )


def name(site: Site, variable: str) -> str:
    """Return a user's name; InputError for one that ProxySQL would read as something else."""
    found = site.secret(variable).reveal()
    if _UNSAFE_NAME.search(found):
        raise _refused(variable, "a quote, a backslash, `;`, `:` or a control character")
    return found


def secret(site: Site, variable: str) -> Secret:
    """Return a password; InputError for one that proxysql.cnf cannot hold: the default would stay (facts/08)."""
    found = site.secret(variable)
    clear = found.reveal()
    if _UNSAFE.search(clear):
        raise _refused(variable, "a quote, a backslash, `;` or a control character")
    if re.fullmatch(r"\*[0-9A-Fa-f]{40}", clear):
        raise _refused(variable, "the form of a stored hash")
    return found


def _refused(variable: str, what: str) -> InputError:
    return InputError(
        f"ProxySQL cannot hold {variable}: it has {what}",
        where="the credential store",
        hint="choose another one; letters and digits are always fine",
    )
