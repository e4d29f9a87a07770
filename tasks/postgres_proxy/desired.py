"""What an entry host of PostgreSQL must be (module 3, second step): HAProxy and PgBouncer. Pure."""

from __future__ import annotations

from collections.abc import Callable

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import HttpGet, Reading, SocketQuestion, TcpPorts
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import ContainerSignal, Directory, File, ImageValidator
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.patroni.service.readings import PostgresLogin
from tasks.postgres_proxy import values
from tasks.postgres_proxy.leftovers import LEFTOVERS

PRIMARY = "select pg_is_in_recovery(), current_setting('default_transaction_read_only')"
"""Says where it was answered, and only a primary can answer it: a new transaction number is a write."""
ANSWER_SECONDS = 3.0
_IN_HAPROXY = "/usr/local/etc/haproxy"
_IN_PGBOUNCER = "/etc/pgbouncer"

# PgBouncer has no mode that only checks. So it is started on the new file, without a network, until it listens (the
# file is good) or has ended (it is not); its exit code is the verdict.
TRIAL = (
    'pgbouncer "$0" & until [ -S /tmp/.s.PGSQL.6432 ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done; '
    "kill -INT $! 2>/dev/null; wait $!"
)


def describe(site: Site, server: Server) -> Description:
    """Return the description of one host; the files are the same on all of them."""
    return Description(
        resources=(
            Directory(values.ROOT),
            *_haproxy(site, server),
            *_pgbouncer(site, server),
            *LEFTOVERS,
        ),
        readings=_readings(site),
    )


def _haproxy(site: Site, server: Server) -> tuple[Resource, ...]:
    uid, reference = values.HAPROXY_UID, site.image("haproxy")
    mounted = f"{_IN_HAPROXY}/haproxy.cfg"
    return (
        Directory(f"{values.ROOT}/haproxy"),
        Directory(values.HAPROXY_CONFIGURATION),
        Directory(values.HAPROXY_RUN, uid, uid, 0o750),
        Image(reference),
        File(
            f"{values.HAPROXY_CONFIGURATION}/haproxy.cfg",
            Template(values.TEMPLATES, "haproxy.cfg.j2", values.haproxy_values(site)),
            validator=ImageValidator(reference, ("haproxy", "-c", "-f", mounted), mounted),
            # To the master process: a new worker takes over the sockets, the old one keeps its sessions.
            reload=ContainerSignal(values.HAPROXY, "USR2"),
        ),
        Container(
            values.HAPROXY,
            reference,
            command=("haproxy", "-f", mounted),
            binds=(
                # The directory, not the file: a file that is replaced would stay old inside.
                Bind(values.HAPROXY_CONFIGURATION, _IN_HAPROXY, read_only=True),
                Bind(values.HAPROXY_RUN, values.HAPROXY_RUN),
            ),
            hostname=server.name,
            user=f"{uid}:{uid}",
            stop_timeout=15,
        ),
    )


def _pgbouncer(site: Site, server: Server) -> tuple[Resource, ...]:
    uid, reference = values.PGBOUNCER_UID, site.image("pgbouncer")
    folder, mounted = values.PGBOUNCER_CONFIGURATION, f"{_IN_PGBOUNCER}/pgbouncer.ini"
    reload = ContainerSignal(values.PGBOUNCER, "HUP")
    users = Template(values.TEMPLATES, "userlist.txt.j2", values.userlist_values(site))
    return (
        Directory(f"{values.ROOT}/pgbouncer"),
        Directory(folder, uid, uid, 0o700),
        Image(reference),
        File(f"{folder}/userlist.txt", users, uid, uid, 0o600, reload=reload),
        File(
            f"{folder}/pgbouncer.ini",
            Template(values.TEMPLATES, "pgbouncer.ini.j2", values.pgbouncer_values(site)),
            uid,
            uid,
            0o600,
            ImageValidator(reference, ("sh", "-c", TRIAL, mounted), mounted),
            reload,
        ),
        Container(
            values.PGBOUNCER,
            reference,
            command=("/usr/bin/pgbouncer", mounted),
            binds=(Bind(folder, _IN_PGBOUNCER, read_only=True),),
            hostname=server.name,
            user=f"{uid}:{uid}",
            # On TERM it waits until every client has left, which a pool of an application never does (docs/images.md).
            # On INT it takes no new clients, lets running transactions end, and leaves.
            stop_signal="SIGINT",
            stop_timeout=60,
        ),
    )


def _readings(site: Site) -> tuple[Reading, ...]:
    return (
        SocketQuestion("postgres-proxy.haproxy.info", values.HAPROXY_SOCKET, "show info"),
        SocketQuestion("postgres-proxy.haproxy.stat", values.HAPROXY_SOCKET, "show stat"),
        TcpPorts("postgres-proxy.ports", (values.POSTGRES_PORT, values.POOL_PORT)),
        *(
            HttpGet(
                f"postgres-proxy.primary.{member.name}",
                f"http://{member.address}:{values.REST_PORT}/primary",
            )
            for member in site.members(values.DATABASE_GROUP)
        ),
        login(site, "postgres-proxy.login.5432", "127.0.0.1", values.POSTGRES_PORT),
        login(site, "postgres-proxy.login.6432", "127.0.0.1", values.POOL_PORT),
        *(
            login(
                site,
                f"postgres-proxy.balancer.{entry.address}",
                str(entry.address),
                values.POOL_PORT,
            )
            for entry in site.catalogue.virtual_addresses
            if values.GROUP in entry.targets and values.POOL_PORT in entry.ports
        ),
    )


def login_at(port: int) -> Callable[[Site, str], PostgresLogin]:
    """Return the login that `kbz lb check` makes at an address."""
    return lambda site, address: login(site, f"login at {address}", address, port)


def login(site: Site, name: str, address: str, port: int) -> PostgresLogin:
    """Return a login as the application, with a question that a primary answers in another way than a replica."""
    return PostgresLogin(
        name,
        address,
        site.secret("POSTGRES_APP_USER").reveal(),
        site.secret("POSTGRES_APP_PASS"),
        site.secret("POSTGRES_DB").reveal(),
        port=port,
        timeout=ANSWER_SECONDS,
        statement=PRIMARY,
    )
