"""What machines that watch read: each form judged by a reader that is not ours."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from keybuzz.engine.drift.secret_copies import CopiesReport
from keybuzz.engine.images.versions import ImageVerdict
from keybuzz.engine.images.versions import Status as ImageStatus
from keybuzz.engine.schedule.standing import ScheduleStatus
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.record import report_document
from keybuzz.model.reports.report import HostReport
from keybuzz.model.services.load_balancer import Probe, Verdict
from keybuzz.policy.violation import Verdict as PolicyVerdict
from keybuzz.report.machine.junit import junit_text
from keybuzz.report.machine.nagios import Status, nagios_failure, nagios_line
from keybuzz.report.machine.prometheus import (
    METRICS,
    prometheus_failure,
    prometheus_page,
    prometheus_text,
)
from keybuzz.report.page.sheet import Sheet, sheet_of, sheet_of_document
from keybuzz.report.page.sheets import (
    sheet_of_copies,
    sheet_of_images,
    sheet_of_list,
    sheet_of_policy,
    sheet_of_probes,
    sheet_of_schedule,
    sheet_of_status,
    sheet_of_store,
)
from keybuzz.site.credentials.file import StoreProblem
from keybuzz.site.site import ImageVersion
from tests.unit.engine.look.test_status import STATUS
from tests.unit.policy.test_policy_report import broken
from tests.unit.report.test_report_text import FINDINGS, PLAN, report

NOW = 1_790_000_000.25
AWAY = {
    "db-1": HostReport("db-1", Outcome.OK),
    "db-2": HostReport("db-2", Outcome.OK),
    "db-3": HostReport("db-3", Outcome.UNREACHABLE, what="no route to host"),
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FOUND = st.builds(
    Finding, st.sampled_from(["a.b", "c.d"]), st.sampled_from(Level), TEXTS, TEXTS, TEXTS
)
SHEETS = st.builds(
    Sheet,
    verb=st.sampled_from(["health", "drift"]),
    exit_code=st.sampled_from(ExitCode).map(int),
    findings=st.lists(FOUND, max_size=5).map(tuple),
    silent=st.dictionaries(TEXTS, TEXTS, max_size=2),
    differences=st.none()
    | st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2).map(tuple), max_size=2),
    error=TEXTS,
)  # fmt: skip


def health(*findings: Finding) -> Sheet:
    return sheet_of(report("health", findings=findings or FINDINGS, hosts=AWAY))


def series(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return what Prometheus' own parser reads: by metric, the labels' values but the verb, and the value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            labels = tuple(v for k, v in sorted(sample.labels.items()) if k != "verb")
            of_metric = found.setdefault(sample.name, {})
            assert labels not in of_metric, "node_exporter refuses a file with a series twice"
            of_metric[labels] = sample.value
    return found


def test_prometheus_reads_the_verdict_of_each_check() -> None:
    found = series(prometheus_text(health(), NOW))
    assert found["kbz_check_level"]["base.docker.running", "n-07", "base"] == 3
    assert found["kbz_check_level"]["patroni.leader.single", "", "patroni"] == 0
    assert found["kbz_checks"] == {("ok",): 3, ("warn",): 1, ("unknown",): 1, ("critical",): 48}
    assert (found["kbz_hosts_selected"][()], found["kbz_hosts_answered"][()]) == (3, 2)
    assert found["kbz_host_answered"] == {("db-1",): 1, ("db-2",): 1, ("db-3",): 0}
    assert found["kbz_last_run_timestamp_seconds"] == {(): NOW}
    assert found["kbz_last_run_success"] == {(): 1}
    assert "kbz_drift_differences" not in found


def test_prometheus_reads_the_differences_of_each_host_that_answered() -> None:
    found = series(prometheus_text(sheet_of(report("drift", plan=PLAN, hosts=AWAY)), NOW))
    assert found["kbz_drift_differences"] == {("db-1",): 3, ("db-2",): 2}
    assert found["kbz_last_run_exit_code"] == {(): 4}
    assert "kbz_check_level" not in found


@pytest.mark.parametrize("verb", ["health", "drift", "plan"])
def test_a_report_that_was_kept_as_a_document_has_the_same_sheet(verb: str) -> None:
    causes = tuple(replace(finding, cause="a.b") for finding in FINDINGS)
    made = report(verb, plan=PLAN, hosts=AWAY, findings=FINDINGS + causes, error="why", number=7)
    text = json.dumps(report_document(made))
    assert sheet_of_document(json.loads(text)) == sheet_of(made)


def test_the_looks_of_two_verbs_are_one_page_that_announces_each_metric_once() -> None:
    drift = sheet_of(report("drift", plan=PLAN, hosts=AWAY))
    page = prometheus_page([(health(), NOW), (drift, NOW + 1)])
    apart = [
        sample
        for text in (prometheus_text(health(), NOW), prometheus_text(drift, NOW + 1))
        for sample in text.splitlines()
        if not sample.startswith("#")
    ]
    lines = page.splitlines()
    assert sorted(line for line in lines if not line.startswith("#")) == sorted(apart)
    announced = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(announced) == len(set(announced))
    moments = [
        (sample.labels["verb"], sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "kbz_last_run_timestamp_seconds"
    ]
    assert moments == [("health", NOW), ("drift", NOW + 1)]


def test_two_findings_of_one_check_on_one_host_are_one_series_with_the_worst() -> None:
    """HAProxy's check of the balancers says one thing for each address."""
    same = [
        Finding("p.balancer", level, "x", "h") for level in (Level.OK, Level.CRITICAL, Level.WARN)
    ]
    found = series(prometheus_text(health(*same), NOW))
    assert found["kbz_check_level"] == {("p.balancer", "h", "p"): 3}


def test_every_metric_is_announced_once_and_named_by_the_rules() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"kbz_[a-z_]+", metric.name)
        assert metric.help.endswith((".", ")"))


def test_a_verb_that_failed_leaves_no_old_verdict_behind() -> None:
    found = series(prometheus_failure("health", 1, NOW))
    assert found["kbz_last_run_success"] == {(): 0}
    assert set(found) == {
        "kbz_last_run_success",
        "kbz_last_run_exit_code",
        "kbz_last_run_timestamp_seconds",
    }


@given(SHEETS)
def test_no_text_breaks_a_form(sheet: Sheet) -> None:
    series(prometheus_text(sheet, NOW))
    fromstring(junit_text(sheet, NOW).encode())
    line, status = nagios_line(sheet)
    assert line.isprintable()
    assert line.count("|") == 1
    assert line.startswith(f"KBZ {status.name} - ")


def test_junit_shows_each_finding_as_a_test() -> None:
    document = JUnitXml.fromstring(junit_text(health(), NOW).encode())
    suites = {suite.name: suite for suite in document}
    assert set(suites) == {"kbz.health.base", "kbz.health.patroni"}
    assert (document.tests, document.failures, document.errors) == (len(FINDINGS), 48, 1)
    cases = {case.name: case for case in suites["kbz.health.base"]}
    (red,) = cases["base.docker.running n-00"].result
    assert isinstance(red, Failure)
    assert (red.message, red.text) == (
        "Docker does not answer",
        "critical: Docker does not answer\n→ look",
    )
    (away,) = cases["base.reachable db-3"].result
    assert isinstance(away, Error)
    assert cases["base.units.failed db-1"].is_passed
    assert "a.service" in cases["base.units.failed db-1"].system_out


def test_junit_shows_each_host_that_differs_as_a_failure() -> None:
    document = JUnitXml.fromstring(
        junit_text(sheet_of(report("plan", plan=PLAN, hosts=AWAY)), NOW).encode()
    )
    assert (document.tests, document.failures, document.errors) == (3, 2, 1)
    (suite,) = document
    (red,) = next(case for case in suite if case.name == "db-1").result
    assert red.message == "3 differences"
    assert red.text.split("\n") == ["package:jq", "sysctl:vm.swappiness", "file:/opt/patroni.yml"]


def finding(level: Level) -> Finding:
    return Finding("a.b", level, "first\nsecond | third", "h")


@pytest.mark.parametrize(
    ("sheet", "status"),
    [
        (health(finding(Level.OK)), Status.UNKNOWN),  # db-3 is away
        (replace(health(finding(Level.OK)), silent={}, exit_code=0), Status.OK),
        (replace(health(finding(Level.WARN)), silent={}, exit_code=0), Status.WARNING),
        (replace(health(finding(Level.UNKNOWN)), silent={}), Status.UNKNOWN),
        (health(finding(Level.UNKNOWN), finding(Level.CRITICAL)), Status.CRITICAL),
        (health(finding(Level.UNKNOWN), finding(Level.WARN)), Status.UNKNOWN),
        (sheet_of(report("drift", plan=PLAN)), Status.WARNING),
        (sheet_of(report("drift", plan=PLAN, hosts=AWAY)), Status.UNKNOWN),
        (sheet_of(report("drift")), Status.OK),
        (sheet_of(report("health", error="lost", error_code=ExitCode.FAILED)), Status.UNKNOWN),
    ],
)  # fmt: skip
def test_nagios_is_told_in_one_line(sheet: Sheet, status: Status) -> None:
    line, found = nagios_line(sheet)
    assert found is status
    text, _, numbers = line.partition(" | ")
    assert text.startswith(f"KBZ {status.name} - {sheet.verb}: ")
    for number in numbers.split(" "):
        assert re.fullmatch(r"[a-z_]+=\d+(\.\d+)?s?;;;0(;\d+)?", number)


def test_nagios_reads_the_worst_first() -> None:
    line, _ = nagios_line(health())
    assert line == (
        "KBZ CRITICAL - health: 2 of 3 hosts answered, 48 critical, 1 unknown, 1 warn"
        "; base.docker.running on n-00: Docker does not answer"
        "; base.docker.running on n-01: Docker does not answer"
        "; base.docker.running on n-02: Docker does not answer; and 47 more"
        " | time=1.250s;;;0 hosts_answered=2;;;0;3 ok=3;;;0 warn=1;;;0 unknown=1;;;0 critical=48;;;0"
    )


def test_nagios_never_takes_an_error_of_kbz_for_a_verdict() -> None:
    line, status = nagios_failure("health", "site.yaml:3: no such key\n  → remove it | now")
    assert (line, status) == (
        "KBZ UNKNOWN - health: site.yaml:3: no such key → remove it ¦ now",
        Status.UNKNOWN,
    )


def test_prometheus_reads_how_many_members_a_cluster_may_lose() -> None:
    found = series(prometheus_text(sheet_of_status(STATUS), NOW))
    assert found["kbz_cluster_members"] == {("patroni",): 3, ("redis-proxy",): 2}
    assert found["kbz_cluster_members_up"] == {("patroni",): 3, ("redis-proxy",): 1}
    assert found["kbz_cluster_members_spare"] == {("patroni",): 1, ("redis-proxy",): 0}
    assert found["kbz_check_level"]["status.cluster", "redis-proxy", "status"] == 3
    assert found["kbz_host_answered"]["haproxy-02",] == 0


def test_junit_shows_each_broken_rule_at_its_place_and_what_is_waived_as_passed() -> None:
    verdict = broken()
    document = JUnitXml.fromstring(junit_text(sheet_of_policy(verdict, 3), NOW).encode())
    (suite,) = document
    cases = {case.name: case for case in suite}
    assert len(cases) == document.tests == len(verdict.violations) + len(verdict.waived)
    assert document.failures == len(verdict.violations)
    first = verdict.violations[0]
    (red,) = cases[f"policy.rule {first.rule} {first.path}:{first.line}:{first.column}"].result
    assert red.text.endswith(f"→ {first.instead}")
    (waived,) = (case for case in suite if case.is_passed)
    assert "waived until" in waived.system_out


ENTRY = "1 of 2 up, 1 needed, free; redis-proxy.watcher: had its last success 400 s ago"
BROKEN = (
    "policy.rule on EP-1 a b/x.env:1:8: db-master-01 is a server, and no endpoint for applications; "
    "policy.rule on SEC-2 y.sh:2:3: holds the value of REDIS_PASSWORD of the credential store"
)
VERSION = ImageVersion("redis", "redis:7", "redis:7.2", "no network", 3)


@pytest.mark.parametrize(
    ("sheet", "status", "words"),
    [
        (
            sheet_of_probes((Probe("lb", 5432, "haproxy-01", "10.0.0.11", Verdict.BAD, "refused"),), 2),
            Status.CRITICAL,
            "lb check: 1 critical; lb.service on lb:5432 haproxy-01: refused",
        ),
        (
            sheet_of_images((ImageVerdict(VERSION, ImageStatus.UNKNOWN, what="no answer"),), 4),
            Status.UNKNOWN,
            "versions verify: 1 unknown; versions.image on redis: no answer",
        ),
        (
            sheet_of_images((ImageVerdict(VERSION, ImageStatus.PRESENT),), 0),
            Status.OK,
            "versions verify: 1 check ok",
        ),
        (
            sheet_of_store((StoreProblem(Path("/x/redis.env"), 2, "is short", "longer", "length"),), 3),
            Status.CRITICAL,
            "secrets check: 1 critical; secrets.store: redis.env:2: length: is short",
        ),
        (
            sheet_of_status(STATUS),
            Status.CRITICAL,
            f"status: 4 of 5 hosts answered, 1 critical; status.cluster on redis-proxy: {ENTRY}",
        ),
        (
            sheet_of_status(replace(STATUS, clusters=STATUS.clusters[:1], unreachable=())),
            Status.OK,
            "status: 5 of 5 hosts answered, 1 check ok",
        ),
        (sheet_of_list((), 0), Status.OK, "versions check: 1 check ok"),
        (
            sheet_of_list(("versions.yaml:3: redis:latest moves",), 3),
            Status.CRITICAL,
            "versions check: 1 critical; versions.list: versions.yaml:3: redis:latest moves",
        ),
        (
            sheet_of_schedule(ScheduleStatus("drift", "", "", None, None, None, 0, None, overdue=False)),
            Status.CRITICAL,
            "drift status: 1 critical; drift.schedule: nothing is scheduled",
        ),
        (
            sheet_of_schedule(ScheduleStatus("drift", "cron", "6h", NOW, None, None, 0, NOW, overdue=True)),
            Status.CRITICAL,
            "drift status: 1 critical; drift.schedule: nothing has looked for more than twice its time",
        ),
        (
            sheet_of_schedule(ScheduleStatus("drift", "cron", "6h", NOW, None, None, 0, NOW, overdue=False)),
            Status.OK,
            "drift status: 1 check ok",
        ),
        (
            sheet_of_schedule(ScheduleStatus("health", "", "", None, None, None, 0, None, False)),
            Status.CRITICAL,
            "health status: 1 critical; health.schedule: nothing is scheduled",
        ),
        (
            sheet_of_policy(broken(), 3),
            Status.CRITICAL,
            f"policy check: 2 critical; {BROKEN}",
        ),
        (sheet_of_policy(PolicyVerdict((), (), 3), 0), Status.OK, "policy check: 1 check ok"),
        (sheet_of_store((), 0), Status.OK, "secrets check: 1 check ok"),
        (
            sheet_of_copies(CopiesReport(("a", "b"), (), {"b": "away"})),
            Status.UNKNOWN,
            "secrets stray: 1 of 2 hosts answered, 1 check ok; b did not answer: away",
        ),
    ],
)  # fmt: skip
def test_other_verbs_that_look_have_sheets_too(sheet: Sheet, status: Status, words: str) -> None:
    line, found = nagios_line(sheet)
    assert found is status
    assert line.startswith(f"KBZ {status.name} - {words} | ")
    assert series(prometheus_text(sheet, NOW))["kbz_last_run_exit_code"] == {(): sheet.exit_code}
    assert JUnitXml.fromstring(junit_text(sheet, NOW).encode()).tests >= 1
