"""A sheet for Nagios and its heirs: one line, and the exit code of a monitoring plugin. Pure.

The codes are those of the plugin interface and not kbz's own: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
"""

from __future__ import annotations

from enum import IntEnum

from keybuzz.model.core.finding import Finding, Level
from keybuzz.report.page.sheet import Sheet

_SHOWN = 3
"""Findings that the line spells out; the rest is counted."""
_LONGEST = 300
"""Characters of one finding."""


class Status(IntEnum):
    """What a monitoring plugin may say."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_STATUS = {
    Level.CRITICAL: Status.CRITICAL,
    Level.UNKNOWN: Status.UNKNOWN,
    Level.WARN: Status.WARNING,
}


def nagios_line(sheet: Sheet) -> tuple[str, Status]:
    """Return the line without its end, and the exit code.

    Critical comes before unknown, unknown before warning: a host that could not be asked is no good news.
    """
    status = _status(sheet)
    words = [f"{sheet.verb}: {_summary(sheet)}"]
    words += [_one_line(text) for text in _worst(sheet)]
    return f"KBZ {status.name} - {'; '.join(words)} | {_performance(sheet)}", status


def nagios_failure(verb: str, sentence: str) -> tuple[str, Status]:
    """Return the line of a verb that an error ended before it could judge."""
    return f"KBZ UNKNOWN - {verb}: {_one_line(sentence)}", Status.UNKNOWN


def _status(sheet: Sheet) -> Status:
    for level, status in _STATUS.items():
        if sheet.count(level):
            return status
        if level is Level.UNKNOWN and (sheet.silent or sheet.error):
            return Status.UNKNOWN
    if sheet.differences is not None and any(sheet.differences.values()):
        return Status.WARNING
    return Status.OK if sheet.exit_code == 0 else Status.UNKNOWN


def _summary(sheet: Sheet) -> str:
    words = []
    if sheet.selected:
        answered = len(sheet.selected) - len(sheet.silent)
        words.append(f"{answered} of {len(sheet.selected)} hosts answered")
    if sheet.findings:
        bad = [
            f"{sheet.count(x)} {x.word}" for x in sorted(_STATUS, reverse=True) if sheet.count(x)
        ]
        count = len(sheet.findings)
        words.append(", ".join(bad) if bad else f"{count} check{'s' * (count != 1)} ok")
    if sheet.differences is not None:
        words.append(_counted(_differences(sheet)))
    return ", ".join(words)


def _worst(sheet: Sheet) -> list[str]:
    """Return the worst findings, then the hosts that differ, in a few words each."""
    bad = sorted(
        (f for f in sheet.findings if f.level > Level.OK), key=lambda f: (-f.level, f.check)
    )
    texts = [_finding(finding) for finding in bad]
    texts += [
        f"{h}: {_counted(len(found))}" for h, found in (sheet.differences or {}).items() if found
    ]
    if not bad:
        texts += [f"{host} did not answer: {reason}" for host, reason in sheet.silent.items()]
    if sheet.error:
        texts.insert(0, sheet.error)
    more = len(texts) - _SHOWN
    return texts[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _finding(finding: Finding) -> str:
    where = f" on {finding.host}" if finding.host else ""
    return f"{finding.check}{where}: {finding.message}"


def _performance(sheet: Sheet) -> str:
    values = {"time": f"{sheet.seconds:.3f}s;;;0"}
    if sheet.selected:
        answered = len(sheet.selected) - len(sheet.silent)
        values["hosts_answered"] = f"{answered};;;0;{len(sheet.selected)}"
    for level in Level if sheet.findings else ():
        values[level.word] = f"{sheet.count(level)};;;0"
    if sheet.differences is not None:
        values["differences"] = f"{_differences(sheet)};;;0"
    return " ".join(f"{name}={value}" for name, value in values.items())


def _differences(sheet: Sheet) -> int:
    return sum(len(found) for found in (sheet.differences or {}).values())


def _counted(differences: int) -> str:
    return f"{differences} difference{'s' * (differences != 1)}"


def _one_line(text: str) -> str:
    """Return a text that cannot end the line, nor begin the numbers after it."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).replace("|", "¦").split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"
