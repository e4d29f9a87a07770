"""Receivers of site.yaml are told of a drill: of one that ended well too, and of each victim why it did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.drill.drill import _remember
from keybuzz.model.reports.drill import DrillReport, Scenario, Trial, Verdict
from keybuzz.site.parameters.receivers import Receiver, Web
from tests.unit.engine.memory.test_forgetful import workspace
from tests.unit.engine.notify.receivers import web_server

SCENARIO = Scenario.CONTAINER_KILLED


@pytest.mark.parametrize(
    ("verdict", "ended", "lines"),
    [
        (Verdict.RECOVERED, "ended well", ["kbz x"]),
        (
            Verdict.FAILED,
            "ended with exit 1",
            ["kbz x", f"redis-01: failed: {SCENARIO.value}: {Verdict.FAILED.value}"],
        ),
    ],
)
def test_the_end_of_a_drill(tmp_path: Path, verdict: Verdict, ended: str, lines: list[str]) -> None:
    tmp_path.chmod(0o700)
    work = workspace(tmp_path / "journal.sqlite")
    trials = (Trial(SCENARIO, "redis-01", verdict),)
    with web_server() as web:
        place = Web(f"http://127.0.0.1:{web.port}/", "", slack=False)
        ops = Receiver("ops", place, frozenset({"runs"}), 3, "site.yaml:90")
        settings = replace(work.site.settings, receivers=(ops,))
        work = replace(work, site=replace(work.site, settings=settings))
        number = work.journal.begin("drill", ("kbz x",), ("redis",), 1.0, work.site.root)
        _remember(work, DrillReport("redis", "redis", "", trials, 1.0, number=number))
    [(_, found)] = web.posted
    assert found["subject"].startswith(f"kbz drill redis {ended} (")
    assert found["lines"] == lines
