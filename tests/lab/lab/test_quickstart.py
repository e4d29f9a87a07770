"""The quickstart as it is printed, and what machines that watch are told about a real cluster."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.conftest import DB, REPOSITORY, Kbz

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("cluster")]

QUICKSTART = (REPOSITORY / "docs" / "quickstart.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ \.venv/bin/kbz (.+)$", QUICKSTART, flags=re.MULTILINE)
LEFT_TO_OTHERS = ("lab down",)
"""The lab is still needed: `tests/lab/lab/test_lab_services.py::test_down_ends_every_service`."""
FINDS = ("drift base",)
"""They must find something: exit 2."""


def test_the_quickstart_goes_as_it_is_printed(kbz: Kbz, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 9
    for line in COMMANDS:
        if line.startswith(LEFT_TO_OTHERS):
            continue
        done = kbz(*shlex.split(line.replace("/tmp/", f"{tmp_path}/")))
        wanted = 2 if line.startswith(FINDS) else 0
        assert done.code == wanted, f"kbz {line}: {done.code}\n{done.stdout}\n{done.stderr}"
        if line.startswith(FINDS):
            assert "+ file:/etc/sysctl.d/99-keybuzz.conf" in done.stdout
    page = (tmp_path / "kbz.html").read_text(encoding="utf-8")
    assert "keybuzz-pg" in page
    assert all(host in page for host in DB)


def test_every_form_says_the_same_about_a_cluster(kbz: Kbz, tmp_path: Path) -> None:
    words = ("health", "patroni", "--limit", "db", "--format")
    document = kbz.good(*words, "json").json()
    schema = json.loads((REPOSITORY / "docs" / "schema" / "report.json").read_text())
    Draft202012Validator(schema).validate(document)
    levels = {(item["check"], item["host"] or ""): item["level"] for item in document["findings"]}
    cases = [
        case
        for suite in JUnitXml.fromstring(kbz.good(*words, "junit").stdout.encode())
        for case in suite
    ]
    assert {case.name for case in cases} == {" ".join(place).strip() for place in levels}
    assert all(case.is_passed for case in cases)
    target = tmp_path / "kbz.prom"
    kbz.good(*words, "prometheus", "--output", str(target))
    families = {
        family.name: family.samples for family in text_string_to_metric_families(target.read_text())
    }
    told = {(s.labels["check"], s.labels["host"]): s.value for s in families["kbz_check_level"]}
    assert set(told) == set(levels)
    assert told["patroni.leader.single", ""] == 0
    assert families["kbz_hosts_answered"][0].value == 3
    nagios = kbz(*words, "nagios")
    assert nagios.stdout.startswith(
        f"KBZ {'OK' if nagios.code == 0 else 'WARNING'} - health: 3 of 3 hosts answered"
    )
    assert nagios.code == int("warn" in levels.values())


def test_a_change_by_hand_is_a_number_a_failure_and_a_warning(kbz: Kbz) -> None:
    kbz.on(DB[1], "echo by-hand > /etc/sysctl.d/99-keybuzz.conf")
    words = ("drift", "base", "--limit", "db", "--format")
    try:
        done = kbz(*words, "prometheus")
        families = {
            family.name: family.samples for family in text_string_to_metric_families(done.stdout)
        }
        differences = {s.labels["host"]: s.value for s in families["kbz_drift_differences"]}
        assert (done.code, differences) == (2, {DB[0]: 0, DB[1]: 1, DB[2]: 0})
        document = JUnitXml.fromstring(kbz(*words, "junit").stdout.encode())
        assert (document.tests, document.failures) == (3, 1)
        nagios = kbz(*words, "nagios")
        assert nagios.code == 1
        assert f"{DB[1]}: 1 difference" in nagios.stdout
    finally:
        kbz.good("run", "base", "--limit", "db")
