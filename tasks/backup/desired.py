"""What backup-01 must be: Barman, its configuration, and the slot that keeps WAL for it. Pure."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.reading import Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory, File, UnitReload
from keybuzz.model.host.strays import Traces
from keybuzz.model.host.system import Package, SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.variables import Endpoint
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.backup import parameters, values
from tasks.backup.readings import BackupLimits, BackupLook
from tasks.backup.store import places
from tasks.backup.store.archive import looks
from tasks.backup.store.services import SERVICES
from tasks.patroni.service.readings import PostgresLogin
from tasks.patroni.service.resources import BACKUP_FUNCTIONS, BACKUP_ROLES, PatroniSlot

_TEMPLATES = Path(__file__).parent / "templates"
_FOLDERS = (
    *(values.BARMAN_HOME, values.MARKS, values.RESTORED, values.DRILLED, values.LOG),
    places.ROOT,
)
ARCHIVE = "backup.postgres.archive"
"""Name of the reading: what lies on backup-01."""
SOURCE = "backup.postgres.source"
"""Name of the reading: what PostgreSQL says of the slot."""
RIGHTS = " and ".join(
    (
        *(f"pg_has_role('{name}', 'USAGE')" for name in BACKUP_ROLES),
        *(f"has_function_privilege('{name}', 'EXECUTE')" for name in BACKUP_FUNCTIONS),
    )
)
"""Whether the role that asks may do all that a base backup needs: module patroni grants it (BackupRights)."""
SLOT_STATE = (
    "select (select system_identifier from pg_control_system())::text, "
    "coalesce((select active::text from pg_replication_slots where slot_name = '{slot}'), 'none'), "
    "coalesce((select wal_status from pg_replication_slots where slot_name = '{slot}'), 'none'), "
    "coalesce((select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint::text from pg_replication_slots "
    "where slot_name = '{slot}'), '-1'), "
    f"({RIGHTS})::text, "
    "(select setting from pg_settings where name = 'max_slot_wal_keep_size')"
)
"""The cluster's number; whether the slot is read, what state its WAL is in, and how many bytes it keeps; the rights;
how many MB of WAL any slot may keep."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of backup-01; nothing on a site without PostgreSQL."""
    del server
    entered = values.entry(site)
    if entered is None:
        return Description(())
    return Description(
        _resources(site, entered),
        readings(site, entered),
        # The package's own cron does nothing here: its configuration names no server.
        traces=Traces(
            files=tuple(f"{folder}/*" for folder in _FOLDERS),
            units=(values.DAILY,),
            cron=("/etc/cron.d/barman",),
        ),
    )


def _resources(site: Site, entered: Endpoint) -> tuple[Resource, ...]:
    again = UnitReload(values.UNIT, "try-restart")
    found = values.barman(site, entered)
    return (
        *(Package(name) for name in values.PACKAGES),
        Directory("/opt/keybuzz"),
        Directory(values.ROOT, mode=0o700),
        Directory(values.CONFIGURATION, mode=0o700),
        *(Directory(folder, mode=0o700) for folder in _FOLDERS),
        File(values.PASSFILE, Template(_TEMPLATES, "pgpass.j2", found), mode=0o600, reload=again),
        File(
            values.BARMAN_CONF,
            Template(_TEMPLATES, "barman.conf.j2", found),
            mode=0o600,
            reload=again,
        ),
        PatroniSlot(
            values.rest_urls(site),
            values.SLOT,
            parameters.SLOT_KEEPS.of(site),
            values.REST_USER,
            site.secret("PATRONI_API_PASSWORD"),
        ),
        File(values.DAILY_FILE, Content.plain(values.daily_text(site))),
        SystemdUnit(values.UNIT, values.UNIT_TEXT),
        SystemdUnit(values.TIMER, values.timer_text(site)),
    )


def readings(site: Site, entered: Endpoint) -> tuple[Reading, ...]:
    """Return what the checks need: the archive as it lies there, and what its source says."""
    return (
        look(site),
        *looks(),
        source(site, entered),
    )


def source(site: Site, entered: Endpoint) -> PostgresLogin:
    """Return the question what PostgreSQL says of the slot and of itself."""
    return PostgresLogin(
        SOURCE,
        entered.host,
        site.secret("POSTGRES_REPL_USER").reveal(),
        site.secret("POSTGRES_REPL_PASS"),
        "postgres",
        port=entered.port,
        statement=SLOT_STATE.format(slot=values.SLOT),
    )


def look(site: Site) -> BackupLook:
    """Return the question what backups of PostgreSQL there are."""
    limits = BackupLimits(
        parameters.AGE_HOURS.of(site),
        parameters.VERIFIED_DAYS.of(site),
        parameters.RESTORED_DAYS.of(site),
        parameters.ROOM_WARN.of(site),
        parameters.ROOM_CRITICAL.of(site),
        tuple(one.service for one in SERVICES if one.ask(site)),
    )
    folder = f"{values.BARMAN_HOME}/{values.server(site)}"
    return BackupLook(ARCHIVE, folder, values.MARKS, limits)
