"""A dashboard for Grafana, from the metrics that kbz exports. Pure."""

from __future__ import annotations

import json
from typing import Any

from keybuzz.report.machine.prometheus import (
    ANSWERED,
    CHECK,
    CHECKS,
    DRIFT,
    HOST,
    MOMENT,
    SECONDS,
    SELECTED,
    SPARE,
)

_WIDTH, _HEIGHT = 12, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
PANELS = (
    ("Checks by verdict", "timeseries", f'{CHECKS.name}{{verb="health"}}', "{{level}}"),
    ("Not healthy", "table", f'{CHECK.name}{{verb="health"}} > 0', ""),
    ("Members that may still stop", "timeseries", f'{SPARE.name}{{verb="health"}}', "{{module}}"),
    ("Hosts that do not answer", "table", f'{HOST.name}{{verb="health"}} == 0', ""),
    (
        "Part of the hosts that answered",
        "timeseries",
        f"{ANSWERED.name} / {SELECTED.name}",
        "{{verb}}",
    ),
    ("Not as described", "timeseries", f'sum by (host) ({DRIFT.name}{{verb="drift"}})', "{{host}}"),
    ("Age of the last answer, seconds", "timeseries", f"time() - {MOMENT.name}", "{{verb}}"),
    ("How long it took, seconds", "timeseries", SECONDS.name, "{{verb}}"),
)
"""Title, kind of panel, query, and how a line is named; a table has its labels as columns."""


def dashboard_text() -> str:
    """Return the dashboard as a file that Grafana imports."""
    document = {
        "uid": "kbz",
        "title": "kbz",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"}
            ]
        },
        "panels": [_panel(number, *panel) for number, panel in enumerate(PANELS)],
    }
    return json.dumps(document, indent=2) + "\n"


def _panel(number: int, title: str, kind: str, query: str, legend: str) -> dict[str, Any]:
    table = kind == "table"
    place = {"h": _HEIGHT, "w": _WIDTH, "x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT}
    target = {
        "refId": "A",
        "datasource": _SOURCE,
        "expr": query,
        "legendFormat": legend,
        "instant": table,
        "format": "table" if table else "time_series",
    }
    return {
        "id": number + 1,
        "title": title,
        "type": kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [target],
    }
