"""What the checks of the backups mean; `docs/health.md` is made of it. Data only."""

from __future__ import annotations

from keybuzz.model.core.finding import CheckInfo, Level

_REACHABLE = ("backup.reachable",)
_LED = ("patroni.leader.single", "postgres-proxy.backend.single")

CHECK_INFOS = (
    CheckInfo(
        "backup.reachable",
        "backup-01 answers",
        "Whether there are backups is not known.",
        "kbz health base --limit HOST says why; then its console at the provider.",
        levels=(Level.UNKNOWN,),
        follows_here=("base.reachable",),
    ),
    CheckInfo(
        "backup.receiver",
        "the unit that receives and files WAL runs",
        "What is written now is in no backup.",
        "kbz run backup",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
    ),
    CheckInfo(
        "backup.postgres.password",
        "Barman logs in with the password of the credential store",
        "A connection that is open goes on, the next one is refused: no base backup, and no WAL after a failover.",
        "kbz run backup",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.streams",
        "the leader streams its WAL to backup-01",
        "What is written now is in no backup.",
        "kbz run backup",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(*_REACHABLE, "backup.receiver", "backup.postgres.password", *_LED),
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.slot",
        "the slot of the backups keeps little WAL back",
        "backup-01 does not take what the leader writes: the leader's disk fills, then the slot is lost.",
        "systemctl status kbz-barman on backup-01",
        levels=(Level.WARN, Level.UNKNOWN),
        follows=(*_REACHABLE, "backup.receiver", "backup.postgres.streams", *_LED),
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.rights",
        "Barman's role may take base backups",
        "WAL is received, and the next base backup fails.",
        "kbz run patroni",
        levels=(Level.UNKNOWN, Level.CRITICAL),
        follows=(*_REACHABLE, *_LED),
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.cluster",
        "the newest backup is of the living cluster",
        "After a rebuild from zero the backups are of the cluster before it.",
        "kbz backup run postgres; kbz restore postgres --backup ID brings the data of the cluster before it back.",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=(*_REACHABLE, *_LED),
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.age",
        "the newest good base backup is recent",
        "A restore takes long, or reaches no recent time.",
        "kbz backup run postgres",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.wal",
        "no WAL is missing between the oldest backup and now, and the newest is recent",
        "Times after the gap cannot be reached from a backup before it.",
        "kbz backup run postgres",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.verified",
        "a backup was read again and found whole",
        "Damage on the disk of backup-01 shows at the restore.",
        "kbz backup verify postgres",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
        gates=False,
    ),
    CheckInfo(
        "backup.postgres.restored",
        "a backup was restored and opened",
        "That a restore works, and how long it takes, is not known.",
        "kbz restore postgres",
        levels=(Level.WARN, Level.UNKNOWN),
        follows=_REACHABLE,
        gates=False,
    ),
    CheckInfo(
        "backup.room",
        "the file system of the backups has room",
        "The next backup does not fit, and WAL is no longer received.",
        "enlarge the volume, or lower backup.keep_days",
        levels=(Level.WARN, Level.UNKNOWN, Level.CRITICAL),
        follows=_REACHABLE,
        gates=False,
    ),
)
