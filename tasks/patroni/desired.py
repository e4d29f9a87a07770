"""What a Patroni node must be (module 3: PG-1, PG-2, PG-4). Pure."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import DirectoryListing, HttpGet
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import ContainerSignal, Directory, File, ImageValidator
from keybuzz.model.host.retired import retired
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.patroni import applications, images, values
from tasks.patroni import parameters as declared
from tasks.patroni.formats import FORMATS
from tasks.patroni.service.readings import PostgresLogin
from tasks.patroni.service.resources import (
    BackupRights,
    Database,
    Extension,
    PatroniIdentity,
    PatroniSettings,
    Role,
)
from tasks.patroni.service.rest import PatroniRestPassword

_TEMPLATES = Path(__file__).parent / "templates"
LEFTOVERS = retired(
    units=("patroni-docker.service", "patroni.service", "postgres-docker.service"),
    files=("/tmp/patroni_build.log",),
)
"""What older scripts left beside Patroni, by name."""
_ABOUT_THE_NETWORK = ("is not reachable", "Failed to obtain address")
"""The validator runs without a network, and on a first start no partner answers yet."""

SERVER = (
    "select pg_is_in_recovery()::text, "
    "coalesce((select string_agg(name || '=' || setting, ', ' order by name) from pg_settings "
    "where sourcefile like '%postgresql.auto.conf'), ''), "
    "coalesce((select string_agg(slot_name || '=' || coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() "
    "then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn), 0)::bigint, ', ' order by slot_name) "
    "from pg_replication_slots where not active), ''), "
    "coalesce((select string_agg(rolname, ', ' order by rolname) from pg_roles where rolsuper), ''), "
    "case when pg_is_in_recovery() then pg_is_wal_replay_paused()::text else 'false' end, "
    "coalesce((select string_agg(coalesce(rolname, 'every role') || ' in ' || coalesce(datname, 'every database') || "
    "': ' || (select string_agg(case when split_part(item, '=', 1) like '%.%' then split_part(item, '=', 1) else item "
    "end, ' ') from unnest(setconfig) item), ', ' order by datname, rolname) from pg_db_role_setting "
    "left join pg_database d on d.oid = setdatabase left join pg_roles r on r.oid = setrole), ''), "
    "'{network}' || chr(10) || "
    "coalesce((select string_agg(case when error is not null then 'line ' || line_number || ' is not read' else "
    "concat_ws(' ', type, array_to_string(database, ','), array_to_string(user_name, ','), concat_ws('/', address, "
    "case when netmask not in ('255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') then netmask end), "
    "auth_method) end, chr(10) order by line_number) from pg_hba_file_rules "
    "where error is not null or (type <> 'local' and auth_method <> 'reject')), ''), "
    "case when pg_is_in_recovery() then coalesce((select received_tli from pg_stat_wal_receiver), "
    "(select timeline_id from pg_control_checkpoint())) else ('x' || "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end::text, "
    "concat_ws(' ', (select count(*) from pg_stat_activity where backend_type = 'client backend'), "
    "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, "
    "(select max(age(datfrozenxid)) from pg_database))"
)
"""What PostgreSQL is asked of itself: in recovery, settings of ALTER SYSTEM, inactive slots with the bytes of WAL that
they keep, superusers, replay that was paused, settings of roles and databases (of an application's own the name only:
it may hold a secret), and below the network that may come in: lines of pg_hba.conf that let in from other hosts, or
cannot be read; the timeline that is written, or received; last the sessions of clients, the most that there may be, and
how many transactions ago the oldest row was written that is not frozen."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node and of what is inside the cluster."""
    return Description(
        resources=_host(site, server),
        readings=_readings(site, server),
        cluster=_cluster(site, server),
        # PostgreSQL, Patroni's REST interface, and RAFT between the members.
    )


def _host(site: Site, server: Server) -> tuple[Resource, ...]:
    uid = values.UID
    reference = images.build(site).reference
    mounted = "/etc/patroni/patroni.yml"
    return (
        PatroniIdentity(
            values.rest_url(server),
            values.scope(site),
            FORMATS.newest(site.image("postgres")),
            values.DATA,
            values.CONTAINER,
            values.NAMESPACE,
            values.RAFT_PORT,
        ),
        PatroniRestPassword(values.CONTAINER, site.secret("PATRONI_API_PASSWORD")),
        Directory(values.ROOT),
        Directory(f"{values.ROOT}/postgres"),
        Directory(values.DATA, uid, uid, 0o700),
        Directory(values.RAFT, uid, uid, 0o700),
        Directory(values.ARCHIVE, uid, uid, 0o755),
        Directory(f"{values.ROOT}/patroni"),
        Directory(values.CONFIGURATION, uid, uid, 0o700),
        Image(reference, built=True),
        File(
            f"{values.CONFIGURATION}/patroni.yml",
            Template(_TEMPLATES, "patroni.yml.j2", values.values(site, server)),
            uid,
            uid,
            0o600,
            ImageValidator(
                reference, ("patroni", "--validate-config", mounted), mounted, _ABOUT_THE_NETWORK
            ),
            ContainerSignal(values.CONTAINER, "HUP"),
        ),
        Container(
            values.CONTAINER,
            reference,
            command=("patroni", mounted),
            binds=(
                Bind(values.DATA, "/var/lib/postgresql/data"),
                Bind(values.RAFT, values.RAFT),
                Bind(values.ARCHIVE, values.ARCHIVE),
                # The directory, not the file: a file that is replaced would stay old inside.
                Bind(values.CONFIGURATION, "/etc/patroni", read_only=True),
            ),
            hostname=server.name,
            user="postgres",
            shared_memory=values.SHARED_MEMORY,
        ),
        *LEFTOVERS,
    )


def _readings(site: Site, server: Server) -> tuple[HttpGet | DirectoryListing | PostgresLogin, ...]:
    return (
        HttpGet("patroni.self", f"{values.rest_url(server)}/patroni"),
        HttpGet("patroni.cluster", f"{values.rest_url(server)}/cluster"),
        HttpGet("patroni.config", f"{values.rest_url(server)}/config"),
        # PostgreSQL itself: a manager that hangs, or was stopped, says nothing of what its server does.
        PostgresLogin(
            "patroni.server",
            str(server.address),
            values.superuser(site),
            site.secret("POSTGRES_SUPERPASS"),
            "postgres",
            statement=SERVER.format(network=declared.NETWORK.of(site)),
            timeout=5.0,
        ),
        DirectoryListing("patroni.data", values.DATA),
        DirectoryListing("patroni.raft", values.RAFT),
    )


def _cluster(site: Site, server: Server) -> tuple[Resource, ...]:
    access = values.access(site, server)
    application = site.secret("POSTGRES_APP_USER").reveal()
    replication = site.secret("POSTGRES_REPL_USER").reveal()
    database = site.secret("POSTGRES_DB").reveal()
    return (
        _settings(site, server),
        Role(
            access,
            values.superuser(site),
            site.secret("POSTGRES_SUPERPASS"),
            replication=True,
            superuser=True,
        ),
        Role(access, replication, site.secret("POSTGRES_REPL_PASS"), replication=True),
        # Base backups are streamed as this role (module backup).
        BackupRights(access, replication),
        Role(
            access,
            site.secret("POSTGRES_REWIND_USER").reveal(),
            site.secret("POSTGRES_REWIND_PASS"),
        ),
        Role(access, application, site.secret("POSTGRES_APP_PASS")),
        Database(access, database, application),
        Extension(access, database, "vector"),
        *applications.resources(site, access),
    )


def _settings(site: Site, server: Server) -> PatroniSettings:
    parameters = tuple(
        (f"postgresql.parameters.{name}", value) for name, value in values.shared_parameters(site)
    )
    return PatroniSettings(
        values.rest_url(server),
        (
            ("ttl", values.TTL),
            ("loop_wait", values.LOOP_WAIT),
            ("retry_timeout", values.RETRY_TIMEOUT),
            ("maximum_lag_on_failover", values.MAXIMUM_LAG),
            ("postgresql.use_pg_rewind", True),
            ("postgresql.use_slots", True),
            *parameters,
        ),
        values.REST_USER,
        site.secret("PATRONI_API_PASSWORD"),
    )
