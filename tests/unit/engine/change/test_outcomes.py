"""The last word of every verb: one table from what happened to the exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import (
    ContactError,
    InputError,
    KbzError,
    RefusedError,
    StepError,
    UsageError,
)
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import ExitCode, Outcome, exit_code
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.host.files import Absent
from keybuzz.model.reports.report import HostReport, Report

CHANGE = Change("a", "base", Absent("/x"), Action.UPDATE)
CLEAN = Report("run", ("base",), {"a": HostReport("a", Outcome.OK)}, Plan({}), (), (), 1.0)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], ExitCode.FAILED),
        ([Outcome.OK], ExitCode.GOOD),
        ([Outcome.CHANGED], ExitCode.GOOD),
        ([Outcome.OK, Outcome.CHANGED], ExitCode.GOOD),
        ([Outcome.FAILED], ExitCode.FAILED),
        ([Outcome.SKIPPED], ExitCode.FAILED),
        ([Outcome.REFUSED], ExitCode.REFUSED),
        ([Outcome.UNREACHABLE], ExitCode.UNREACHABLE),
        ([Outcome.UNKNOWN], ExitCode.UNREACHABLE),
        ([Outcome.OK, Outcome.FAILED], ExitCode.FAILED),
        ([Outcome.OK, Outcome.UNREACHABLE], ExitCode.UNREACHABLE),
        ([Outcome.UNREACHABLE, Outcome.FAILED], ExitCode.FAILED),
        ([Outcome.UNKNOWN, Outcome.FAILED], ExitCode.FAILED),
        ([Outcome.FAILED, Outcome.REFUSED], ExitCode.REFUSED),
        ([Outcome.SKIPPED, Outcome.UNREACHABLE], ExitCode.UNREACHABLE),
        ([Outcome.SKIPPED, Outcome.UNKNOWN], ExitCode.UNREACHABLE),
        ([Outcome.SKIPPED, Outcome.CHANGED], ExitCode.FAILED),
    ],
)
def test_the_worst_outcome_decides(outcomes: list[Outcome], code: ExitCode) -> None:
    assert exit_code(outcomes) is code


@given(st.lists(st.sampled_from(Outcome)))
def test_only_good_outcomes_are_good(outcomes: list[Outcome]) -> None:
    good = bool(outcomes) and set(outcomes) <= {Outcome.OK, Outcome.CHANGED}
    assert (exit_code(outcomes) is ExitCode.GOOD) == good


@given(st.lists(st.sampled_from(Outcome), min_size=1), st.randoms())
def test_neither_order_nor_number_of_hosts_matters(outcomes: list[Outcome], random: object) -> None:
    mixed = [*outcomes, *outcomes]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert exit_code(mixed) is exit_code(outcomes)


def test_the_codes_are_the_ones_of_the_documentation() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "GOOD": 0,
        "FAILED": 1,
        "DIFFERENT": 2,
        "REFUSED": 3,
        "UNREACHABLE": 4,
        "USAGE": 64,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KbzError("x"), ExitCode.FAILED),
        (InputError("x"), ExitCode.FAILED),
        (UsageError("x"), ExitCode.USAGE),
        (RefusedError("x"), ExitCode.REFUSED),
        (ContactError("x"), ExitCode.UNREACHABLE),
        (StepError("x"), ExitCode.FAILED),
    ],
)
def test_each_error_has_its_code(error: KbzError, code: ExitCode) -> None:
    assert error.code is code


def test_an_error_says_where_what_and_what_to_do() -> None:
    assert str(KbzError("what", where="where", hint="hint")) == "where: what\n  → hint"
    assert str(KbzError("what")) == "what"


def finding(level: Level) -> tuple[Finding, ...]:
    return (Finding("c", Level.OK, "fine"), Finding("c", level, "message"))


@pytest.mark.parametrize(
    ("verb", "level", "size", "code"),
    [
        ("plan", Level.OK, 0, ExitCode.GOOD),
        ("plan", Level.OK, 1, ExitCode.DIFFERENT),
        ("plan", Level.CRITICAL, 0, ExitCode.GOOD),
        ("drift", Level.OK, 0, ExitCode.GOOD),
        ("drift", Level.OK, 1, ExitCode.DIFFERENT),
        ("health", Level.OK, 1, ExitCode.GOOD),
        ("health", Level.WARN, 0, ExitCode.GOOD),
        ("health", Level.UNKNOWN, 0, ExitCode.DIFFERENT),
        ("health", Level.CRITICAL, 0, ExitCode.DIFFERENT),
        ("run", Level.OK, 1, ExitCode.GOOD),
        ("run", Level.WARN, 0, ExitCode.GOOD),
        ("run", Level.UNKNOWN, 0, ExitCode.FAILED),
        ("run", Level.CRITICAL, 0, ExitCode.FAILED),
    ],
)
def test_a_verb_over_reachable_hosts(verb: str, level: Level, size: int, code: ExitCode) -> None:
    plan = Plan({"a": (CHANGE,) * size} if size else {})
    report = replace(CLEAN, verb=verb, plan=plan, findings=finding(level))
    assert report.exit_code is code


@pytest.mark.parametrize("verb", ["plan", "drift", "health", "run"])
def test_a_verb_over_no_host_at_all_is_no_success(verb: str) -> None:
    report = replace(CLEAN, verb=verb, hosts={})
    assert report.exit_code is ExitCode.FAILED
    assert report.checked == (0, 0)


@pytest.mark.parametrize("verb", ["plan", "drift", "health", "run"])
def test_a_silent_host_is_never_hidden_by_differences(verb: str) -> None:
    hosts = {"a": HostReport("a", Outcome.OK), "b": HostReport("b", Outcome.UNREACHABLE)}
    report = replace(CLEAN, verb=verb, hosts=hosts, plan=Plan({"a": (CHANGE,)}))
    assert report.exit_code is ExitCode.UNREACHABLE
    assert report.checked == (1, 2)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (ExitCode.FAILED, Outcome.OK, ExitCode.FAILED),
        (ExitCode.FAILED, Outcome.SKIPPED, ExitCode.FAILED),
        (ExitCode.FAILED, Outcome.UNREACHABLE, ExitCode.UNREACHABLE),
        (ExitCode.REFUSED, Outcome.OK, ExitCode.REFUSED),
        (ExitCode.REFUSED, Outcome.SKIPPED, ExitCode.REFUSED),
        (ExitCode.INTERRUPTED, Outcome.SKIPPED, ExitCode.INTERRUPTED),
        (ExitCode.UNREACHABLE, Outcome.CHANGED, ExitCode.UNREACHABLE),
    ],
)
def test_an_error_that_stopped_a_run(error: ExitCode, outcome: Outcome, code: ExitCode) -> None:
    hosts = {"a": HostReport("a", outcome)}
    report = replace(CLEAN, hosts=hosts, error="why", error_code=error)
    assert report.exit_code is code


def test_the_worst_finding_is_the_level_of_the_report() -> None:
    assert CLEAN.worst is Level.OK
    assert replace(CLEAN, findings=finding(Level.UNKNOWN)).worst is Level.UNKNOWN
    assert [level.word for level in sorted(Level)] == ["ok", "warn", "unknown", "critical"]
