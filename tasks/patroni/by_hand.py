"""What was done inside a PostgreSQL server past its configuration: replay, settings of roles, pg_hba.conf. Pure."""

from __future__ import annotations

import re

from keybuzz.model.core.finding import Finding, Level, Unread
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import on_host
from tasks.patroni.members import UNPROTECTED, Postgres, hangs

_STOPS = re.compile(
    r"\b(?:default_transaction_read_only|transaction_read_only)=(?:on|true|1|yes)\b"
    r"|\bsession_replication_role=(?:replica|local)\b"
    r"|\b(?:synchronous_commit|fsync)=(?:off|false|0|no)\b"
)
"""Settings of a role or a database that refuse its writes, lose them, or leave its constraints out."""
_SHOWN = 300
_HBA, _ANSWERS = "patroni.hba.open", "patroni.server.answers"


def checks(server: Postgres, host: str) -> tuple[Finding, ...]:
    """Return what each server has for itself."""
    return (
        Finding(_ANSWERS, Level.OK, "PostgreSQL answers", host),
        _replay(server, host),
        _doors(server, host),
    )


def hung(view: HostView, host: str) -> Finding | None:
    """Return what is wrong where PostgreSQL takes connections and answers nothing; None where it is something else."""
    if not hangs(view):
        return None
    text = "PostgreSQL hangs: no login is answered in time, whatever Patroni remembers of it"
    hint = on_host(host, "docker", "restart", "patroni")
    return Finding(_ANSWERS, Level.CRITICAL, text, host, hint)


def _replay(server: Postgres, host: str) -> Finding:
    check = "patroni.replay.paused"
    if not server.replay_paused:
        return Finding(check, Level.OK, "what comes in is carried out", host)
    text = "replay was paused by hand: readers see an old state, and it takes over late"
    return Finding(check, Level.WARN, text, host, "SELECT pg_wal_replay_resume() on it")


def of_roles(server: Postgres, host: str) -> Finding:
    """Return what ALTER ROLE … SET and ALTER DATABASE … SET left; the whole cluster has the same."""
    check = "patroni.settings.of-roles"
    if not server.of_roles:
        return Finding(check, Level.OK, "no role and no database has settings of its own", host)
    level = Level.CRITICAL if _STOPS.search(server.of_roles) else Level.WARN
    text = f"set by ALTER ROLE or ALTER DATABASE: {server.of_roles[:_SHOWN]}"
    hint = "its owner takes it away: ALTER ROLE … RESET, or ALTER DATABASE … RESET"
    return Finding(check, level, text, host, hint)


def _doors(server: Postgres, host: str) -> Finding:
    if not server.doors:
        return Finding(_HBA, Level.OK, "passwords are asked for, from this network only", host)
    text = f"pg_hba.conf lets in more than is described: {server.doors[:_SHOWN]}"
    return Finding(_HBA, Level.CRITICAL, text, host, _hint())


def unprotected(server: Unread, host: str) -> Finding | None:
    """Return the open door that a login met instead of a question for the password; None where it met another end."""
    if UNPROTECTED not in server.why:
        return None
    text = "pg_hba.conf lets kbz in without a password, and so anybody who names the superuser"
    return Finding(_HBA, Level.CRITICAL, text, host, _hint())


def _hint() -> str:
    return "docker restart patroni on that host: Patroni writes the file again from patroni.yml"
