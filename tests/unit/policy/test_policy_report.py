"""How a check speaks: text, JSON and SARIF 2.1.0; no secret in any of them; the page about the rules."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.registry import ids, rule, rules
from keybuzz.policy.violation import Verdict
from keybuzz.report.text.policy import (
    rule_text,
    rules_page,
    verdict_document,
    verdict_sarif,
    verdict_text,
)
from keybuzz.site.policies import Waiver
from tests.unit.support.policy_bad import SECRETS, TABLE
from tests.unit.support.policy_values import KNOWN, judged, waiving

ROOT = Path(__file__).parents[3]


def broken() -> Verdict:
    """Return a verdict with violations in two files, one of them waived."""
    files = {"a b/x.env": "PGHOST=db-master-01\n", "y.sh": f"docker pull redis\nX={KNOWN}\n"}
    reason = "until the client can follow"
    return judged(files, waiving(Waiver("VER-1", "y.*", reason, date(2026, 2, 1), 3)))


def test_the_text_has_place_rule_why_and_what_to_write() -> None:
    assert verdict_text(broken(), rules()) == (
        "a b/x.env:1:8: EP-1  db-master-01\n"
        "    db-master-01 is a server, and no endpoint for applications\n"
        "    → write 10.0.0.10:5432\n"
        "\n"
        "y.sh:2:3: SEC-2  ‹secret›\n"
        "    holds the value of REDIS_PASSWORD of the credential store\n"
        "    → take it from the environment: $REDIS_PASSWORD; then rotate it, it was seen\n"
        "\n"
        "Why:\n"
        "EP-1  A node fails, moves or stops being the master; the load balancers follow that, and an\n"
        "       application that names a node does not.\n"
        "SEC-2  A repository is copied, kept for ever and read by many. A provider's token in eleven scripts\n"
        "       is how the old installer leaked.\n"
        "\n"
        "waived until 2026-02-01: y.sh:1:13: VER-1: until the client can follow\n"
        "\n"
        "2 violations, 1 waived in 2 files; `kbz policy explain ID` says more\n"
    )


def test_a_clean_check_is_one_line() -> None:
    assert verdict_text(judged({"a.env": ""}), rules()) == "0 violations in 1 file\n"


def test_the_document_has_the_same() -> None:
    document: Any = json.loads(json.dumps(verdict_document(broken(), rules())))
    assert document["format_version"] == 1
    assert document["files"] == 2
    first = document["violations"][0]
    assert (first["rule"], first["path"], first["line"], first["column"]) == (
        "EP-1",
        "a b/x.env",
        1,
        8,
    )
    assert first["why"] == rule("EP-1").why
    assert first["instead"].startswith("write 10.0.0.10:5432")
    assert [(item["rule"], item["until"]) for item in document["waived"]] == [
        ("VER-1", "2026-02-01")
    ]


def check_sarif(log: Any) -> None:
    """Assert what SARIF 2.1.0 demands of the properties that are used."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    assert re.fullmatch(r"https://\S+sarif\S+2\.1\.0\S*", log["$schema"])
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        ids = [item["id"] for item in driver["rules"]]
        assert driver["name"]
        assert len(ids) == len(set(ids))
        assert run["columnKind"] in ("unicodeCodePoints", "utf16CodeUnits")
        assert all(item["executionSuccessful"] is True for item in run["invocations"])
        for item in driver["rules"]:
            assert item["shortDescription"]["text"]
            assert item["fullDescription"]["text"]
            assert item["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        for result in run["results"]:
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert result["message"]["text"]
            for place in result["locations"]:
                physical = place["physicalLocation"]
                assert re.fullmatch(r"[\w./~%-]+", physical["artifactLocation"]["uri"])
                assert physical["region"]["startLine"] >= 1
                assert physical["region"]["startColumn"] >= 1
            for item in result.get("suppressions", []):
                assert item["kind"] in ("inSource", "external")
                assert item["status"] in ("accepted", "underReview", "rejected")


def test_sarif_is_well_formed_and_a_waiver_is_a_suppression() -> None:
    log: Any = json.loads(json.dumps(verdict_sarif(broken(), rules(), "0.1.0")))
    check_sarif(log)
    results = log["runs"][0]["results"]
    assert [(item["ruleId"], "suppressions" in item) for item in results] == [
        ("EP-1", False),
        ("SEC-2", False),
        ("VER-1", True),
    ]
    uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "a%20b/x.env"


def test_sarif_of_every_bad_file_is_well_formed() -> None:
    for bad in TABLE:
        check_sarif(verdict_sarif(judged({bad.path: bad.text}), rules(), "0.1.0"))


@pytest.mark.parametrize("bad", SECRETS, ids=lambda bad: bad.marked[:40])
def test_no_output_shows_a_secret(bad: Any) -> None:
    after = bad.marked.partition("§")[2]
    secret = re.split(r"[\s\"'`},]", after)[0].partition("@10.")[0]
    assert len(secret) >= 8
    verdict = judged({bad.path: bad.text})
    outputs = (
        verdict_text(verdict, rules()),
        json.dumps(verdict_document(verdict, rules()), ensure_ascii=False),
        json.dumps(verdict_sarif(verdict, rules(), "0.1.0"), ensure_ascii=False),
    )
    for output in outputs:
        assert "SEC-2" in output
        assert secret not in output


def test_a_schema_error_does_not_show_the_value() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: hunter2hunter2\n"
    assert "must be" in verdict_text(judged({"a.yaml": text}), rules())
    assert "hunter2" not in verdict_text(judged({"a.yaml": text}), rules())


@pytest.mark.parametrize("name", ids())
def test_every_rule_explains_itself(name: str) -> None:
    text = rule_text(rule(name.lower()))
    assert text.startswith(f"{name}: ")
    for part in ("Why:", "Write:", "Looks at:"):
        assert part in text


def test_an_unknown_rule_is_a_usage_error_with_a_proposal() -> None:
    with pytest.raises(UsageError, match="did you mean") as caught:
        rule("EP1")
    assert "EP-1" in str(caught.value)


def test_the_reference_in_docs_is_that_of_the_registry() -> None:
    page = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    assert page.endswith("\n\n" + rules_page(rules()))
