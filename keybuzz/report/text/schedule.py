"""The status of a schedule as text and as a document. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.record import FORMAT_VERSION

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import RunRecord
    from keybuzz.engine.schedule.standing import ScheduleStatus


def moment(seconds: float) -> str:
    """Return a moment in this machine's own time."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ending(record: RunRecord) -> str:
    """Return how a run ended, in words."""
    if record.ended is not None:
        skipped = ", skipped" if record.note.startswith("skipped: ") else ""
        return f"exit {record.exit_code}{skipped}"
    return "at work" if record.at_work else "cut off"


def status_text(status: ScheduleStatus) -> str:
    """Return the status, one line for each question."""
    lines = [f"scheduled  no → {proposed('kbz', status.verb, 'install')}"]
    if status.program and status.since is not None and status.due is not None:
        lines = [
            f"scheduled  {status.every} by {status.program}, since {moment(status.since)}",
            f"next run   {moment(status.due)}",
        ]
    lines.append(f"last run   {_run(status.last)}")
    if status.last_look is not None and status.last_look != status.last:
        lines.append(f"last look  {_run(status.last_look)}")
    if status.last_look is not None:
        lines.append(
            f"found      {status.present} → {proposed('kbz', 'history', status.last_look.number)}"
        )
    if status.overdue:
        lines.append("overdue    nothing has looked for more than twice its time")
    return "\n".join(lines)


def _run(record: RunRecord | None) -> str:
    if record is None:
        return "never"
    return f"run {record.number}, {moment(record.started)}, {ending(record)}"


def status_document(status: ScheduleStatus) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "scheduled_by": status.program or None,
        "every": status.every or None,
        "since": status.since,
        "next": status.due,
        "overdue": status.overdue,
        "last_run": _document(status.last),
        "last_look": _document(status.last_look),
        "found": status.present,
    }


def _document(record: RunRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "run": record.number,
        "started": record.started,
        "ended": record.ended,
        "exit_code": record.exit_code,
        "ending": ending(record),
    }
