"""The report of a drill, as text or as a document. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from keybuzz.model.reports.drill import DrillReport, Trial, Verdict

FORMAT_VERSION = 1
_HEADER = ("scenario", "victim", "verdict", "recovered", "written", "lost", "unknown", "leader")


def drill_text(report: DrillReport) -> str:
    """Return a line for each trial, what there is to say about it, and the last line."""
    rows = [_HEADER, *(_cells(trial) for trial in report.trials)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [f"drill {report.drill}, writes through {report.endpoint}"]
    lines.append("  " + "  ".join(map(str.ljust, _HEADER, widths)).rstrip())
    for trial, row in zip(report.trials, rows[1:], strict=True):
        lines.append("  " + "  ".join(map(str.ljust, row, widths)).rstrip())
        lines += [f"    {message}" for message in _messages(trial)]
    if report.setting:
        lost = f"{report.lost} of {report.written} acknowledged writes were lost"
        lines += ["", f"with {report.setting}: {lost}"]
    if report.error:
        lines += ["", report.error]
    return "\n".join([*lines, "", _last_line(report)]) + "\n"


def drill_document(report: DrillReport) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "drill",
        "run": report.number or None,
        "drill": report.drill,
        "module": report.module,
        "endpoint": report.endpoint,
        "setting": report.setting or None,
        "exit_code": int(report.exit_code),
        "interrupted": report.interrupted,
        "error": report.error or None,
        "seconds": round(report.seconds, 3),
        "trials": [_trial(trial) for trial in report.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    tally = trial.tally
    return {
        "scenario": trial.scenario.value,
        "victim": trial.victim,
        "verdict": trial.verdict.value,
        "messages": list(trial.messages),
        "seconds_without_writes": None if trial.seconds is None else round(trial.seconds, 3),
        "limit_seconds": trial.limit,
        "acknowledged": None if tally is None else tally.acknowledged,
        "lost": None if tally is None else tally.lost,
        "unknown": None if tally is None else tally.unknown,
        "unknown_there": None if tally is None else tally.unknown_there,
        "durability_promised": trial.promised,
        "isolated_write_accepted": trial.isolated_accepted,
        "leader_before": trial.leader_before or None,
        "leader_after": trial.leader_after or None,
        "restored": trial.restored,
    }


def _cells(trial: Trial) -> tuple[str, ...]:
    tally = trial.tally
    seconds = "–" if trial.seconds is None else f"{trial.seconds:.1f} s"
    counts = ("–",) * 3 if tally is None else (tally.acknowledged, tally.lost, tally.unknown)
    before, after = trial.leader_before, trial.leader_after
    leader = f"{before} → {after}" if after and after != before else before or "–"
    return (
        trial.scenario.value,
        trial.victim,
        trial.verdict.value,
        seconds,
        *map(str, counts),
        leader,
    )


def _messages(trial: Trial) -> Iterator[str]:
    yield from trial.messages
    if trial.isolated_accepted is False:
        yield f"the isolated {trial.victim} refused a write"
    if trial.tally is not None and not trial.promised and not trial.tally.lost:
        yield "no acknowledged write was lost; for this scenario the service does not promise that"
    if not trial.restored:
        yield f"NOT RESTORED: look at {trial.victim} now"


def _last_line(report: DrillReport) -> str:
    count = Counter(trial.verdict for trial in report.trials)
    words = [f"{count[verdict]} {verdict.value}" for verdict in Verdict if count[verdict]]
    green = all(trial.restored for trial in report.trials)
    state = "green at the end" if green else "NOT green at the end"
    number = f"run {report.number}: " if report.number else ""
    told = ", ".join(words) or "nothing was tried"
    interrupted = "interrupted; " if report.interrupted else ""
    return (
        f"{number}{interrupted}{told}; {state}; {report.seconds:.1f} s; exit {report.exit_code:d}"
    )
