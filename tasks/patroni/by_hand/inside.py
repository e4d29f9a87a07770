"""What was done inside a PostgreSQL server past its configuration: replay, settings of roles, pg_hba.conf. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

from keybuzz.model.core.finding import Finding, Level, Unread
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import on_host, proposed
from tasks.patroni.members import UNPROTECTED, Postgres, hangs
from tasks.patroni.service.resources import Role

_STOPS = re.compile(
    r"\b(?:default_transaction_read_only|transaction_read_only)=(?:on|true|1|yes)\b"
    r"|\bsession_replication_role=(?:replica|local)\b"
    r"|\b(?:synchronous_commit|fsync)=(?:off|false|0|no)\b"
)
"""Settings of a role or a database that refuse its writes, lose them, or leave its constraints out."""
_SHOWN = 300
_UNTIL = "open sessions keep it, so that PgBouncer (6432) refuses writes until its own have ended"
_WITHOUT_PASSWORD = frozenset({"trust", "password"})
"""Methods that ask for no password, or send it as it is."""
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


def of_roles(server: Postgres, view: HostView, host: str) -> Finding:
    """Return what ALTER ROLE … SET and ALTER DATABASE … SET left; the whole cluster has the same.

    A role that no file describes is its owner's: that a reporting role only reads is told, and stops nothing.
    """
    check = "patroni.settings.of-roles"
    if not server.of_roles:
        return Finding(check, Level.OK, "no role and no database has settings of its own", host)
    described = {item.role for item in view.resources if isinstance(item, Role)}
    own, others = _of_whom(server.of_roles, described)
    stops = [text for text in own if _STOPS.search(text)]
    shown = ", ".join([*stops, *(text for text in own if text not in stops), *others])
    text = f"set by ALTER ROLE or ALTER DATABASE: {shown[:_SHOWN]}"
    hint = f"its owner takes it away: ALTER ROLE … RESET, or ALTER DATABASE … RESET; {_UNTIL}"
    return Finding(check, Level.CRITICAL if stops else Level.WARN, text, host, hint)


def _of_whom(told: str, described: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the settings of every role and of the described ones, then those of other roles.

    They are told as `ROLE in DATABASE: SETTINGS, …`. Whatever a setting's value looks like, a described role's begin is
    found. Without any description all count as described.
    """
    names = "|".join(map(re.escape, sorted({"every role", *described})))
    known = names if described else r"every role|\S+"
    begins = re.compile(rf"(?:^|, )(?:({known}) in |\S+ in (?:every database|\S+): )")
    found = [*begins.finditer(told)]
    ends = [*(match.start() for match in found), len(told)]
    own: list[str] = []
    others = [told[: ends[0]]] if ends[0] else []
    for match, end in zip(found, ends[1:], strict=True):
        (own if match[1] else others).append(told[match.start() : end].removeprefix(", "))
    return own, others


def _doors(server: Postgres, host: str) -> Finding:
    network, _, lines = server.doors.partition("\n")
    opened = ", ".join(line for line in lines.splitlines() if _lets_in(line, network))
    if not opened:
        return Finding(_HBA, Level.OK, "passwords are asked for, from this network only", host)
    text = f"pg_hba.conf lets in more than is described: {opened[:_SHOWN]}"
    return Finding(_HBA, Level.CRITICAL, text, host, _hint(host))


def _lets_in(line: str, network: str) -> bool:
    """Return whether a line lets in without a password, or from outside the network; or cannot be read."""
    *_, address, method = ["", "", *line.split(" ")]
    return method in _WITHOUT_PASSWORD or not _within(address, network)


def _within(address: str, network: str) -> bool:
    """Return whether all of an address is the server's own or of the network; a name may be of any address."""
    if address == "samehost":
        return True
    try:
        found, ours = ip_network(address, strict=False), IPv4Network(network, strict=False)
    except ValueError:
        return False
    return found.is_loopback or (isinstance(found, IPv4Network) and found.subnet_of(ours))


def unprotected(server: Unread, host: str) -> Finding | None:
    """Return the open door that a login met instead of a question for the password; None where it met another end."""
    if UNPROTECTED not in server.why:
        return None
    text = "pg_hba.conf lets kbz in without a password, and so anybody who names the superuser"
    return Finding(_HBA, Level.CRITICAL, text, host, _hint(host))


def _hint(host: str) -> str:
    """Return what writes the file again from patroni.yml: Patroni does when it starts; a leader hands over first."""
    return proposed("kbz", "restart", "patroni", "--limit", host)
