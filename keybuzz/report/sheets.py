"""The answers of the verbs that make no report, as sheets. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.engine.secret_copies import CopiesReport
from keybuzz.model.finding import Finding, Level
from keybuzz.model.load_balancer import Probe, Verdict
from keybuzz.report.sheet import Sheet
from keybuzz.site.credential_file import StoreProblem


def sheet_of_probes(probes: Iterable[Probe], exit_code: int) -> Sheet:
    """Return the sheet of `kbz lb check`: a finding for each service at each place."""
    levels = {
        Verdict.GOOD: Level.OK,
        Verdict.BAD: Level.CRITICAL,
        Verdict.NOT_CHECKED: Level.UNKNOWN,
    }
    findings = tuple(
        Finding(
            "lb.service",
            levels[probe.verdict],
            probe.message,
            f"{probe.balancer}:{probe.port} {probe.place}",
        )
        for probe in probes
    )
    return Sheet("lb check", exit_code, findings=findings)


def sheet_of_store(problems: Iterable[StoreProblem], exit_code: int) -> Sheet:
    """Return the sheet of `kbz secrets check`: a finding for each problem, or one that says there is none."""
    findings = tuple(
        Finding(
            "secrets.store",
            Level.WARN if problem.warning else Level.CRITICAL,
            f"{problem.path.name}:{problem.line}: {problem.rule}: {problem.what}",
            hint=problem.hint,
        )
        for problem in problems
    )
    good = (Finding("secrets.store", Level.OK, "the store is sound"),)
    return Sheet("secrets check", exit_code, findings=findings or good)


def sheet_of_copies(report: CopiesReport) -> Sheet:
    """Return the sheet of `kbz secrets stray`."""
    good = (Finding("secrets.stray", Level.OK, "no copy was found"),)
    return Sheet(
        "secrets stray",
        int(report.exit_code),
        findings=report.findings or good,
        silent=report.unreachable,
        selected=report.asked,
    )
