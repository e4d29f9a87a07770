"""What an entry host of MariaDB must be (module 8). Pure; the same on both hosts."""

from __future__ import annotations

from dataclasses import replace

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import DirectoryListing, MysqlQuery, Reading, TcpPorts
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.host.strays import Traces
from keybuzz.model.inventory.server import Server
from keybuzz.model.services.proxysql import ProxysqlTable, ProxysqlTables, ProxysqlVariables
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.proxysql import values

SERVERS = "SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers"
SUMS = "SELECT name, checksum FROM runtime_checksums_values"
LOG = (
    "SELECT hostname, primary_partition, wsrep_local_state, error FROM monitor.mysql_server_galera_log"
    " ORDER BY time_start_us"
)
WHERE = "SELECT @@hostname"


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
                hostname=server.name,
                stop_timeout=15,
            ),
            *_state(site),
        ),
        _readings(site),
        traces=Traces(ports=(values.PORT, values.ADMIN_PORT)),
    )


def _state(site: Site) -> tuple[Resource, ...]:
    """Return what the admin port is told: variables first, so that the monitor can log in."""
    access = values.access(site)
    servers = _table("mysql_servers", values.servers(site), placed=True)
    hostgroups = _table("mysql_galera_hostgroups", values.hostgroups())
    return (
        ProxysqlVariables(access, "ADMIN VARIABLES", values.admin(site)),
        ProxysqlVariables(access, "MYSQL VARIABLES", values.mysql(site)),
        ProxysqlTables(access, "MYSQL SERVERS", (servers, hostgroups)),
        ProxysqlTables(access, "MYSQL USERS", (_users(site),)),
        ProxysqlTables(access, "MYSQL QUERY RULES", (_table("mysql_query_rules", values.rules()),)),
    )


def _users(site: Site) -> ProxysqlTable:
    """Return our users; another one is a stray, which no run removes."""
    return replace(_table("mysql_users", values.users(site)), own="username")


def _table(name: str, rows: values.Rows, *, placed: bool = False) -> ProxysqlTable:
    return ProxysqlTable(name, tuple(column for column, _ in rows[0]), rows, placed)


def _readings(site: Site) -> tuple[Reading, ...]:
    admin = values.access(site)
    return (
        MysqlQuery(
            "proxysql.admin",
            admin.address,
            admin.port,
            admin.user,
            admin.password,
            (SERVERS, SUMS, LOG),
            former=admin.former,
        ),
        MysqlQuery(
            "proxysql.default", admin.address, admin.port, "admin", Secret("default", "admin")
        ),
        TcpPorts("proxysql.ports", (values.PORT, values.ADMIN_PORT)),
        DirectoryListing("proxysql.data", values.DATA),
        login(site, "proxysql.through", "127.0.0.1"),
        *(
            login(site, f"direct.{member.name}", str(member.address))
            for member in site.members(values.DATABASES)
        ),
        *(
            login(site, f"balancer.{entry.address}", str(entry.address))
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
