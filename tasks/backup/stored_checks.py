"""Whether the backups in the repository would bring the data back, service by service. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import HostView
from keybuzz.model.core.proposed import proposed
from tasks.backup.desired import ARCHIVE
from tasks.backup.readings import BackupLimits, BackupLook, BackupsAnswer
from tasks.backup.store.archive import catalogue_of
from tasks.backup.store.catalogue import Catalogue, Kept
from tasks.backup.store.services import SERVICES

_HOUR, _DAY = 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """One service in the repository, by what backup-01 says; or why it does not."""

    service: str
    host: str
    problem: str
    limits: BackupLimits
    now: float = 0.0
    since: float = 0.0
    """When backup-01 began to keep backups."""
    copies: tuple[Kept, ...] = ()
    restored: float = 0.0

    @property
    def good(self) -> tuple[Kept, ...]:
        """Those of which nothing bad is known."""
        return tuple(copy for copy in self.copies if not copy.wrong)

    def command(self, *words: str) -> str:
        """Return a command about this service's backups."""
        return proposed("kbz", *words, self.service)


def stored_checks(view: HostView) -> tuple[Finding, ...]:
    """Judge each service in the repository that the site has."""
    limits = next(asked.limits for asked in view.readings if isinstance(asked, BackupLook))
    found: list[Finding] = []
    for stored in SERVICES:
        if stored.service in limits.services:
            asked = _asked(view, stored.service, limits)
            found += (
                _age_of(f"backup.{stored.service}.age", asked),
                _verified_of(f"backup.{stored.service}.verified", asked),
                _restored_of(f"backup.{stored.service}.restored", asked),
            )
    return tuple(found)


def _asked(view: HostView, service: str, limits: BackupLimits) -> _Asked:
    host = view.server.name
    archive = view.answer(ARCHIVE)
    if not archive.known:
        return _Asked(service, host, archive.problem, limits)
    try:
        found: Catalogue = catalogue_of(view.answers)
    except ValueError as error:
        return _Asked(service, host, str(error), limits)
    told: BackupsAnswer = archive.value
    copies = tuple(copy for copy in found.copies if copy.service == service)
    restored = found.restored.get(service, 0.0)
    return _Asked(service, host, "", limits, told["now"], told["since"], copies, restored)


def _age_of(check: str, asked: _Asked) -> Finding:
    if asked.problem:
        return unknown(check, asked.problem, asked.host)
    run = asked.command("backup", "run")
    if not asked.good:
        young = asked.now - asked.since < asked.limits.age_hours * _HOUR and not asked.copies
        level = Level.WARN if young else Level.CRITICAL
        return Finding(check, level, f"there is no good backup of {asked.service}", asked.host, run)
    newest = asked.good[-1]
    hours = (asked.now - newest.ended) / _HOUR
    text = f"{newest.id} is {hours:.1f} h old"
    if not 0 <= hours < asked.limits.age_hours:
        return Finding(check, Level.CRITICAL, text, asked.host, run)
    return Finding(check, Level.OK, text, asked.host)


def _verified_of(check: str, asked: _Asked) -> Finding:
    if asked.problem:
        return unknown(check, asked.problem, asked.host)
    bad = [copy for copy in asked.copies if copy.wrong]
    if bad:
        replaced = bool(asked.good) and asked.good[-1].ended > bad[-1].ended
        text = f"{bad[-1].id} must not be restored: {bad[-1].wrong}"
        level = Level.WARN if replaced else Level.CRITICAL
        return Finding(check, level, text, asked.host, asked.command("backup", "run"))
    last = max((copy.verified for copy in asked.copies), default=0.0)
    return _since(
        check,
        asked,
        last,
        "verified",
        asked.limits.verified_days,
        asked.command("backup", "verify"),
    )


def _restored_of(check: str, asked: _Asked) -> Finding:
    if asked.problem:
        return unknown(check, asked.problem, asked.host)
    drill = asked.command("drill", "restore")
    return _since(check, asked, asked.restored, "restored", asked.limits.restored_days, drill)


def _since(check: str, asked: _Asked, moment: float, what: str, most: int, hint: str) -> Finding:
    """Return whether something was done within so many days."""
    if not moment:
        return Finding(check, Level.WARN, f"no backup was ever {what}", asked.host, hint)
    days = (asked.now - moment) / _DAY
    late = not 0 <= days < most
    text = f"a backup was {what} {days:.1f} days ago"
    return Finding(check, Level.WARN if late else Level.OK, text, asked.host, hint if late else "")
