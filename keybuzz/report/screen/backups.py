"""Backups and restores, as text or as a document. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from keybuzz.engine.backup.report import BackupReport
from keybuzz.engine.backup.restore import Plan
from keybuzz.model.core.visible import visible
from keybuzz.site.backups.archive import Copy

_MIB = 1 << 20


def backups_text(report: BackupReport) -> str:
    """Return what was done, then what backups there are."""
    lines = [
        f"  {'·' if work.good else '✗'} {work.name} ({work.seconds:.1f} s)"
        + (f": {work.said}" if work.said else "")
        for work in report.works
    ]
    lines += [_line(copy) for copy in report.copies]
    count = len(report.copies)
    if report.verb == "restore":
        lines.append(_ended(report))
    else:
        plural = "s" * (count != 1)
        lines.append(f"{count} backup{plural} of {report.service} on {report.host}")
    if report.problem:
        lines.append(f"{report.verb} failed: {report.problem}")
    return "".join(f"{visible(line)}\n" for line in lines)


def _ended(report: BackupReport) -> str:
    if report.problem:
        return f"{report.service} was not restored"
    return (
        f"restored in {report.seconds:.1f} s; the last transaction is of {report.reached}\n"
        f"  {report.hint}"
    )


def _line(copy: Copy) -> str:
    proof = f"verified {_time(copy.verified)}" if copy.verified else "not verified"
    wrong = f"  {copy.against}" if copy.against else ""
    return f"{copy.id}  {_time(copy.ended)}  {copy.size / _MIB:9.1f} MiB  {proof}{wrong}"


def _time(moment: float) -> str:
    if not moment:
        return "never"
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def plan_text(plan: Plan) -> str:
    """Return what a restore would do, for the one who types the name."""
    until, other = plan.until or "the last transaction that was received", plan.copy.foreign
    lines = (
        f"restore {plan.service} ({plan.cluster}) on {plan.host}, from its backups alone",
        f"  backup   {_line(plan.copy)}",
        f"  up to    {until}",
        f"  into     {plan.target}, which is empty",
        *(("It brings back the data of another cluster than the living one.",) if other else ()),
        "The living cluster is not touched.",
    )
    return "".join(f"{visible(line)}\n" for line in lines)


def backups_document(report: BackupReport) -> dict[str, Any]:
    """Return the same as one document."""
    return {
        "format_version": 1,
        "verb": report.verb,
        "service": report.service,
        "host": report.host,
        "exit_code": int(report.code),
        "problem": report.problem or None,
        "seconds": round(report.seconds, 3) if report.verb == "restore" else None,
        "reached": report.reached or None,
        "works": [
            {
                "name": work.name,
                "good": work.good,
                "seconds": round(work.seconds, 3),
                "said": work.said or None,
            }
            for work in report.works
        ],
        "backups": [
            {
                "id": copy.id,
                "good": copy.good,
                "state": copy.state,
                "ended": copy.ended,
                "size": copy.size,
                "verified": copy.verified or None,
                "wrong": copy.wrong or None,
                "foreign": copy.foreign or None,
            }
            for copy in report.copies
        ],
    }
