"""What an entry host of MariaDB must be (module 8). Pure; the same on both hosts."""

from __future__ import annotations

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import DirectoryListing, Reading, TcpPorts
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.galera.service.readings import MysqlQuery
from tasks.proxysql import settled, values
from tasks.proxysql.leftovers import LEFTOVERS
from tasks.proxysql.service.resources import (
    Placement,
    ProxysqlOpen,
    ProxysqlStartup,
    ProxysqlTable,
    ProxysqlTables,
    ProxysqlVariables,
    Row,
)

SERVERS = "SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers"
PLACES = (
    "SELECT DISTINCT hostname, port, weight, max_connections, use_ssl FROM runtime_mysql_servers"
)
SUMS = "SELECT name, checksum FROM runtime_checksums_values"
_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_AGE = f"{_NOW} - time_start_us / 1000"
LOG = (
    f"SELECT hostname, primary_partition, wsrep_local_state, error, {_AGE}"
    " FROM monitor.mysql_server_galera_log ORDER BY time_start_us"
)
"""The last column is the age of the sample in milliseconds, by ProxySQL's own clock."""
BAD = (
    f"SELECT hostname, {_NOW} - MAX(time_start_us) / 1000, primary_partition, wsrep_local_state, error"
    " FROM monitor.mysql_server_galera_log GROUP BY hostname"
    " HAVING error IS NOT NULL OR primary_partition <> 'YES' OR wsrep_local_state <> 4"
)
"""Nodes whose newest sample is bad, and its age in milliseconds."""
DEFAULTS = (
    "SELECT variable_name FROM runtime_global_variables"
    " WHERE ';' || variable_value || ';' LIKE '%;admin:admin;%'"
    " OR ';' || variable_value || ';' LIKE '%;stats:stats;%'"
)
"""Which accounts of the admin port have the password that everybody knows: asked without a login that it would log."""
VARIABLES = (
    "SELECT variable_name, variable_value FROM runtime_global_variables"
    " WHERE variable_name NOT LIKE '%password%' AND variable_name NOT LIKE '%credentials%'"
    " AND variable_name NOT LIKE '%username%' ORDER BY 1"
)
WHERE = "SELECT @@hostname"
STOP_TIMEOUT = 15
"""Seconds between TERM and KILL."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of one host."""
    image = site.image("proxysql")
    return Description(
        (
            Directory(values.ROOT),
            Directory(values.CONF, mode=0o700),
            Directory(values.DATA, mode=0o700),
            Image(image),
            File(
                values.CNF,
                Template(values.TEMPLATES, "proxysql.cnf.j2", values.cnf(site)),
                mode=0o600,
            ),
            Container(
                values.CONTAINER,
                image,
                binds=(
                    Bind(values.CNF, "/etc/proxysql.cnf", read_only=True),
                    Bind(values.DATA, "/var/lib/proxysql"),
                ),
                command=values.COMMAND,
                hostname=server.name,
                stop_timeout=STOP_TIMEOUT,
            ),
            *_state(site),
            *LEFTOVERS,
        ),
        _readings(site),
    )


def _state(site: Site) -> tuple[Resource, ...]:
    """Return what the admin port is told: variables first, so that the monitor can log in."""
    access = values.access(site)
    servers = _table(
        "mysql_servers",
        values.servers(site),
        settled.SERVER,
        left=settled.SERVER_MOVED,
        placed=values.PLACEMENT,
    )
    users = _table(
        "mysql_users", values.users(site), settled.USER, left=settled.USER_SPLIT, own="username"
    )
    rules = _table("mysql_query_rules", values.rules(), settled.RULE, left=settled.RULE_PARSED)
    hostgroups = _table("mysql_galera_hostgroups", values.hostgroups())
    attributes = ProxysqlTable("mysql_hostgroup_attributes", settled.HOSTGROUP_ATTRIBUTES, ())
    cluster = ProxysqlTable("proxysql_servers", settled.PROXYSQL_SERVERS, ())
    return (
        ProxysqlOpen(access, values.PORT),
        ProxysqlVariables(access, "ADMIN VARIABLES", values.admin(site)),
        ProxysqlVariables(access, "MYSQL VARIABLES", values.mysql(site)),
        ProxysqlTables(access, "MYSQL SERVERS", (servers, hostgroups, attributes)),
        ProxysqlTables(access, "MYSQL USERS", (users,)),
        ProxysqlTables(access, "MYSQL QUERY RULES", (rules,)),
        ProxysqlTables(access, "PROXYSQL SERVERS", (cluster,)),
        # The last, because it may restart what the others were told.
        ProxysqlStartup(access, values.CONTAINER, values.STARTUP, STOP_TIMEOUT),
    )


def _table(
    name: str,
    rows: values.Rows,
    others: Row = (),
    *,
    left: tuple[str, ...] = (),
    placed: Placement | None = None,
    own: str = "",
) -> ProxysqlTable:
    """Return a table of ours: its rows, with what its other columns must hold. A row that is not ours is a stray."""
    full = tuple((*row, *others) for row in rows)
    return ProxysqlTable(name, tuple(column for column, _ in full[0]), full, placed, own, left)


def _readings(site: Site) -> tuple[Reading, ...]:
    admin = values.access(site)
    return (
        MysqlQuery(
            "proxysql.admin",
            admin.address,
            admin.port,
            admin.user,
            admin.password,
            (SERVERS, PLACES, SUMS, LOG, DEFAULTS, VARIABLES),
            former=admin.former,
            recheck=(BAD, 2 * values.INTERVAL / 1000),
        ),
        TcpPorts("proxysql.ports", (values.PORT, values.ADMIN_PORT)),
        DirectoryListing("proxysql.data", values.DATA),
        login(site, "proxysql.through", "127.0.0.1"),
        *(
            login(site, f"proxysql.direct.{member.name}", str(member.address))
            for member in site.members(values.DATABASES)
        ),
        *(
            login(site, f"proxysql.balancer.{entry.address}", str(entry.address))
            for entry in site.catalogue.virtual_addresses
            if values.GROUP in entry.targets and values.PORT in entry.ports
        ),
    )


def login(site: Site, name: str, address: str) -> MysqlQuery:
    """Return a login as the application, with a statement that only a node can answer."""
    return MysqlQuery(
        name,
        address,
        values.PORT,
        values.name(site, "MARIADB_APP_USER"),
        values.secret(site, "MARIADB_APP_PASSWORD"),
        (WHERE,),
        timeout=3.0,
    )
