"""Waivers: one rule, one pattern, until a day; and what happens after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.policy.check import check_documents
from keybuzz.policy.readers.read import read_document
from keybuzz.policy.registry import check_waivers
from keybuzz.site.policies import Policies, Waiver
from tests.unit.support.policy_values import TODAY, context, judged, waiving

BAD = {"shop/api.env": "REDIS_HOST=redis-01\n", "crm/api.env": "REDIS_HOST=redis-01\n"}


def waiver(rule: str = "EP-1", path: str = "shop/*", until: date = TODAY) -> Waiver:
    return Waiver(rule, path, "until the client can follow", until, 7)


def test_a_waiver_accepts_its_rule_on_its_files_and_nothing_else() -> None:
    verdict = judged(BAD, waiving(waiver()))
    assert [item.path for item in verdict.violations] == ["crm/api.env"]
    assert [(item.violation.path, item.waiver.line) for item in verdict.waived] == [
        ("shop/api.env", 7)
    ]
    assert len(judged(BAD, waiving(waiver(rule="SEC-2"))).violations) == 2


def test_on_its_last_day_it_counts_and_on_the_next_it_is_a_violation_itself() -> None:
    assert judged({"shop/api.env": BAD["shop/api.env"]}, waiving(waiver())).violations == ()
    over = waiver(until=TODAY - timedelta(days=1))
    found = judged({"shop/api.env": BAD["shop/api.env"]}, waiving(over)).violations
    assert [(item.rule, item.path, item.line) for item in found] == [
        ("KBZ-3", "policies.yaml", 7),
        ("EP-1", "shop/api.env", 1),
    ]
    assert "ended on 2026-01-14" in found[0].message


def test_a_waiver_that_is_over_is_reported_though_nothing_is_left_to_waive() -> None:
    over = waiver(until=TODAY - timedelta(days=1))
    found = judged({"shop/api.env": "REDIS_HOST=10.0.0.10\n"}, waiving(over)).violations
    assert [item.rule for item in found] == ["KBZ-3"]


def test_a_waiver_that_is_over_for_files_of_others_is_a_note() -> None:
    over = waiver(until=TODAY - timedelta(days=1))
    verdict = judged({"crm/api.env": ""}, waiving(over))
    assert verdict.violations == ()
    assert verdict.notes == (
        "policies.yaml:7: the waiver of EP-1 for shop/* is over (no file here)",
    )


@pytest.mark.parametrize(
    ("rule", "what"),
    [("EP-9", "no rule has the id EP-9"), ("KBZ-3", "cannot be waived")],
)
def test_a_waiver_of_no_rule_is_refused_with_its_line(rule: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        check_waivers(Policies(waivers=(waiver(), waiver(rule=rule)), source="policies.yaml"))
    assert "policies.yaml:7: " in str(caught.value)
    assert what in str(caught.value)


def test_without_a_store_the_check_says_that_it_had_nothing_to_compare_with() -> None:
    document = read_document("a.txt", "")
    without = replace(context(), secrets=None, no_secrets="a reason")
    notes = check_documents((document,), without).notes
    assert len(notes) == 1
    assert notes[0].startswith("SEC-2 had no credential store to compare with")
    assert notes[0].endswith("(a reason)")
    assert check_documents((document,), context()).notes == ()
