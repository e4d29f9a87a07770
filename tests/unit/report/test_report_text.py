"""Whole screens as people see them: a plan, a sick fleet, a run, a stopped run, a command."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine import events
from keybuzz.engine.change.execute import HostExecution, worst
from keybuzz.model.core.content import Content
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member, Topology
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.plan import Action, Change, Difference, NotApplicable, Plan
from keybuzz.model.core.record import report_document
from keybuzz.model.core.secret import MASK, Secret
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.model.host.system import Package, Sysctl
from keybuzz.model.reports.drift import DriftItem, DriftReport
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.text.execution import execution_document, execution_text
from keybuzz.report.text.progress import Lines, sentence
from keybuzz.report.text.report import report_text

DIGEST = "hmac-sha256:0123456789abcdef0123456789abcdef"
YML = File("/opt/patroni.yml", Content(("password: ", Secret("PASS", "clear"), "\n")))
PLAN = Plan(
    {
        "db-1": (
            Change("db-1", "base", Package("jq"), Action.CREATE, (Difference("installed", None, True),)),
            Change(
                "db-1", "base", Sysctl("vm.swappiness", "10"), Action.UPDATE,
                (Difference("value", "60", "10"),),
            ),
            Change(
                "db-1", "patroni", YML, Action.UPDATE,
                (Difference("digest", DIGEST, DIGEST), Difference("mode", "0644", "0600")),
                diff=f"--- /opt/patroni.yml\n+++ /opt/patroni.yml\n@@ -1 +1 @@\n-password: x\n+password: {MASK}\n",
            ),
        ),
        "db-2": (
            Change(
                "db-2", "patroni", Container("patroni", "new:1.0"), Action.UPDATE,
                (Difference("image", "old:1.0", "new:1.0"), Difference("binds", ("/a:/a:ro",), ())),
                disrupts=True,
            ),
            Change("db-2", "patroni", Container("other", "x:1.0"), Action.LATER, reason="Docker does not answer"),
        ),
    },
    (
        NotApplicable("db-1", "swap:swap", "a lab host sees the swap of this machine"),
        NotApplicable("db-2", "swap:swap", "a lab host sees the swap of this machine"),
    ),
)  # fmt: skip
HOSTS = {
    "db-1": HostReport("db-1", Outcome.OK, remaining=3),
    "db-2": HostReport("db-2", Outcome.OK, remaining=2),
}
TOPOLOGY = Topology(
    "keybuzz-pg",
    (
        Member("db-1", "leader", "running", (("lag", "0 B"), ("timeline", "1"))),
        Member("db-2", "replica", "streaming", (("lag", "1024 B"), ("timeline", "1"))),
        Member("db-3", "?", "unreachable"),
    ),
)
FINDINGS = (
    *(Finding("base.reachable", Level.OK, "answers", host) for host in ("db-1", "db-2")),
    *(
        Finding("base.docker.running", Level.CRITICAL, "Docker does not answer", f"n-{number:02}", "look")
        for number in range(48)
    ),
    Finding("base.units.failed", Level.WARN, "failed: a.service", "db-1", "journalctl -u a"),
    Finding("patroni.leader.single", Level.OK, "db-1 leads"),
    Finding("base.reachable", Level.UNKNOWN, "no route to host", "db-3"),
)  # fmt: skip


def report(verb: str, **more: object) -> Report:
    made = Report(verb, ("patroni",), HOSTS, Plan({}), (), (), 1.25)
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_plan() -> None:
    assert report_text(report("plan", plan=PLAN)) == (
        "base\n"
        "  + package:jq  db-1\n"
        "  ~ sysctl:vm.swappiness  db-1\n"
        "      value: 60 → 10\n"
        "patroni\n"
        "  ~ file:/opt/patroni.yml  db-1\n"
        "      --- /opt/patroni.yml\n"
        "      +++ /opt/patroni.yml\n"
        "      @@ -1 +1 @@\n"
        "      -password: x\n"
        f"      +password: {MASK}\n"
        "      mode: 0644 → 0600\n"
        "  ~ container:patroni  (interrupts a running service)  db-2\n"
        "      image: old:1.0 → new:1.0\n"
        "      binds: [/a:/a:ro] → []\n"
        "  ? container:other  db-2\n"
        "      known after apply: Docker does not answer\n"
        "not applicable on 2 hosts: swap:swap: a lab host sees the swap of this machine\n"
        "\n"
        "checked 2 of 2 hosts; 5 changes to make; 1.2 s; exit 2\n"
    )


def test_a_plan_with_nothing_to_do() -> None:
    assert report_text(report("plan")) == "checked 2 of 2 hosts; 0 changes to make; 1.2 s; exit 0\n"
    assert report_text(report("drift")) == "checked 2 of 2 hosts; 0 differences; 1.2 s; exit 0\n"


def test_the_same_failure_on_many_hosts_is_one_line() -> None:
    text = report_text(report("health", findings=FINDINGS, topologies=(TOPOLOGY,)))
    assert text == (
        "critical base.docker.running  n-00, n-01, n-02, n-03, n-04, n-05 and 42 more: Docker does not answer\n"
        "         → look\n"
        "unknown  base.reachable  db-3: no route to host\n"
        "warn     base.units.failed  db-1: failed: a.service\n"
        "         → journalctl -u a\n"
        "ok       base: 1 check on 2 hosts\n"
        "ok       patroni: 1 check\n"
        "\n"
        "cluster keybuzz-pg\n"
        "  host  role     state        lag     timeline\n"
        "  db-1  leader   running      0 B     1\n"
        "  db-2  replica  streaming    1024 B  1\n"
        "  db-3  ?        unreachable\n"
        "\n"
        "checked 2 of 2 hosts; checks: 48 critical, 1 unknown, 1 warn, 3 ok; 1.2 s; exit 2\n"
    )


def test_a_good_run_shows_the_proof_and_not_every_check() -> None:
    hosts = {"db-1": HostReport("db-1", Outcome.CHANGED, 3), "db-2": HostReport("db-2", Outcome.OK)}
    findings = (Finding("base.reachable", Level.OK, "answers", "db-1"),)
    text = report_text(
        report("run", hosts=hosts, plan=PLAN, findings=findings, topologies=(TOPOLOGY,), number=7)
    )
    assert text == (
        "cluster keybuzz-pg\n"
        "  host  role     state        lag     timeline\n"
        "  db-1  leader   running      0 B     1\n"
        "  db-2  replica  streaming    1024 B  1\n"
        "  db-3  ?        unreachable\n"
        "\n"
        "run 7: checked 2 of 2 hosts; 3 changes made; checks: 1 ok; 1.2 s; exit 0\n"
    )


def test_a_run_that_stopped_says_who_was_left_and_why() -> None:
    hosts = {
        "db-1": HostReport("db-1", Outcome.FAILED, 1, 2, "PostgreSQL: no space left", "df -h"),
        "db-2": HostReport("db-2", Outcome.SKIPPED, 0, 3),
        "db-3": HostReport("db-3", Outcome.UNREACHABLE, what="no route to host"),
    }
    text = report_text(
        report(
            "run",
            hosts=hosts,
            plan=PLAN,
            findings=FINDINGS,
            error="db-1: stopped\n  → df -h",
            error_code=ExitCode.FAILED,
            number=8,
        )
    )
    assert text == (
        "failed      db-1 (2 changes not made): PostgreSQL: no space left\n"
        "            → df -h\n"
        "skipped     db-2 (3 changes not made)\n"
        "unreachable db-3: no route to host\n"
        "\n"
        "db-1: stopped\n"
        "  → df -h\n"
        "\n"
        "run 8: checked 2 of 3 hosts; 1 change made; checks: 48 critical, 1 unknown, 1 warn, 3 ok; 1.2 s;\n"
        "  exit 1\n"
    )


@pytest.mark.parametrize("verb", ["plan", "drift", "health", "run"])
def test_the_document_says_the_same_and_is_plain_json(verb: str) -> None:
    made = report(verb, plan=PLAN, findings=FINDINGS, topologies=(TOPOLOGY,), number=7)
    text = json.dumps(report_document(made))
    document = json.loads(text)
    assert "clear" not in text
    assert document["format_version"] == 1
    assert document["exit_code"] == int(made.exit_code)
    assert document["checked"] == {"answered": 2, "selected": 2}
    assert document["plan"]["size"] == 5
    assert document["plan"]["changes"][0]["resource"] == "package:jq"
    assert document["plan"]["not_applicable"][0]["reason"].startswith("a lab host")
    assert len(document["findings"]) == len(FINDINGS)
    assert document["topologies"][0]["members"][1]["lag"] == "1024 B"
    assert document["hosts"]["db-1"]["outcome"] == "ok"


def test_every_event_has_its_sentence() -> None:
    changed, failed = Outcome.CHANGED, Outcome.FAILED
    assert [
        sentence(event)
        for event in (
            events.Reading(1, "base"),
            events.Reading(48, "base, patroni"),
            events.HostsLost(("db-3",), "no route"),
            events.Planned(PLAN, 2),
            events.Planned(PLAN, 2, 3),
            events.Planned(Plan({}), 2),
            events.Planned(Plan({}), 3, 45),
            events.Planned(Plan({}), 0, 48),
            events.StageStarted("base", "packages", ("a", "b"), 1),
            events.StageStarted("base", "packages", tuple("abcdef"), 12),
            events.StageEnded("base", "packages", tuple("abcdef"), 11, 12),
            events.StepStarted("a", "package:jq"),
            events.StepEnded("a", "package:jq", changed),
            events.StepEnded("a", "package:jq", Outcome.OK),
            events.StepEnded("a", "package:jq", failed, "apt is locked", "wait"),
            events.GateWaiting("whole", "0 leaders"),
            events.GateHeld("whole", 0.01),
            events.GateHeld("whole", 22.04),
            events.ImageWork("x:1.0", "is built"),
            events.Judged(()),
            events.Arranged({"a": (), "b": ("a",), "c": ("a",), "d": ("a", "b", "c")}),
            events.ModuleBegun("b"),
            events.ModuleEnded("b", 41.02),
            events.ModuleEnded("b", 3.0, "no space left"),
            events.NotBegun("d", ("b", "c")),
            events.Beside("b", events.GateWaiting("whole", "0 leaders")),
            events.Beside("b", events.StageEnded("b", "packages", ("x",), 1, 1)),
            events.Beside("b", events.Postponed("b", "no quorum")),
            events.Beside("b", events.HostsLost(("x",), "no route")),
            events.Beside("b", events.StepStarted("x", "package:jq")),
        )
    ] == [
        "reading 1 host (base)",
        "reading 48 hosts (base, patroni)",
        "db-3: unreachable: no route",
        "5 changes to make on 2 hosts",
        "5 changes to make on 2 hosts; 3 hosts could not be read",
        "nothing to change on 2 hosts",
        "nothing to change on 3 hosts; 45 hosts could not be read",
        "no host could be read: what there is to change on 48 is not known",
        "base: packages: 1 change on a, b",
        "base: packages: 12 changes on 6 hosts",
        "  ✗ base: packages: 11 of 12 on 6 hosts",
        None,
        "  ✓ a  package:jq",
        "  · a  package:jq",
        "  ✗ a  package:jq: failed: apt is locked",
        "  … whole: 0 leaders",
        "  ✓ whole",
        "  ✓ whole (after 22.0 s)",
        "  x:1.0 is built",
        None,
        "side by side: a; b, c after a; d after b, c",
        "b: begins",
        "  ✓ b: done after 41.0 s",
        "  ✗ b: ended after 3.0 s: no space left",
        "  ✗ d: not begun: b, c did not end well",
        "  … b: whole: 0 leaders",
        "  ✓ b: packages: 1 of 1 on x",
        "b: put off until the others are done: no quorum",
        "b: x: unreachable: no route",
        None,
    ]


def test_lines_carry_the_time_and_nothing_for_what_has_no_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = iter([100.0, 101.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    lines = Lines(stream)
    lines(events.StepStarted("a", "package:jq"))
    lines(events.Planned(Plan({}), 3))
    lines.close()
    assert stream.getvalue() == "   1.5s nothing to change on 3 hosts\n"


EXECUTIONS = (
    HostExecution("db-1", Outcome.OK, 0, "one\ntwo\n", ""),
    HostExecution("redis-01", Outcome.FAILED, 3, "", "no\n"),
    HostExecution("db-3", Outcome.UNREACHABLE, what="no route"),
)


def test_a_command_on_many_hosts() -> None:
    assert execution_text(EXECUTIONS) == (
        "db-1       one\n"
        "db-1       two\n"
        "redis-01 ! no\n"
        "redis-01 ✗ failed (exit 3)\n"
        "db-3     ✗ no route\n"
        "1 of 3 hosts: exit 0\n"
    )
    assert worst(EXECUTIONS) is ExitCode.FAILED
    assert worst(EXECUTIONS[:1]) is ExitCode.GOOD
    assert worst(()) is ExitCode.FAILED


@given(st.text("\r\n a\x1b"), st.integers(0, 4))
def test_lines_of_a_command_are_the_same_in_pieces_of_any_size(text: str, size: int) -> None:
    lines = text.split("\n")
    kept = lines[:-1] if lines[-1] == "" else lines
    with mock.patch("keybuzz.report.text.execution._AT_ONCE", size):
        told = execution_text((HostExecution("db-1", Outcome.OK, 0, text, ""),))
    shown = [line.removesuffix("\r").replace("\r", "\\r").replace("\x1b", "\\x1b") for line in kept]
    *written, last = told.split("\n")[:-1]
    assert written == [f"db-1   {line}" for line in shown]
    assert last == "1 of 1 hosts: exit 0"


def test_a_command_as_a_document() -> None:
    document = execution_document(EXECUTIONS)
    assert document == json.loads(json.dumps(document))
    assert document["hosts"]["redis-01"] == {
        "outcome": "failed",
        "exit_code": 3,
        "stdout": "",
        "stderr": "no\n",
        "what": None,
    }
    assert document["hosts"]["db-3"]["exit_code"] is None


def test_why_a_host_is_away_is_said_once() -> None:
    away = HostReport("db-3", Outcome.UNREACHABLE, what="no route")
    found = (
        Finding("base.reachable", Level.UNKNOWN, "no route", "db-3"),
        Finding("patroni.member.reachable", Level.UNKNOWN, "no route", "db-3"),
        Finding("patroni.leader.single", Level.UNKNOWN, "only 2 of 3 can be asked"),
    )
    text = report_text(report("health", hosts={"db-3": away}, findings=found))
    assert text.count("no route") == 1
    assert "only 2 of 3 can be asked" in text
    assert "3 unknown" in text


@pytest.mark.parametrize(("hint", "times"), [("", 1), ("look at its console", 2)])
def test_drift_says_once_why_a_host_is_away_but_for_the_way_out(hint: str, times: int) -> None:
    away = HostReport("db-3", Outcome.UNREACHABLE, what="no route", hint=hint)
    found = DriftReport((DriftItem("silent/db-3", "db-3", "no route"),))
    text = report_text(report("drift", hosts={"db-3": away}, drift=found))
    assert text.count("no route") == times
    assert hint in text


def test_what_follows_from_a_fault_is_told_under_it_and_counted_apart() -> None:
    away = HostReport("db-3", Outcome.UNREACHABLE, what="no route")
    found = (
        Finding("base.reachable", Level.UNKNOWN, "no route", "db-3"),
        Finding(
            "patroni.member.reachable", Level.UNKNOWN, "no route", "db-3", "", "base.reachable"
        ),
        Finding("redis.link", Level.WARN, "1 of 2", "db-1", "", "base.reachable"),
    )
    text = report_text(report("health", hosts={"db-3": away}, findings=found))
    assert text == (
        "unknown  base.reachable  db-3: no route\n"
        "         so also: patroni.member.reachable  db-3; redis.link  db-1\n"
        "\n"
        "checked 0 of 1 hosts; checks: 1 unknown, 2 that follow; 1.2 s; exit 4\n"
    )


def test_one_fault_with_other_numbers_on_each_host_is_one_line_with_their_range() -> None:
    found = tuple(
        Finding("base.disk.space", Level.WARN, f"/ is {share} % full", host, f"look at {host}")
        for host, share in (("db-1", 76), ("db-2", 88), ("db-3", 80))
    )
    text = report_text(report("health", findings=found))
    assert "warn     base.disk.space  db-1, db-2, db-3: / is 76 to 88 % full\n" in text
    assert "         → look at db-1,db-2,db-3\n" in text
