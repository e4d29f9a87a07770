"""`kbz alerts`: the rules as Prometheus itself reads and evaluates them, over metrics that kbz has exported."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.memory.documents import Documents
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.schedule.schedule import DRIFT, Watch, patience
from keybuzz.engine.schedule.schedule import HEALTH as HEALTH_LOOKS
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Quorum
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.machine.alerts import RULES, alerts_text
from keybuzz.report.machine.dashboard import PANELS, dashboard_text
from keybuzz.report.machine.prometheus import METRICS, prometheus_page
from keybuzz.report.page.remembered import Memory
from keybuzz.report.page.sheet import Sheet, sheet_of
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.unit.report.test_report_text import PLAN, report
from tests.unit.support.page_values import looked

ROOT = Path(__file__).parents[3]
PROMTOOL = shutil.which("promtool", path=f"{ROOT / '.venv' / 'share'}:/usr/bin:/usr/local/bin")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="scripts/setup could not fetch promtool (Debian package prometheus)"
)
QUORUMS = {
    "whole": Quorum(3, 3, 1),
    "tight": Quorum(3, 2, 0),
    "down": Quorum(3, 1, -1),
    "single": Quorum(1, 1, 0),
}
HEALTH = report(
    "health",
    findings=(
        Finding("a.red", Level.CRITICAL, "it is down", "db-1", "look"),
        Finding("a.warm", Level.WARN, "nearly full", "db-1", "look"),
        Finding("a.dark", Level.UNKNOWN, "no answer", "db-2", "look"),
        Finding("a.good", Level.OK, "fine", "db-1"),
    ),
    hosts={
        "db-1": HostReport("db-1", Outcome.OK),
        "db-2": HostReport("db-2", Outcome.UNREACHABLE, what="no route"),
    },
    quorums=QUORUMS,
)
DRIFTED = report("drift", plan=PLAN)


def promtool(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *words], cwd=cwd, capture_output=True, text=True, check=False)


def served(folder: Path, moment: float, *reports: Report) -> str:
    """Return what `/metrics` of `kbz serve` shows after these looks, and nothing else."""
    site = load_inventory_site(read_configuration(ROOT / "nornir_config.yaml"))
    path = folder / "journal.sqlite"
    for one in reports:
        looked(path, one, moment)
    return Memory(site, Journal(path), Documents(path), {}, 5).metrics()


def series(page: str, minutes: int) -> list[dict[str, str]]:
    """Return what kbz exported as promtool takes it: each series with its value for so many minutes."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return [{"series": name, "values": f"{value}x{minutes}"} for name, _, value in lines]


def fired(tmp_path: Path, page: str, minutes: int) -> dict[str, list[dict[str, Any]]]:
    """Return the alerts that Prometheus fires after so many minutes of this page, by their names."""
    (tmp_path / "kbz-alerts.yml").write_text(alerts_text())
    asked = [
        {"eval_time": f"{minutes}m", "alertname": rule.name, "exp_alerts": []} for rule in RULES
    ]
    test = {
        "rule_files": ["kbz-alerts.yml"],
        "tests": [
            {"interval": "1m", "input_series": series(page, minutes + 5), "alert_rule_test": asked}
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test))
    done = promtool("test", "rules", "test.yml", cwd=tmp_path)
    found: dict[str, list[dict[str, Any]]] = {}
    # What was not expected is told with all its labels; nothing was expected.
    for name, got in re.findall(
        r"alertname: (\w+),.*?got:\[(.*?)\]\s*(?=alertname|$|\n\n)", done.stdout + done.stderr, re.S
    ):
        labels = re.findall(r"Labels:\{(.*?)\}", got)
        found[name] = [dict(re.findall(r'(\w+)="(.*?)"', text)) for text in labels]
    assert found or done.returncode == 0, done.stdout + done.stderr
    return found


@needs_promtool
def test_prometheus_loads_the_rules(tmp_path: Path) -> None:
    (tmp_path / "kbz-alerts.yml").write_text(alerts_text())
    done = promtool("check", "rules", "kbz-alerts.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@needs_promtool
def test_each_alert_fires_on_what_it_is_about_and_on_nothing_else(tmp_path: Path) -> None:
    page = served(tmp_path, 5400.0, HEALTH, DRIFTED)
    found = fired(tmp_path, page, 90)
    told = {
        name: {(item.get("check") or item.get("host") or item.get("module")) for item in items}
        for name, items in found.items()
    }
    differences = sheet_of(DRIFTED).differences or {}
    assert told == {
        "KbzCritical": {"a.red"},
        "KbzWarning": {"a.warm"},
        "KbzUnknown": {"a.dark"},
        "KbzHostSilent": {"db-2"},
        "KbzNoQuorum": {"down"},
        "KbzNoSpare": {"tight"},
        "KbzDrift": {host for host, found in differences.items() if found},
    }


@needs_promtool
def test_an_old_answer_a_failed_one_and_none_at_all_are_told(tmp_path: Path) -> None:
    from keybuzz.report.machine.prometheus import prometheus_failure

    good = sheet_of(report("health", findings=(Finding("a.good", Level.OK, "fine", "db-1"),)))
    assert set(fired(tmp_path, prometheus_page([(good, 0.0)]), 50)) == {"KbzOld"}
    assert set(fired(tmp_path, prometheus_page([(good, 1500.0)]), 30)) == set()
    assert set(fired(tmp_path, prometheus_failure("health", 1, 1700.0), 30)) == {"KbzFailed"}
    drift = prometheus_page([(sheet_of(DRIFTED), 1700.0)])
    assert set(fired(tmp_path, drift, 30)) >= {"KbzNeverLooked"}
    assert set(fired(tmp_path, prometheus_page([(good, 10900.0)]), 185)) == {"KbzNeverCompared"}


@needs_promtool
@pytest.mark.parametrize("watch", [HEALTH_LOOKS, DRIFT], ids=lambda watch: watch.verb)
def test_one_slow_run_of_the_schedule_is_not_old_and_two_missed_ones_are(
    tmp_path: Path, watch: Watch
) -> None:
    page = prometheus_page([(sheet_of(report(watch.verb)), 0.0)])
    late = patience(watch.every) // 60
    assert "KbzOld" not in fired(tmp_path, page, late)
    assert "KbzOld" in fired(tmp_path, page, late + 7)


@needs_promtool
def test_a_schedule_that_does_not_look_is_told_with_its_runbook(tmp_path: Path) -> None:
    checked = [Finding("drift.schedule", Level.CRITICAL, "nothing is scheduled")]
    page = prometheus_page([(Sheet("drift status", 2, findings=tuple(checked)), 1700.0)])
    [found] = fired(tmp_path, page, 30)["KbzCritical"]
    assert found["check"] == "drift.schedule"


def test_the_verb_in_a_next_step_is_one_word_of_a_shell() -> None:
    [failed] = [rule for rule in RULES if rule.name == "KbzFailed"]
    step = failed.next_step.replace("{{ $labels.verb }}", "drift status")
    assert shlex.split(step) == ["kbz", "history", "--verb", "drift status", "--failed"]


def test_rules_and_panels_name_only_metrics_that_kbz_exports() -> None:
    known = {metric.name for metric in METRICS}
    for query in (*(rule.expression for rule in RULES), *(panel[2] for panel in PANELS)):
        assert set(re.findall(r"kbz_\w+", query)) <= known, query


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    document = json.loads(dashboard_text())
    assert document["title"] == "kbz"
    assert len({panel["id"] for panel in document["panels"]}) == len(PANELS)
    assert all(panel["targets"][0]["expr"] for panel in document["panels"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in document["panels"]]
    assert len(set(places)) == len(places)
