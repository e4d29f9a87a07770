"""A lead that is handed over: the plan of `kbz switchover`, and what came of it. Pure."""

from __future__ import annotations

from keybuzz.model.reports.handover import Handover, PlannedHandover
from keybuzz.report.screen.fit import WIDTH, fit, table


def planned_text(planned: PlannedHandover, width: int = WIDTH) -> str:
    """Return who leads, who could take over, and what would be done."""
    rows = [["host", "role", "state", "can take over"], [planned.leader, "leads", "", ""]]
    for found in planned.candidates:
        able = f"no: {found.unable}" if found.unable else "yes"
        rows.append([found.host, "", found.state, able])
    lines = [f"cluster {planned.cluster}", *table(rows, width, "  ")]
    return "\n".join([*lines, fit(_wish(planned), width)]) + "\n"


def _wish(planned: PlannedHandover) -> str:
    if planned.to == planned.leader:
        return f"{planned.to} leads already: there is nothing to do"
    whom = planned.to or f"the one that the service chooses ({', '.join(planned.able)})"
    measured = (
        f"writes through {planned.endpoint} measure what that interrupts"
        if planned.endpoint
        else "what that interrupts is not measured"
    )
    lasts = f"; it lasts {planned.lasts}" if planned.lasts else ""
    return f"hands over from {planned.leader} to {whom}; {measured}{lasts}"


def handover_text(handover: Handover, width: int = WIDTH) -> str:
    """Return who led and who leads now, and how long no write was acknowledged."""
    planned = handover.planned
    if planned.to == planned.leader:
        return fit(f"{planned.leader} leads already: there was nothing to do", width)
    now = handover.after or "no one member"
    lines = [f"{planned.cluster}: {planned.leader} led, {now} leads now"]
    if handover.seconds is not None:
        lines.append(f"longest time without an acknowledged write: {handover.seconds:.1f} s")
    if handover.unmeasured:
        lines.append(f"not measured: {handover.unmeasured}")
    if (tally := handover.tally) is not None:
        lines.append(
            f"{tally.acknowledged} writes were acknowledged, {tally.lost} of them are lost"
        )
    if planned.lasts and handover.after != planned.leader:
        lines.append(f"it lasts {planned.lasts}")
    return "\n".join(fit(line, width) for line in lines)
