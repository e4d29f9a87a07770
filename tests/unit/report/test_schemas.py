"""docs/schema: the JSON of each verb is what the schema says, judged by a validator that is not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from keybuzz.cli.lab import lab_shown
from keybuzz.engine.backup.drill import Drilled, RestoreDrill
from keybuzz.engine.backup.report import BackupReport, Worked
from keybuzz.engine.drift.secret_copies import CopiesReport
from keybuzz.engine.images.versions import ImageVerdict, Status
from keybuzz.lab.deviations import deviations
from keybuzz.lab.network.balancer import TargetState
from keybuzz.lab.services import ServiceStatus
from keybuzz.lab.status import HostStatus
from keybuzz.lab.supply.images import ImageRow
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.record import report_document
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.reports.drill import DrillReport, Scenario, Tally, Trial, Verdict
from keybuzz.model.reports.handover import Candidate, Handover, PlannedHandover
from keybuzz.model.reports.ping import Ping, PingReport
from keybuzz.model.services.load_balancer import Probe
from keybuzz.model.services.load_balancer import Verdict as Word
from keybuzz.policy.registry import rules
from keybuzz.report.screen.backups import backups_document
from keybuzz.report.screen.drilled import drilled_document
from keybuzz.report.screen.ping import ping_document
from keybuzz.report.text.drill import drill_document
from keybuzz.report.text.load_balancer import check_document
from keybuzz.report.text.policy import verdict_document
from keybuzz.report.text.secret_copies import copies_document
from keybuzz.site.backups.archive import Copy
from keybuzz.site.site import ImageVersion
from tests.unit.cli.test_every_verb import HOST, Place, place
from tests.unit.policy.test_policy_report import broken
from tests.unit.report.test_report_text import FINDINGS, PLAN, TOPOLOGY, report
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.cli_verbs import verbs

__all__ = ["kbz", "place"]  # the fixtures

SCHEMAS = Path(__file__).parents[3] / "docs" / "schema"
REPORT = "report"
OF_VERB = {
    "health look": REPORT,
    "health status": "drift-status",
    "drift look": REPORT,
    "drift status": "drift-status",
    "status": "status",
    "plan": REPORT,
    "run": REPORT,
    "restart": REPORT,
    "upgrade": REPORT,
    "recover": REPORT,
    "switchover": REPORT,
    "maintenance on": REPORT,
    "maintenance off": REPORT,
    "maintenance list": "maintenance",
    "secrets rotate": REPORT,
    "versions mirror": REPORT,
    "inventory": "inventory",
    "preflight": "preflight",
    "render": "render",
    "explain": "explain",
    "bundle": "bundle",
    "history list": "history",
    "history show": "history",
    "history verify": "history-verify",
    "hosts list": "hosts-list",
    "hosts ping": "hosts-ping",
    "drill": "drill",
    "exec": "exec",
    "backup list": "backup",
    "backup run": "backup",
    "backup verify": "backup",
    "restore": "backup",
    "apps list": "apps-list",
    "apps remove-account": REPORT,
    "adopt": "adopt",
    "lb show": "lb-show",
    "lb check": "lb-check",
    "workers status": "workers-status",
    "workers check": "workers-check",
    "lab status": "lab-status",
    "lab images": "lab-images",
    "lab diff": "lab-diff",
    "policy check": "policy-check",
    "policy baseline": "policy-baseline",
    "policy fix": "policy-fix",
    "policy explain": "policy-rules",
    "policy rules": "policy-rules",
    "secrets check": "secrets-check",
    "secrets stray": "secrets-stray",
    "secrets rotations": "secrets-rotations",
    "secrets vault-plan": "secrets-vault-plan",
    "versions check": "versions-check",
    "versions verify": "versions-verify",
}
"""Each verb that has `--format json`, and the file in docs/schema that describes it."""
SAID: dict[str, tuple[str, ...]] = {
    "health look": ("health", "--limit", HOST),
    "health status": ("health", "status"),
    "drift look": ("drift", "redis", "--limit", HOST),
    "plan": ("plan", "redis", "--limit", HOST),
    "run": ("run", "redis", "--limit", HOST),
    "inventory": ("inventory",),
    "history list": ("history",),
    "history verify": ("history", "verify"),
    "hosts list": ("hosts",),
    "status": ("status", "redis", "--limit", HOST),
    "drift status": ("drift", "status"),
    "maintenance list": ("maintenance", "list"),
    "exec": ("exec", "--limit", HOST),
    "apps list": ("apps", "list"),
    "adopt": ("adopt", "redis", "--limit", HOST),
    "lb show": ("lb", "show"),
    "workers status": ("workers", "status"),
    "workers check": ("workers", "check"),
    "render": ("render", "redis", "--limit", HOST),
    "explain": ("explain",),
    "policy check": ("policy", "check", str(SCHEMAS.parent / "examples" / "shop")),
    "policy baseline": ("policy", "baseline", str(SCHEMAS.parent / "examples" / "shop")),
    "policy fix": ("policy", "fix", str(SCHEMAS.parent / "examples" / "shop")),
    "policy explain": ("policy", "explain", "EP-1"),
    "policy rules": ("policy", "rules"),
    "secrets check": ("secrets", "check"),
    "secrets rotations": ("secrets", "rotations"),
    "secrets vault-plan": ("secrets", "vault-plan"),
    "versions check": ("versions", "check"),
}
"""Those that can answer without a server, and the words for it."""
ADDRESS = IPv4Address("10.0.0.11")
VERSION = ImageVersion("redis", "redis:7", "redis:7.2", "no network", 3)
MADE: dict[str, dict[str, Any]] = {
    REPORT: report_document(
        replace(
            report("plan", plan=PLAN, findings=FINDINGS, topologies=(TOPOLOGY,), number=3),
            handover=Handover(
                PlannedHandover(
                    "c", "a", (Candidate("b", "well", "far behind"),), "b", "10.0.0.10:1"
                ),
                "a",
                1.5,
                Tally(9, 0, 1, 1),
            ),
        )
    ),
    "drill": drill_document(
        DrillReport(
            "haproxy",
            "postgres-proxy",
            "10.0.0.10:5432",
            (
                Trial(
                    Scenario.LINK_CUT, "a", Verdict.RECOVERED, ("x",), 1.5, 30, Tally(9, 0, 1, 1)
                ),
                Trial(Scenario.SWITCHOVER, "a", Verdict.NOT_AVAILABLE),
            ),
            9.0,
        )
    ),
    "backup": backups_document(
        BackupReport(
            "restore",
            "postgres",
            "backup-01",
            (Copy("20270114T030000", True, "DONE", 1.0, 2.0, 3, 4.0, "x"),),
            (Worked("copy", False, 1.5, "no room"),),
            "copy: no room",
        )
    ),
    "drill-restore": drilled_document(
        RestoreDrill(
            (
                Drilled("redis", "backup-01", problem="no backup of redis was taken whole"),
                Drilled(
                    "postgres",
                    "backup-01",
                    Copy("20270114T030000", True, "DONE", 1.0, 2.0, 3, 4.0),
                    (Worked("copy", True, 1.5),),
                    9.6,
                    "2026-11-30 12:00:06+00",
                    3.5,
                ),
            )
        )
    ),
    "lb-check": check_document((Probe("lb", 5432, "haproxy-01", "10.0.0.11", Word.GOOD, "x"),)),
    "secrets-stray": copies_document(
        CopiesReport(("a",), (Finding("secrets.stray", Level.CRITICAL, "x", "a", "y"),), {"b": "z"})
    ),
    "policy-check": verdict_document(broken(), rules()),
    "lab-status": lab_shown.status_document(
        (HostStatus("db-1", ADDRESS, "running", ssh=True, cable=False, processes=9, memory=2**20),),
        (ServiceStatus("lb", ADDRESS, 5432, True, (TargetState(5432, "haproxy-01", True),)),),
    ),
    "hosts-ping": ping_document(PingReport(22, (Ping("db-1", str(ADDRESS), True),), ("db-2",))),
    "lab-images": lab_shown.images_document(
        (ImageRow("redis:7", "redis of Debian", "sha256:1", 9), ImageRow("x:1", "x", "", 0)),
        frozenset({"sha256:1"}),
    ),
    "lab-diff": lab_shown.diff_document(
        "lab.yaml", "lab: {}\n", deviations(LabSettings("try", Path("/lab"), Path("/cache")))
    ),
}


@pytest.fixture
def at_place(place: Place, kbz: Kbz) -> Kbz:
    """The command line over a site whose hosts are behind a bastion that is not there."""
    config = str(place.folder / "site.config")
    return lambda *words: kbz("--config", config, *words)


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def wrong(name: str, document: object) -> list[str]:
    return [
        f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)
    ]


def test_each_verb_with_json_has_a_schema_and_each_schema_a_verb() -> None:
    speaking = {
        words
        for words, command in verbs().items()
        if any("json" in getattr(parameter.type, "choices", ()) for parameter in command.params)
    }
    assert speaking == set(OF_VERB)
    # A drill of a restore has another document than the drills of `kbz drill` that break something, and a webhook gets
    # one that no verb prints: tests/unit/engine/notify.
    others = {"drill-restore", "notification"}
    assert {path.stem for path in SCHEMAS.glob("*.json")} == {*OF_VERB.values()} | others


@pytest.mark.parametrize("verb", SAID)
def test_what_a_verb_prints_is_as_described(at_place: Kbz, verb: str) -> None:
    end = ("--", "true") if verb == "exec" else ()
    done = at_place(*SAID[verb], "--format", "json", *end)
    document = json.loads(done.stdout)
    assert wrong(OF_VERB[verb], document) == []
    assert document["format_version"] == 1
    if "exit_code" in document:
        assert document["exit_code"] == done.returncode


def test_one_run_of_the_history_is_as_described(at_place: Kbz) -> None:
    at_place("drift", "redis", "--limit", HOST)
    number = json.loads(at_place("history", "--format", "json").stdout)["runs"][0]["run"]
    document = json.loads(at_place("history", str(number), "--format", "json").stdout)
    assert wrong("history", document) == []
    assert document["hosts"]
    assert "changes" in document["plan"]
    assert [item["id"] for item in document["drift"]] == [f"silent/{HOST}"]


@pytest.mark.parametrize("name", MADE)
def test_a_document_with_everything_in_it_is_as_described(name: str) -> None:
    assert wrong(name, json.loads(json.dumps(MADE[name]))) == []


def test_an_image_verdict_is_as_described() -> None:
    from keybuzz.cli.site.versions import _document

    verdicts = (ImageVerdict(VERSION, Status.MISSING, what="no such tag", hint="7.2.5 is there"),)
    assert wrong("versions-verify", _document(verdicts)) == []


@pytest.mark.parametrize("name", sorted(set(OF_VERB.values())))
def test_a_schema_refuses_a_document_without_its_fields(name: str) -> None:
    assert wrong(name, {})
    assert wrong(name, {"format_version": 2})


def test_a_schema_refuses_words_that_are_none_of_ours() -> None:
    document = json.loads(json.dumps(MADE[REPORT]))
    document["findings"][0]["level"] = "fatal"
    document["hosts"]["db-1"]["outcome"] = "fine"
    document["exit_code"] = 77
    assert sorted(text.partition(":")[0] for text in wrong(REPORT, document)) == [
        "$.exit_code",
        "$.findings[0].level",
        "$.hosts['db-1'].outcome",
    ]


def test_every_exit_code_and_level_is_known_to_the_schema() -> None:
    schema = json.loads((SCHEMAS / "report.json").read_text(encoding="utf-8"))["properties"]
    assert schema["exit_code"]["enum"] == [int(code) for code in ExitCode]
    levels = schema["findings"]["items"]["properties"]["level"]["enum"]
    assert levels == [level.word for level in Level]
