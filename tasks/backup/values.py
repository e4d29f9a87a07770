"""The settled values of module backup, typed: places on backup-01, and what Barman's configuration says."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.secret import Secret, sha256
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.uses import endpoints_of
from keybuzz.site.applications.variables import Endpoint
from keybuzz.site.site import Site
from tasks.backup import parameters
from tasks.patroni.service.offer import KEY, PORT
from tasks.patroni.service.resources import BACKUP_SLOT

GROUP = "backup"
DATABASE_HOSTS = "patroni"
ROOT = "/opt/keybuzz/backup"
"""The volume of backup-01."""
CONFIGURATION = f"{ROOT}/conf"
BARMAN_CONF = f"{CONFIGURATION}/barman.conf"
PACKAGES = ("barman", "postgresql-client", "rsync", "restic")
LAB_PACKAGES = {"debian 13": tuple(name for name in PACKAGES if name != "rsync")}
"""backup-01 runs this release, whose client programs know PostgreSQL 16; Barman brings rsync."""
PASSFILE = f"{CONFIGURATION}/pgpass"
BARMAN_HOME = f"{ROOT}/postgres"
MARKS = f"{ROOT}/marks"
RESTORED = f"{ROOT}/restored"
DRILLED = f"{ROOT}/drilled"
"""Where drills restore, and take away what they restored."""
LOG = f"{ROOT}/log"
UNIT = "kbz-barman.service"
DAILY, TIMER = "kbz-base-backup.service", "kbz-base-backup.timer"
DAILY_FILE = f"/etc/systemd/system/{DAILY}"
SLOT = BACKUP_SLOT
REST_USER = "patroni"
UNIT_TEXT = f"""\
# Managed by kbz (module backup). `kbz drift backup` reports a change by hand, `kbz run backup` takes it back.
[Unit]
Description=Barman receives the WAL of PostgreSQL, files it, and applies the retention
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/bin/sh -c 'while barman -q -c {BARMAN_CONF} cron; do sleep 10; done'
Restart=always
RestartSec=5
IOSchedulingClass=idle

[Install]
WantedBy=multi-user.target
"""
"""One unit for all of it: `cron` of Barman starts what receives WAL when it does not run, in the unit's own group."""


def daily_text(site: Site) -> str:
    """Return the unit that takes a base backup; without any WAL that arrived Barman would begin none."""
    barman, name = f"/usr/bin/barman -q -c {BARMAN_CONF}", server(site)
    return f"""\
# Managed by kbz (module backup). It does what `kbz backup run postgres` does.
[Unit]
Description=Base backup of PostgreSQL
After={UNIT}

[Service]
Type=oneshot
ExecStart={barman} switch-wal --force --archive --archive-timeout 120 {name}
ExecStart={barman} backup --wait --wait-timeout 600 {name}
IOSchedulingClass=idle
"""


def timer_text(site: Site) -> str:
    """Return the timer of that unit. It changes with the unit, so that systemd reads both again."""
    return f"""\
# Managed by kbz (module backup), for {sha256(daily_text(site).encode())[:19]}.
[Unit]
Description=Every day, the base backup of PostgreSQL

[Timer]
OnCalendar=*-*-* {parameters.AT.of(site)}:00
Persistent=true

[Install]
WantedBy=timers.target
"""


@dataclass(frozen=True, slots=True)
class BarmanValues:
    """Every name of barman.conf.j2 and pgpass.j2."""

    server: str
    entry: str
    port: int
    user: str
    password: Secret
    passfile: str
    home: str
    log: str
    slot: str
    keep_days: int
    keep_least: int


def server(site: Site) -> str:
    """Return the name of the cluster, which is its name in Barman too."""
    return site.secret("PATRONI_CLUSTER_NAME").reveal()


def entry(site: Site) -> Endpoint | None:
    """Return the official endpoint that leads to the leader; None on a site without PostgreSQL."""
    return endpoints_of(site.servers, site.catalogue).get((KEY, PORT))


def barman(site: Site, entered: Endpoint) -> BarmanValues:
    """Return the values of Barman's configuration."""
    return BarmanValues(
        server=server(site),
        entry=entered.host,
        port=entered.port,
        user=site.secret("POSTGRES_REPL_USER").reveal(),
        password=_for_passfile(site.secret("POSTGRES_REPL_PASS")),
        passfile=PASSFILE,
        home=BARMAN_HOME,
        log=f"{LOG}/barman.log",
        slot=SLOT,
        keep_days=parameters.KEEP_DAYS.of(site),
        keep_least=parameters.KEEP_LEAST.of(site),
    )


def _for_passfile(password: Secret) -> Secret:
    """Return a password as a line of libpq's file has it: a colon ends a field there."""
    return Secret(password.name, password.reveal().replace("\\", "\\\\").replace(":", "\\:"))


def rest_urls(site: Site) -> tuple[str, ...]:
    """Return the REST interfaces of the cluster's members."""
    return tuple(rest_url(member) for member in site.members(DATABASE_HOSTS))


def rest_url(member: Server) -> str:
    """Return the address of a member's REST interface."""
    return f"http://{member.address}:8008"
