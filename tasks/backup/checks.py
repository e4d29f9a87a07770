"""Whether the backups would bring the data back: their age, their proof, and the WAL between them. Pure."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level, all_unknown, unknown
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.proposed import on_host, proposed
from keybuzz.site.backups.archive import Copy
from tasks.backup import values
from tasks.backup.desired import ARCHIVE
from tasks.backup.postgres.copies import DONE, copies, newest_good
from tasks.backup.postgres.source import Source, source_of
from tasks.backup.readings import BackupLimits, BackupLook, BackupsAnswer
from tasks.backup.stored_checks import stored_checks
from tasks.patroni.service.resources import PatroniSlot

_RUN = proposed("kbz", "backup", "run", "postgres")
_VERIFY = proposed("kbz", "backup", "verify", "postgres")
_CONVERGE = proposed("kbz", "run", "backup")
_HOUR, _DAY = 3600.0, 86400.0
_OF_ARCHIVE = (
    "backup.postgres.age",
    "backup.postgres.wal",
    "backup.postgres.verified",
    "backup.postgres.restored",
    "backup.room",
)
_OF_SOURCE = ("backup.postgres.streams", "backup.postgres.slot", "backup.postgres.rights")


def checks(live: Live) -> tuple[Finding, ...]:
    """Judge backup-01; one that was not asked is never silently left out."""
    findings: list[Finding] = []
    for server in live.members:
        if server.name not in live.hosts:
            why = live.unreachable.get(server.name, "was not asked")
            findings.append(unknown("backup.reachable", why, server.name))
            continue
        findings.append(Finding("backup.reachable", Level.OK, "answers", server.name))
        if live.hosts[server.name].resources:
            findings += _host(live.hosts[server.name])
    return tuple(findings)


def _host(view: HostView) -> tuple[Finding, ...]:
    return (
        _receiver(view),
        _password(view),
        *_source(view),
        _cluster(view),
        *_archive(view),
        *stored_checks(view),
    )


def _receiver(view: HostView) -> Finding:
    check, host, identity = "backup.receiver", view.server.name, f"systemd-unit:{values.UNIT}"
    if why := view.unread(identity):
        return unknown(check, why, host)
    if view.present(identity) and view.attribute(identity, "running") is True:
        return Finding(check, Level.OK, f"{values.UNIT} runs", host)
    return Finding(check, Level.CRITICAL, f"{values.UNIT} does not run", host, _CONVERGE)


def _password(view: HostView) -> Finding:
    """That PostgreSQL takes the store's password is seen by the reading of its slot; Barman has it from a file."""
    check, host, identity = "backup.postgres.password", view.server.name, f"file:{values.PASSFILE}"
    if why := view.unread(identity):
        return unknown(check, why, host)
    if any(change.identity == identity for change in view.changes):
        text = f"{values.PASSFILE} is not as described: Barman's next login is refused"
        return Finding(check, Level.CRITICAL, text, host, _CONVERGE)
    return Finding(check, Level.OK, "Barman has the password of the credential store", host)


def _source(view: HostView) -> tuple[Finding, ...]:
    host, source = view.server.name, source_of(view)
    if isinstance(source, str):
        return all_unknown(_OF_SOURCE, source, host)
    return _streams(host, source), _slot(view, source), _rights(host, source)


def _rights(host: str, source: Source) -> Finding:
    check = "backup.postgres.rights"
    if not source.rights:
        text = "PostgreSQL does not let Barman's role take base backups"
        return Finding(check, Level.CRITICAL, text, host, proposed("kbz", "run", "patroni"))
    return Finding(check, Level.OK, "Barman's role may take base backups", host)


def _streams(host: str, source: Source) -> Finding:
    check = "backup.postgres.streams"
    if source.state == "lost":
        text = "the slot has lost its WAL: what was written since is in no backup"
        return Finding(check, Level.CRITICAL, text, host, _RUN)
    if not source.active:
        what = "nothing reads the slot" if source.there else "the leader has no slot"
        text = f"{what} {values.SLOT}: no WAL is received"
        return Finding(check, Level.CRITICAL, text, host, _CONVERGE)
    return Finding(check, Level.OK, "the leader streams its WAL", host)


def _slot(view: HostView, source: Source) -> Finding:
    """Half of what a slot may keep is a warning: at all of it PostgreSQL gives the slot up.

    Where the owner has lifted the bound, the described one is the measure: the leader's disk would fill.
    """
    check, host = "backup.postgres.slot", view.server.name
    most = next((slot.most for slot in view.resources if isinstance(slot, PatroniSlot)), "")
    limit = source.bound if source.bound >= 0 else _bytes(most)
    of = f"of {limit >> 20} MiB at most" if source.bound >= 0 else "without a bound"
    text = f"the slot keeps {max(source.kept, 0) >> 20} MiB of WAL, {of}"
    if source.kept < 0:
        return Finding(check, Level.WARN, "there is no slot to keep WAL", host, _CONVERGE)
    if 2 * source.kept > limit:
        hint = on_host(host, "systemctl", "status", values.UNIT)
        return Finding(check, Level.WARN, text, host, hint)
    return Finding(check, Level.OK, text, host)


def _bytes(size: str) -> int:
    number, unit = size[:-2], size[-2:]
    return int(number) << {"MB": 20, "GB": 30}[unit] if number.isdecimal() else 0


def _cluster(view: HostView) -> Finding:
    """A backup of another cluster brings other data back: after a rebuild from zero, the old ones lie there too."""
    check, host, source = "backup.postgres.cluster", view.server.name, source_of(view)
    if isinstance(source, str):
        return unknown(check, source, host)
    answer = view.answer(ARCHIVE)
    if not answer.known:
        return unknown(check, answer.problem, host)
    found: BackupsAnswer = answer.value
    whole = [entry for entry in found["backups"] if entry["status"] == DONE]
    newest = whole[-1] if whole else None
    if newest is None or not newest["system"]:
        text = "the newest whole backup does not say" if newest else "no whole backup says"
        return Finding(check, Level.WARN, f"{text} of which cluster it is", host, _RUN)
    if newest["system"] != source.system:
        text = f"the newest backup is of another cluster than {source.system}"
        old = proposed("kbz", "restore", "postgres", "--backup", newest["id"])
        hint = f"{_RUN}; {old} brings the other cluster's data back beside this one"
        return Finding(check, Level.CRITICAL, text, host, hint)
    return Finding(check, Level.OK, "the newest backup is of the living cluster", host)


def _archive(view: HostView) -> tuple[Finding, ...]:
    host, answer = view.server.name, view.answer(ARCHIVE)
    if not answer.known:
        return all_unknown(_OF_ARCHIVE, answer.problem, host)
    limits = next(asked.limits for asked in view.readings if isinstance(asked, BackupLook))
    found: BackupsAnswer = answer.value
    known = copies({ARCHIVE: answer})  # of which cluster they are has a check of its own
    return (
        _age(host, found, known, limits),
        _wal(host, found, known, limits),
        _verified(host, found, known, limits),
        _restored(host, found, limits),
        _room(host, found, limits),
    )


def _age(host: str, found: BackupsAnswer, known: tuple[Copy, ...], limits: BackupLimits) -> Finding:
    check, newest = "backup.postgres.age", newest_good(known)
    if newest is None:
        young = found["now"] - found["since"] < limits.age_hours * _HOUR
        if young and not known:
            text = "there is no base backup yet: the first is taken at the time of backup.at"
            return Finding(check, Level.WARN, text, host, _RUN)
        last = f": {known[-1].id} {known[-1].wrong}" if known else ""
        return Finding(check, Level.CRITICAL, f"there is no good base backup{last}", host, _RUN)
    hours = (found["now"] - newest.ended) / _HOUR
    text = f"{newest.id} is {hours:.1f} h old"
    if not 0 <= hours < limits.age_hours:
        return Finding(check, Level.CRITICAL, text, host, _RUN)
    return Finding(check, Level.OK, text, host)


def _wal(host: str, found: BackupsAnswer, known: tuple[Copy, ...], limits: BackupLimits) -> Finding:
    check, newest = "backup.postgres.wal", newest_good(known)
    gap = f"WAL is missing: {', '.join(found['missing'][:3])}; no time after it can be reached from an older backup"
    behind = newest is not None and _begins(found, newest) > found["last_missing"]
    if found["missing"] and not behind:
        return Finding(check, Level.CRITICAL, gap, host, _RUN)
    if not found["wals"] or newest is None:
        return Finding(check, Level.WARN, "no WAL is filed after a base backup yet", host, _RUN)
    hours = (found["now"] - found["last_wal_at"]) / _HOUR
    if not 0 <= hours < limits.age_hours:
        text = (
            f"the newest WAL, {found['last_wal']}, was filed {hours:.1f} h ago, and nothing since"
        )
        return Finding(check, Level.CRITICAL, text, host, _RUN)
    if found["missing"]:
        hint = (
            f"nothing: {newest.id} begins after it, and this ends when retention removes older ones"
        )
        return Finding(check, Level.WARN, gap, host, hint)
    return Finding(
        check,
        Level.OK,
        f"{found['wals']} files of WAL, none missing, up to {found['last_wal']}",
        host,
    )


def _begins(found: BackupsAnswer, copy: Copy) -> str:
    """Return the first file of WAL that a backup needs; empty when it does not say."""
    return next(
        (entry["begin_wal"] for entry in found["backups"] if entry["id"] == copy.id),
        "",
    )


def _verified(
    host: str, found: BackupsAnswer, known: tuple[Copy, ...], limits: BackupLimits
) -> Finding:
    check = "backup.postgres.verified"
    bad = [copy for copy in known if copy.good and copy.wrong]
    if bad:
        newest = newest_good(known)
        replaced = newest is not None and newest.id > bad[-1].id
        text = f"{bad[-1].id} must not be restored: {bad[-1].wrong}"
        return Finding(check, Level.WARN if replaced else Level.CRITICAL, text, host, _RUN)
    last = max((copy.verified for copy in known if copy.good), default=0.0)
    if not last:
        return Finding(check, Level.WARN, "no backup was ever verified", host, _VERIFY)
    days = (found["now"] - last) / _DAY
    text = f"a backup was verified {days:.1f} days ago"
    late = not 0 <= days < limits.verified_days
    return Finding(check, Level.WARN if late else Level.OK, text, host, _VERIFY if late else "")


def _restored(host: str, found: BackupsAnswer, limits: BackupLimits) -> Finding:
    check, hint = "backup.postgres.restored", proposed("kbz", "drill", "restore", "postgres")
    if not found["restored"]:
        return Finding(check, Level.WARN, "no backup was ever restored", host, hint)
    days = (found["now"] - found["restored"]) / _DAY
    text = f"a backup was restored {days:.1f} days ago"
    late = not 0 <= days < limits.restored_days
    return Finding(check, Level.WARN if late else Level.OK, text, host, hint if late else "")


def _room(host: str, found: BackupsAnswer, limits: BackupLimits) -> Finding:
    check = "backup.room"
    if found["total"] <= 0:
        return unknown(check, "the file system does not say how large it is", host)
    used = 100 - 100 * found["free"] // found["total"]
    text = f"{used} % of the file system of {values.ROOT} is used"
    level = Level.WARN if used >= limits.room_warn else Level.OK
    level = Level.CRITICAL if used >= limits.room_critical else level
    hint = "enlarge the volume, or lower backup.keep_days" if level else ""
    return Finding(check, level, text, host, hint)
