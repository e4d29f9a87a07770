"""The parameters of site.yaml that module backup reads."""

from __future__ import annotations

from keybuzz.site.parameters.forms import Count, Text
from keybuzz.site.parameters.parameter import Parameter

KEEP_DAYS = Parameter(
    "backup.keep_days",
    Count(1, 3650, "days"),
    "How far back a state of PostgreSQL can be restored; older backups and WAL files are removed.",
)
KEEP_LEAST = Parameter(
    "backup.keep_least",
    Count(1, 99),
    "Backups of each service that are kept at least, however old they are.",
)
STORE_DAILY = Parameter(
    "backup.store_daily",
    Count(1, 365),
    "Backups in the repository that are kept of a service, one of each of the last days that have one.",
)
STORE_WEEKLY = Parameter(
    "backup.store_weekly",
    Count(1, 520),
    "The same, one of each of the last weeks.",
)
STORE_MONTHLY = Parameter(
    "backup.store_monthly",
    Count(1, 240),
    "The same, one of each of the last months.",
)
AGE_HOURS = Parameter(
    "backup.age_hours",
    Count(1, 2160, "hours"),
    "Age of a service's newest good backup from which on `backup.SERVICE.age` is critical.",
)
VERIFIED_DAYS = Parameter(
    "backup.verified_days",
    Count(1, 365, "days"),
    "Days without a verified backup from which on `backup.SERVICE.verified` warns.",
)
RESTORED_DAYS = Parameter(
    "backup.restored_days",
    Count(1, 365, "days"),
    "Days without a restored backup from which on `backup.SERVICE.restored` warns.",
)
ROOM_WARN = Parameter(
    "backup.room_warn",
    Count(1, 100, "percent"),
    "Use of the file system of the backups from which on `backup.room` warns.",
)
ROOM_CRITICAL = Parameter(
    "backup.room_critical",
    Count(1, 100, "percent"),
    "Use of the file system of the backups from which on `backup.room` is critical.",
)
SLOT_KEEPS = Parameter(
    "backup.slot_keeps",
    Text(r"[1-9][0-9]{0,5}(MB|GB)", "a size such as 10GB"),
    "WAL that PostgreSQL keeps at most for a replication slot whose reader is away; a larger bound of Patroni's stays.",
)
AT = Parameter(
    "backup.at",
    Text(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day such as 03:00"),
    "When backup-01 takes its base backup every day, in its own time zone.",
)
PARAMETERS = (
    AT,
    KEEP_DAYS,
    KEEP_LEAST,
    STORE_DAILY,
    STORE_WEEKLY,
    STORE_MONTHLY,
    AGE_HOURS,
    VERIFIED_DAYS,
    RESTORED_DAYS,
    ROOM_WARN,
    ROOM_CRITICAL,
    SLOT_KEEPS,
)
