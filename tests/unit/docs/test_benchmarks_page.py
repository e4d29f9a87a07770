"""The plots of docs/benchmarks.md: those that are shown are there, and say what the tables say."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench.growth import MEASURES, PLOTS, section
from tests.bench.measure import Sample

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
MEASURED = PAGE.partition("<!-- growth -->")[2].partition("<!-- end -->")[0]


def test_every_plot_is_shown_and_there() -> None:
    shown = set(re.findall(r"!\[[^]]*\]\(plots/([a-z-]+\.svg)\)", PAGE))
    assert shown == {f"growth-{measure}.svg" for measure in MEASURES}
    assert shown == {path.name for path in PLOTS.iterdir()}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_plot_has_a_line_for_each_row_of_its_table(measure: str) -> None:
    content = (PLOTS / f"growth-{measure}.svg").read_text(encoding="utf-8")
    tree = ET.fromstring(content)
    assert "<script" not in content
    assert "http" not in content.replace("http://www.w3.org/", "")
    said = " ".join(text.strip() for text in tree.itertext())
    table = MEASURED.partition(f"| {MEASURES[measure]} |")[2].partition("\n\n")[0]
    names = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    assert len(names) >= 4
    assert all(name in said for name in names)


def test_the_tables_are_per_host_where_they_say_so() -> None:
    rows = {
        "kbz: W1": {50: Sample(2.0, 1.0, 3.0, 64.0, wire=5_000_000.0), 100: Sample(4, 2, 6, 65)}
    }
    text = section(rows)
    assert "| seconds | 50 hosts | 100 hosts |" in text
    assert "| kbz: W1 | 2.0 | 4.0 |" in text
    assert "| client CPU for each host, ms | 50 hosts | 100 hosts |" in text
    assert "| kbz: W1 | 20.0 | 20.0 |" in text
    assert "| kbz: W1 | 100 | 0.0 |" in text
