"""What `kbz secrets stray` found, as text or as a document. Pure: it never had a value."""

from __future__ import annotations

from typing import Any

from keybuzz.engine.drift.secret_copies import CopiesReport
from keybuzz.model.core.finding import Level
from keybuzz.report.text.findings import findings_text


def copies_text(report: CopiesReport) -> str:
    """Return the copies, the hosts that did not answer, and one last line."""
    lines = [findings_text(report.findings, every=True)] if report.findings else []
    lines += [f"unreachable {host}: {why}" for host, why in sorted(report.unreachable.items())]
    asked, answered = len(report.asked), len(report.asked) - len(report.unreachable)
    found = sum(finding.level is Level.CRITICAL for finding in report.findings)
    word = "copy" if found == 1 else "copies"
    end = f"asked {answered} of {asked} hosts; {found} stray {word}; exit {int(report.exit_code)}"
    return "\n".join([*lines, end]) + "\n"


def copies_document(report: CopiesReport) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "format_version": 1,
        "verb": "secrets stray",
        "exit_code": int(report.exit_code),
        "asked": list(report.asked),
        "unreachable": dict(sorted(report.unreachable.items())),
        "findings": [
            {
                "check": finding.check,
                "level": finding.level.word,
                "host": finding.host,
                "message": finding.message,
                "hint": finding.hint,
            }
            for finding in report.findings
        ],
    }
