"""What PostgreSQL runs out of while everything else is well: sessions, and transaction numbers. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.services.sessions import Sessions
from tasks.patroni.members import Postgres

SESSIONS = "patroni.sessions.room"
AGE = "patroni.transactions.age"
_OLD, _TOO_OLD = 1_000_000_000, 1_600_000_000
"""Transactions since the oldest row that is not frozen. VACUUM begins to freeze it at 200 million by itself
(autovacuum_freeze_max_age), drops everything else at 1.6 thousand million (vacuum_failsafe_age), and PostgreSQL takes
no more writes three million before 2^31 (PostgreSQL 16, Routine Vacuuming)."""


def checks(server: Postgres, host: str) -> tuple[Finding, ...]:
    """Judge what one server has left; the age of the rows is the same on all, and is asked of the one that writes."""
    numbers = [int(word) for word in server.room.split() if word.isdecimal()]
    if len(numbers) != 3:
        why = "PostgreSQL did not say how many sessions and transactions it has left"
        sessions = unknown(SESSIONS, why, host)
        return (sessions, unknown(AGE, why, host)) if server.writes else (sessions,)
    taken, limit, age = numbers
    sessions = _sessions(Sessions(taken, limit), host)
    return (sessions, _age(age, host)) if server.writes else (sessions,)


def _sessions(sessions: Sessions, host: str) -> Finding:
    if sessions.level is Level.OK:
        return Finding(SESSIONS, Level.OK, str(sessions), host)
    hint = "who has them: SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2 on it"
    return Finding(SESSIONS, sessions.level, str(sessions), host, hint)


def _age(age: int, host: str) -> Finding:
    text = f"the oldest row that is not frozen is {age / 1_000_000:.0f} million transactions old"
    if age < _OLD:
        return Finding(AGE, Level.OK, text, host)
    level = Level.CRITICAL if age >= _TOO_OLD else Level.WARN
    hint = "what holds VACUUM back: long transactions, prepared ones, slots without a reader"
    return Finding(AGE, level, text, host, hint)
