"""Plans, findings and reports as plain documents: the one JSON form of each (format_version 1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Topology
from keybuzz.model.core.plan import Change, Plan
from keybuzz.model.reports.drift import DriftReport
from keybuzz.model.reports.folding import folded
from keybuzz.model.reports.handover import Handover, PlannedHandover
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.model.reports.stages import PlannedStage

FORMAT_VERSION = 1


def report_document(report: Report) -> dict[str, Any]:
    """Return a report; masked texts only, no secret can be in it."""
    answered, selected = report.checked
    return {
        "format_version": FORMAT_VERSION,
        "verb": report.verb,
        "run": report.number or None,
        "modules": list(report.modules),
        "exit_code": int(report.exit_code),
        "error": report.error or None,
        "seconds": round(report.seconds, 3),
        "checked": {"answered": answered, "selected": selected},
        "round_trips": dict(report.round_trips),
        "hosts": {host: _host(item) for host, item in report.hosts.items()},
        "plan": plan_document(report.plan),
        "findings": [finding_document(finding) for finding in report.findings],
        "summary": summary_document(report.findings),
        "not_in_this_lab": list(report.absent),
        "in_maintenance": dict(report.resting),
        "topologies": [topology_document(topology) for topology in report.topologies],
        "quorums": {
            module: {"members": found.members, "up": found.up, "spare": found.spare}
            for module, found in report.quorums.items()
        },
        "warnings": list(report.warnings),
        "stages": [stage_document(stage) for stage in report.stages],
        "drift": None if report.drift is None else drift_document(report.drift),
        "handover": None if report.handover is None else handover_document(report.handover),
    }


def handover_document(handover: Handover) -> dict[str, Any]:
    """Return who led and who leads now, and what that cost."""
    planned, tally = handover.planned, handover.tally
    return {
        **planned_handover_document(planned),
        "after": handover.after or None,
        "seconds_without_writes": None if handover.seconds is None else round(handover.seconds, 3),
        "acknowledged": None if tally is None else tally.acknowledged,
        "lost": None if tally is None else tally.lost,
        "not_measured": handover.unmeasured or None,
    }


def planned_handover_document(planned: PlannedHandover) -> dict[str, Any]:
    """Return who leads, who could, and who is to."""
    return {
        "cluster": planned.cluster,
        "before": planned.leader,
        "to": planned.to or None,
        "candidates": [
            {"host": found.host, "state": found.state, "unable": found.unable or None}
            for found in planned.candidates
        ],
        "endpoint": planned.endpoint or None,
        "lasts": planned.lasts or None,
    }


def drift_document(drift: DriftReport) -> dict[str, Any]:
    """Return what is not as described, by id, and how it stands against the run before."""
    return {
        "compared_with": drift.before or None,
        "items": [
            {
                "id": item.identity,
                "host": item.host or None,
                "standing": item.standing.value,
                "since_run": item.since,
                "what": item.what,
            }
            for item in drift.items
        ],
    }


def stage_document(stage: PlannedStage) -> dict[str, Any]:
    """Return one stage that a run would take."""
    return {
        "module": stage.module,
        "name": stage.name,
        "refused": stage.refused or None,
        "open": stage.open,
        "reached": stage.reached,
        "heirs": list(stage.heirs),
        "hosts": [
            {
                "host": work.host,
                "roles": list(work.roles),
                "changes": work.changes,
                "interrupts": list(work.interrupts),
            }
            for work in stage.work
        ],
    }


def _host(item: HostReport) -> dict[str, Any]:
    return {
        "outcome": item.outcome.value,
        "changed": item.changed,
        "remaining": item.remaining,
        "what": item.what or None,
        "hint": item.hint or None,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan."""
    return {
        "size": plan.size,
        "changes": [change_document(c) for changes in plan.changes.values() for c in changes],
        "not_applicable": [
            {"host": item.host, "resource": item.identity, "reason": item.reason}
            for item in plan.not_applicable
        ],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return one change."""
    return {
        "host": change.host,
        "module": change.module,
        "resource": change.identity,
        "action": change.action.value,
        "disrupts": change.disrupts,
        "reason": change.reason or None,
        "effects": list(change.effects),
        "differences": [
            {"attribute": item.attribute, "observed": item.observed, "wanted": item.wanted}
            for item in change.differences
        ],
        "diff": change.diff or None,
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return one finding."""
    return {
        "check": finding.check,
        "level": finding.level.word,
        "host": finding.host or None,
        "message": finding.message,
        "hint": finding.hint or None,
        "cause": finding.cause or None,
    }


def finding_of(item: Mapping[str, Any]) -> Finding:
    """Return a finding that was kept as a document."""
    texts = {name: item.get(name) or "" for name in ("check", "message", "host", "hint", "cause")}
    return Finding(level=Level[item["level"].upper()], **texts)


def summary_document(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return what is wrong, each fault once with its hosts; what follows from another one is under its cause."""
    return [
        {
            "level": fold.level.word,
            "check": fold.check,
            "message": fold.message,
            "hint": fold.hint or None,
            "cause": fold.cause or None,
            "hosts": list(fold.hosts),
        }
        for fold in folded(findings)
    ]


def topology_document(topology: Topology) -> dict[str, Any]:
    """Return one topology."""
    return {
        "cluster": topology.cluster,
        "members": [
            {"host": m.host, "role": m.role, "state": m.state, **dict(m.details)}
            for m in topology.members
        ],
    }


def plan_text(plan: Plan) -> str:
    """Return a plan as JSON text, for the journal."""
    return json.dumps(plan_document(plan), separators=(",", ":"), ensure_ascii=False)
