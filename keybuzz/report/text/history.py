"""Earlier runs as a table, and one run with all that the journal knows of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from keybuzz.model.reports.drift import DriftItem
from keybuzz.model.reports.folding import placeless
from keybuzz.report.screen.fit import WIDTH, broken
from keybuzz.report.screen.hosts import count, shown_hosts
from keybuzz.report.text.drift import drift_lines
from keybuzz.report.text.schedule import ending, moment

if TYPE_CHECKING:
    from keybuzz.engine.memory.chain import Verdict
    from keybuzz.engine.memory.journal import HostRecord, RunRecord

_HEADS = ("run", "started", "took", "ended", "who", "revision", "command")
_LEAST = ("revision", "took", "who")
"""What a narrow screen goes without, in this order."""
_COMMAND = 24
"""Columns that a command needs at least."""
LOOKS = ("health", "drift", "plan")


class _Row(NamedTuple):
    cells: tuple[str, ...]
    note: str


def runs_text(runs: Iterable[RunRecord], width: int = WIDTH) -> str:
    """Return a table of runs without empty columns; a note is a line below its run."""
    return _table([_row([record]) for record in runs], width)


def folded_text(runs: Iterable[RunRecord], rows: int, width: int = WIDTH) -> str:
    """Return the same in at most `rows` rows: looks in a row that ended alike are one, with their first and last."""
    return _table([_row(same) for same in _folded(runs)][:rows], width)


def _folded(runs: Iterable[RunRecord]) -> list[list[RunRecord]]:
    found: list[list[RunRecord]] = []
    for record in runs:
        if found and _alike(found[-1][-1], record):
            found[-1].append(record)
        else:
            found.append([record])
    return found


def _alike(one: RunRecord, other: RunRecord) -> bool:
    """Return whether two runs only looked, by the same command and with the same end."""
    if one.verb not in LOOKS or one.note or other.note:
        return False
    same = (one.verb, one.arguments, one.owner) == (other.verb, other.arguments, other.owner)
    return same and ending(one) == ending(other)


def _row(same: list[RunRecord]) -> _Row:
    new, old = same[0], same[-1]
    took = "" if new.ended is None else f"{new.ended - new.started:.1f} s"
    command = " ".join(new.arguments)
    number, note = str(new.number), new.note.splitlines()[0] if new.note else ""
    if len(same) > 1:
        number = f"{old.number}-{new.number}"
        note = f"{len(same)} times, since {moment(old.started)}"
    cells = (number, moment(new.started), took, ending(new), new.owner, new.revision, command)
    return _Row(cells, note)


def _table(rows: list[_Row], width: int) -> str:
    """Return rows in columns; where they do not fit, first the least of them go, then commands are broken."""
    if not rows:
        return "no runs"
    heads = _HEADS
    used = [at for at in range(len(heads)) if any(row.cells[at] for row in rows)]
    widths = {at: max(len(heads[at]), *(len(r.cells[at]) for r in rows)) for at in used}
    for name in _LEAST:
        if _room(used, widths, width) < min(_COMMAND, widths[len(heads) - 1]):
            used = [at for at in used if heads[at] != name]
    lines: list[str] = []
    for cells, note in (_Row(heads, ""), *rows):
        shown = (
            cells[at].rjust(widths[at])
            if heads[at] in ("run", "took")
            else cells[at].ljust(widths[at])
            for at in used
        )
        before = sum(widths[at] + 2 for at in used[:-1])
        lines += broken("  ".join(shown).rstrip(), width, min(before, width // 2))
        if note:
            lines += broken(f"{'':{widths[0]}}  {note}", width, widths[0] + 4)
    return "\n".join(lines)


def _room(used: list[int], widths: dict[int, int], width: int) -> int:
    return width - sum(widths[at] + 2 for at in used[:-1])


def one_run_text(
    record: RunRecord,
    hosts: Sequence[HostRecord],
    plan: dict[str, Any] | None,
    drift: Sequence[DriftItem],
    width: int = WIDTH,
) -> str:
    """Return a run with its hosts, and what it found or planned; the same on many hosts is one line."""
    lines = [runs_text([record], width)]
    lines += [f"      {line}" for line in record.note.splitlines()[1:]]
    if record.who is not None:
        lines.append(f"  by {record.who.sentence}")
    ended: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for item in hosts:
        ended[item.outcome.value, item.changes, placeless(item.what, item.host)].append(item.host)
    for (outcome, changes, what), names in ended.items():
        said = f"  {outcome:<11} {shown_hosts(names)}  {count(changes, 'change')}  {what}".rstrip()
        lines += broken(said, width, 14)
    if drift:
        lines += drift_lines(drift)
    else:
        made: dict[tuple[str, str], list[str]] = defaultdict(list)
        for change in plan["changes"] if plan else ():
            made[change["action"], change["resource"]].append(change["host"])
        for (action, resource), names in made.items():
            lines += broken(f"  {action:<7} {resource}  {shown_hosts(names)}", width, 10)
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
