"""Earlier runs as a table, and one run with all that the journal knows of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from keybuzz.model.reports.drift import DriftItem
from keybuzz.report.text.drift import drift_line
from keybuzz.report.text.schedule import ending, moment

if TYPE_CHECKING:
    from keybuzz.engine.memory.chain import Verdict
    from keybuzz.engine.memory.journal import HostRecord, RunRecord

_HEADS = ("run", "started", "took", "ended", "who", "revision", "command")


def runs_text(runs: Iterable[RunRecord]) -> str:
    """Return a table of runs without empty columns; a note is a line below its run."""
    rows: list[tuple[str, ...]] = [_HEADS]
    notes = [""]
    for record in runs:
        took = "" if record.ended is None else f"{record.ended - record.started:.1f} s"
        rows.append(
            (
                str(record.number),
                moment(record.started),
                took,
                ending(record),
                record.owner,
                record.revision,
                " ".join(record.arguments),
            )
        )
        notes.append(record.note.splitlines()[0] if record.note else "")
    used = [at for at in range(len(_HEADS)) if any(row[at] for row in rows[1:])]
    rows = [tuple(row[at] for at in used) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for row, note in zip(rows, notes, strict=True):
        cells = (
            cell.rjust(width) if head in ("run", "took") else cell.ljust(width)
            for head, cell, width in zip(rows[0], row, widths, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
        if note:
            lines.append(f"{'':{widths[0]}}  {note}")
    return "\n".join(lines)


def one_run_text(
    record: RunRecord,
    hosts: Sequence[HostRecord],
    plan: dict[str, Any] | None,
    drift: Sequence[DriftItem],
) -> str:
    """Return a run with its hosts, and what it found or planned."""
    lines = [runs_text([record])]
    lines += [f"      {line}" for line in record.note.splitlines()[1:]]
    if record.who is not None:
        lines.append(f"  by {record.who.sentence}")
    for item in hosts:
        count = f"{item.changes} change{'s' * (item.changes != 1)}"
        lines.append(f"  {item.outcome.value:<11} {item.host}  {count}  {item.what}".rstrip())
    if drift:
        lines += [drift_line(item) for item in drift]
    else:
        for change in plan["changes"] if plan else ():
            lines.append(f"  {change['action']:<7} {change['host']}  {change['resource']}")
    return "\n".join(lines)


def one_run_document(
    record: RunRecord,
    hosts: Sequence[HostRecord],
    plan: dict[str, Any] | None,
    drift: Sequence[DriftItem],
) -> dict[str, Any]:
    """Return the same for programs."""
    from keybuzz.model.core.record import drift_document
    from keybuzz.model.reports.drift import DriftReport

    return {
        "format_version": 1,
        "runs": [run_document(record)],
        "hosts": [
            {"host": h.host, "outcome": h.outcome.value, "changes": h.changes, "what": h.what}
            for h in hosts
        ],
        "plan": plan,
        "drift": drift_document(DriftReport(tuple(drift)))["items"] if drift else None,
    }


def runs_document(runs: Iterable[RunRecord]) -> dict[str, Any]:
    """Return a list of runs as a document."""
    return {"format_version": 1, "runs": [run_document(record) for record in runs]}


def run_document(record: RunRecord) -> dict[str, Any]:
    """Return one run as a document."""
    return {
        "run": record.number,
        "verb": record.verb,
        "command": " ".join(record.arguments),
        "modules": list(record.modules),
        "owner": record.owner,
        "who": None if record.who is None else asdict(record.who),
        "revision": record.revision,
        "started": record.started,
        "ended": record.ended,
        "exit_code": record.exit_code,
        "ending": ending(record),
        "note": record.note or None,
    }


def verdict_text(found: Verdict) -> str:
    """Return what the chain says of the journal."""
    lines = [f"broken  {problem}" for problem in found.problems]
    end = f"{len(found.problems)} broken" if found.problems else "nothing was changed or removed"
    lines.append(f"{found.entries} entries, {found.runs} runs: {end}")
    if found.adopted:
        lines.append(f"{found.adopted} runs are from before the chain began")
    if found.head:
        lines.append(f"head {found.head}")
    return "".join(f"{line}\n" for line in lines)


def verdict_document(found: Verdict) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": 1,
        "verb": "history verify",
        "entries": found.entries,
        "runs": found.runs,
        "adopted": found.adopted,
        "head": found.head or None,
        "problems": list(found.problems),
    }
