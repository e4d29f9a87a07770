"""What came and went between two looks at the health, for mail from a schedule. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.reports.folding import folded
from keybuzz.model.reports.report import Report
from keybuzz.report.screen.hosts import shown_hosts
from keybuzz.report.text.findings import finding_line


def health_news(before: Iterable[Finding] | None, report: Report) -> str:
    """Return what came and went, equal faults as one line; empty when there is nothing to tell.

    `before` is what an earlier look found, of the same modules and hosts; None: everything is new. What only moves
    its numbers is no news, and what is still wrong with a cause, or not known, is not gone.
    """
    earlier, now = _roots(before or ()), _roots(report.findings)
    known = {finding_line(finding) for finding in earlier}
    came = [finding for finding in now if finding_line(finding) not in known]
    wrong = {(item.check, item.host) for item in report.findings if item.level > Level.OK}
    judged = {(finding.check, finding.host) for finding in report.findings}
    looked = {"", *report.answered}
    went = [
        finding
        for finding in earlier
        if (place := (finding.check, finding.host)) not in wrong
        and (place in judged or (finding.host in looked and not finding.check.endswith(".probe")))
    ]
    warnings = (f"  warning: {warning}" for warning in report.warnings)
    return "\n".join((*_lines("new", came), *_lines("gone", went), *warnings))


def _roots(findings: Iterable[Finding]) -> list[Finding]:
    """Return what is wrong by itself; what follows from it is told by the look that it names."""
    return [finding for finding in findings if finding.level > Level.OK and not finding.cause]


def _lines(word: str, findings: Iterable[Finding]) -> Iterator[str]:
    for fold in folded(findings):
        where = f"  {shown_hosts(fold.hosts)}" if fold.hosts else ""
        yield f"  {word:<6} {fold.level.word} {fold.check}{where}: {fold.message}"
