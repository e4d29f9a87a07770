"""The answers of the verbs that make no report, as sheets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from keybuzz.engine.images.versions import ImageVerdict, Status
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Quorum
from keybuzz.model.core.proposed import proposed
from keybuzz.model.services.load_balancer import Probe, Verdict
from keybuzz.report.page.sheet import Sheet

if TYPE_CHECKING:
    from keybuzz.engine.drift.secret_copies import CopiesReport
    from keybuzz.engine.schedule.standing import ScheduleStatus
    from keybuzz.model.reports.status import ClusterStatus
    from keybuzz.model.reports.status import Status as FleetStatus
    from keybuzz.policy.violation import Verdict as PolicyVerdict
    from keybuzz.policy.violation import Violation
    from keybuzz.site.credentials.file import StoreProblem


def sheet_of_status(status: FleetStatus) -> Sheet:
    """Return the sheet of `kbz status`: a finding for each cluster, and what is wrong with hosts themselves."""
    clusters = tuple(_of_cluster(cluster) for cluster in status.clusters)
    return Sheet(
        "status",
        int(status.exit_code),
        status.seconds,
        findings=(*clusters, *status.findings),
        silent=dict(status.unreachable),
        selected=status.hosts,
        quorums={
            cluster.module: Quorum(cluster.members, cluster.up, cluster.spare)
            for cluster in status.clusters
        },
    )


def _of_cluster(cluster: ClusterStatus) -> Finding:
    """Return the cluster in a sentence: its quorum, whether it is frozen, and the worst that is wrong with it."""
    up = f"{cluster.up} of {cluster.members} up, {cluster.needed} needed, {cluster.frozen.value}"
    more = len(cluster.findings) - 1
    words = [up, *(f"{f.check}: {f.message}" for f in cluster.findings[:1])]
    words += [f"and {more} more"] if more > 0 else []
    hint = proposed("kbz", "health", cluster.module) if cluster.findings else ""
    return Finding("status.cluster", cluster.level, "; ".join(words), cluster.module, hint)


def sheet_of_schedule(status: ScheduleStatus) -> Sheet:
    """Return the sheet of `kbz drift status` or `kbz health status`: one finding, critical when it is not looked at."""
    if not status.program:
        level, words, hint = (
            Level.CRITICAL,
            "nothing is scheduled",
            proposed("kbz", status.verb, "install"),
        )
    elif status.overdue:
        level, words = Level.CRITICAL, "nothing has looked for more than twice its time"
        hint = f"{proposed('kbz', status.verb, 'status')} says how the last run ended"
    else:
        level, words, hint = Level.OK, f"{status.every} by {status.program}", ""
    if status.last_look is not None:
        words += f"; run {status.last_look.number} found {status.present}"
    check = "drift.schedule" if status.verb == "drift" else "health.schedule"
    finding = Finding(check, level, words, hint=hint)
    return Sheet(f"{status.verb} status", 0 if status.good else 2, findings=(finding,))


def sheet_of_list(problems: Iterable[str], exit_code: int, warnings: Iterable[str] = ()) -> Sheet:
    """Return the sheet of `kbz versions check`: a finding for each problem and warning, or that there is none."""
    wrong = tuple(Finding("versions.list", Level.CRITICAL, problem) for problem in problems)
    good = (Finding("versions.list", Level.OK, "every image is listed with a frozen tag"),)
    supply = tuple(Finding("versions.supply", Level.WARN, warning) for warning in warnings)
    return Sheet("versions check", exit_code, findings=((wrong or good) + supply))


def sheet_of_policy(verdict: PolicyVerdict, exit_code: int) -> Sheet:
    """Return the sheet of `kbz policy check`: a finding for each violation; one that is waived is ok until then."""
    findings = [
        Finding("policy.rule", Level.CRITICAL, item.message, _where(item), item.instead)
        for item in verdict.violations
    ]
    findings += [
        Finding(
            "policy.rule",
            Level.OK,
            f"waived until {item.waiver.until}: {item.waiver.reason}",
            _where(item.violation),
        )
        for item in verdict.waived
    ]
    words = f"no rule is broken in {verdict.files} file{'s' * (verdict.files != 1)}"
    good = (Finding("policy.rule", Level.OK, words),)
    return Sheet("policy check", exit_code, findings=tuple(findings) or good)


def _where(violation: Violation) -> str:
    return f"{violation.rule} {violation.path}:{violation.line}:{violation.column}"


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


def sheet_of_images(verdicts: Iterable[ImageVerdict], exit_code: int) -> Sheet:
    """Return the sheet of `kbz versions verify`: a finding for each frozen image."""
    levels = {
        Status.PRESENT: Level.OK,
        Status.BUILT: Level.OK,
        Status.UNKNOWN: Level.UNKNOWN,
    }
    findings = tuple(
        Finding(
            "versions.image",
            levels.get(verdict.status, Level.CRITICAL),
            verdict.what or verdict.status.value,
            verdict.version.name,
            verdict.hint,
        )
        for verdict in verdicts
    )
    return Sheet("versions verify", exit_code, findings=findings)


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
