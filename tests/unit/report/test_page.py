"""The page of `kbz report`: what it shows, that it is whole in itself, and that no text of a host becomes markup."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.finding import Level
from keybuzz.model.reports.drift import DriftItem, Standing
from keybuzz.report.page import plots
from keybuzz.report.page.page import Facts, page_text, rows, verdict
from keybuzz.report.page.past import DriftNews, Past
from keybuzz.report.text.drift_news import drift_groups
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.unit.cli.test_every_verb import Place, place
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.page_values import AWAY, HOSTILE, NOW, facts, fresh, health, remembered

__all__ = ["kbz", "place"]  # the fixtures

ROOT = Path(__file__).parents[3]
SITE = load_inventory_site(read_configuration(ROOT / "nornir_config.yaml"))
LOADS = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
"""Attributes by which a page asks for something."""


class Reader(HTMLParser):
    """Collects what a browser would see: elements, their attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed where it is not open"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return remembered(tmp_path_factory.mktemp("past") / "journal.sqlite")


@pytest.fixture(scope="module")
def shown(journal: Path) -> Facts:
    return facts(SITE, journal)


def words(facts: Facts) -> str:
    return " ".join(" ".join(read(page_text(facts)).text).split())


def test_every_server_stands_once_in_the_fleet_with_its_worst_level(shown: Facts) -> None:
    chips = {}
    reader = read(page_text(shown))
    for tag, attributes in reader.tags:
        if tag == "span" and (attributes.get("class") or "").startswith("chip "):
            name = str(attributes["title"]).partition(":")[0]
            assert name not in chips
            chips[name] = str(attributes["class"]).removeprefix("chip ")
    assert set(chips) == {server.name for server in SITE.servers}
    assert (chips["redis-03"], chips["redis-01"], chips[AWAY]) == ("critical", "warn", "unknown")
    assert chips["db-master-01"] == "ok"


def test_the_worst_comes_first_and_the_same_on_many_hosts_is_told_once(shown: Facts) -> None:
    text = words(shown)
    assert "2 critical, 1 unknown, 12 warn" in text
    places = [
        text.index(word) for word in ("redis.node.answers", "base.reachable", "redis.memory.limit")
    ]
    assert places == sorted(places)
    assert text.count("the clock is not synchronised yet") == 1
    assert "Redis does not answer, or does not take the password." in text


def test_it_has_topology_differences_drift_drills_and_runs(shown: Facts) -> None:
    page = page_text(shown)
    text = words(shown)
    for name in ("keybuzz-pg", "kb-redis", "48211", "package:jq", "value: 0 → 1", "kbz run redis"):
        assert name in text
    assert "redis is frozen (FRZ-1)" in text
    assert "3 acknowledged writes lost" in text
    for part in ("fleet", "health", "topology", "differences", "drift", "drills", "runs"):
        assert f'<h2 id="{part}">' in page
        assert f'href="#{part}"' in page


def test_every_table_that_scrolls_has_a_name_and_is_reached_by_keys(shown: Facts) -> None:
    found = [held for _, held in read(page_text(shown)).tags if held.get("class") == "scroll"]
    assert len(found) >= 3
    assert all(item["tabindex"] == "0" and item["aria-label"] for item in found)


def test_nothing_on_the_page_is_from_elsewhere(shown: Facts) -> None:
    page = page_text(shown)
    for tag, attributes in read(page).tags:
        assert tag not in ("script", "img", "iframe", "object", "embed", "form", "base")
        for name in LOADS & set(attributes):
            assert str(attributes[name]).startswith(("#", "data:,"))
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page


def test_no_text_of_a_host_becomes_markup(shown: Facts) -> None:
    page = page_text(shown)
    assert "<script" not in page
    assert HOSTILE in words(shown)


_MARKUP = (
    "<b>",
    "</div>",
    "<script>",
    "</style>",
    "<!--",
    "-->",
    '" onload="x',
    "' x='",
    "&lt;b&gt;",
)
_anything = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)


@given(text=st.lists(st.sampled_from(_MARKUP) | _anything, min_size=1, max_size=4).map("".join))
def test_any_text_leaves_the_page_as_it_is(text: str) -> None:
    """In each place that takes texts of hosts: message, hint, state, role, detail, difference, reason."""
    document = json.loads(json.dumps(_document()).replace("PLACE", json.dumps(text)[1:-1]))
    made = Facts("x", text, NOW, UTC, (("g", ("h",)),), _news_with(text), document)
    assert [tag for tag, _ in read(page_text(made)).tags] == _plain_tags()


@cache
def _plain_tags() -> list[str]:
    document = _document()
    plain = Facts("x", "PLACE", NOW, UTC, (("g", ("h",)),), _news_with("PLACE"), document)
    return [tag for tag, _ in read(page_text(plain)).tags]


def _news_with(text: str) -> Past:
    items = (
        DriftItem(f"stray/h/cron:{text}", "h", text),
        DriftItem(f"drift/{text}/x", "h", text, Standing.GONE, 1),
    )
    return Past(news=DriftNews(2, NOW, items, 1, NOW))


def _document() -> dict[str, object]:
    finding = {"check": "a.b", "level": "warn", "host": "h", "message": "PLACE", "hint": "PLACE"}
    member = {"host": "h", "role": "PLACE", "state": "PLACE", "lag": "PLACE"}
    change = {
        "host": "h",
        "resource": "PLACE",
        "action": "update",
        "disrupts": False,
        "reason": "PLACE",
        "differences": [{"attribute": "PLACE", "observed": "PLACE", "wanted": "PLACE"}],
        "diff": None,
    }
    return {
        "exit_code": 0,
        "error": "PLACE",
        "checked": {"answered": 1, "selected": 1},
        "hosts": {"h": {"outcome": "failed", "what": "PLACE"}},
        "plan": {"changes": [change, {**change, "diff": "+PLACE"}]},
        "findings": [finding],
        "topologies": [{"cluster": "PLACE", "members": [member]}],
    }


def test_a_page_without_hosts_and_without_a_past_says_so(tmp_path: Path) -> None:
    empty = facts(SITE, fresh(tmp_path)[0], live=False)
    text = words(empty)
    assert "No host was asked for this page" in text
    assert "No drift run is remembered yet" in text
    assert "No drill is remembered yet" in text
    assert "The journal is empty." in text


def test_a_page_from_the_journal_shows_the_differences_of_the_last_drift_run(
    journal: Path,
) -> None:
    text = words(facts(SITE, journal, live=False))
    assert "Differences in the last drift run" in text
    assert "package:jq" in text
    assert "redis.node.answers" not in text


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, "critical"),
        ({"findings": []}, "unknown"),  # a host is away
        ({"findings": [], "hosts": {}}, "ok"),
    ],
)
def test_the_verdict_is_that_of_the_worst(
    shown: Facts, change: dict[str, object], level: str
) -> None:
    assert shown.health is not None
    assert verdict(replace(shown, health={**shown.health, **change}))[0] == level


def test_rows_lose_no_finding(shown: Facts) -> None:
    report = health(SITE)
    found = rows(shown.health["findings"] if shown.health else (), {})
    wrong = [item for item in report.findings if item.level > Level.OK]
    follows = {check for row in found for check in row.follows}
    assert len(wrong) > len(found)
    assert Counter(c for row in found for c in [row.check] * (len(row.hosts) or 1)) == Counter(
        item.check for item in wrong if item.check not in follows
    )


def test_the_drift_of_the_newest_run_is_told_against_the_run_before(shown: Facts) -> None:
    text = words(shown)
    section = text[text.index("Run 31, 2026-09-20") : text.index("Over time")]
    assert "against run 30, 2026-09-19" in section
    order = [
        *("3 new", "cron:/etc/cron.d/legacy#6b36969f9ced mail-core-01", f"not described: {HOSTILE}"),
        *("role:reporting patroni not as described: is not there", f"silent {AWAY} could not be asked"),
        *("4 still", "unit:netdata.service monitor-01", "since run 1, 2026-08-24 14:13 (27 d)"),
        *("file:/etc/motd redis-01 redis-02 redis-03", "since run 29, 2026-09-18 14:13 (2 d)"),
        *("1 unseen", f"sysctl:vm.swappiness {AWAY}"),
        *("1 gone", "container:old-redis redis-02", "was there from run 22, 2026-09-12 14:13, to run 30"),
    ]  # fmt: skip
    places = [section.index(part) for part in order]
    assert places == sorted(places)


def test_what_is_still_there_is_folded_away_when_it_is_much(shown: Facts) -> None:
    items = tuple(
        DriftItem(f"drift/h/package:p{n}", "h", "is not there", standing, 2 if standing is Standing.NEW else 1)
        for n, standing in enumerate([Standing.NEW] * 9 + [Standing.STILL] * 9)
    )  # fmt: skip
    new, still = drift_groups(DriftNews(2, NOW, items, 1), str)
    assert (new.count, new.folded, still.count, still.folded) == (9, False, 9, True)
    assert {row.since for row in still.rows} == {"since run 1"}  # the journal has forgotten when
    page = page_text(replace(shown, past=Past(news=DriftNews(2, NOW, items, 1))))
    assert page.count("package:p") == 18
    assert "the longest since run 1" in page


def test_no_drift_is_said_and_an_old_run_without_its_findings_says_nothing(tmp_path: Path) -> None:
    said = "Everything that answered is as described"
    for code, told in ((0, True), (2, False)):
        path, journal = fresh(tmp_path / str(code))
        run = journal.begin("drift", ("kbz drift",), ("base",), NOW, tmp_path)
        journal.end(run, NOW, code, {}, "", "")
        text = words(facts(SITE, path, live=False))
        assert (said in text) is told
        assert (f"Run {run}, 2026-09-21 14:13 and no run before it" in text) is told


VALUES = st.lists(st.integers(0, 100_000).map(float), min_size=1, max_size=40)


@given(values=VALUES, width=st.sampled_from([plots.WIDE, plots.NARROW]))
def test_every_mark_is_inside_the_plot_and_higher_means_more(
    values: list[float], width: int
) -> None:
    line = plots.line([(value, "", False) for value in values], "a", "b", width)
    for mark in line.marks:
        assert plots.LEFT <= mark.x <= width - plots.RIGHT
        assert plots.TOP <= mark.y <= plots.HEIGHT - plots.BOTTOM
    assert [mark.x for mark in line.marks] == sorted(mark.x for mark in line.marks)
    for one, other in pairwise(line.marks):
        if one.value > other.value:
            assert one.y <= other.y


@given(
    values=st.lists(
        st.tuples(st.integers(0, 9000), st.integers(0, 9000)), min_size=1, max_size=40
    ).filter(lambda values: any(map(any, values))),
    width=st.sampled_from([plots.WIDE, plots.NARROW]),
)
def test_every_bar_is_inside_its_lane_apart_from_the_next_and_seen(
    values: list[tuple[int, int]], width: int
) -> None:
    made = plots.bars([(came, went, "") for came, went in values], width)
    for bar, (came, went) in zip(made.bars, values, strict=True):
        for length, count in ((bar.up, came), (bar.down, went)):
            assert (length >= 3) is (count > 0)
            assert length <= plots.TALLEST <= min(plots.MIDDLE, plots.LANE - plots.MIDDLE)
        assert 0 <= bar.left <= width - made.thick
    for one, other in pairwise(made.bars):
        assert one.left + made.thick < other.left


@given(highest=st.floats(0, 1e6))
def test_ticks_are_few_round_and_reach_the_top(highest: float) -> None:
    ticks = plots.nice_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest
    assert 2 <= len(ticks) <= 6
    steps = {round(b - a, 6) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert f"{steps.pop():g}"[0] in "125"


class TestCommand:
    def test_it_writes_one_page_of_hosts_that_are_away(
        self, place: Place, kbz: Kbz, tmp_path: Path
    ) -> None:
        page = tmp_path / "kbz.html"
        config = str(place.folder / "site.config")
        done = kbz(
            "--config", config, "report", "redis", "--limit", "redis-01", "--html", str(page)
        )
        assert (done.returncode, done.stdout) == (4, "")
        assert "0 of 1 hosts answered" in page.read_text()
        assert list(tmp_path.iterdir()) == [page]

    def test_it_shows_an_answer_of_health_and_asks_nobody(
        self, place: Place, kbz: Kbz, tmp_path: Path
    ) -> None:
        answer, page = tmp_path / "health.json", tmp_path / "kbz.html"
        config = str(place.folder / "site.config")
        asked = ("health", "redis", "--limit", "redis-01", "--format", "json")
        kbz("--config", config, *asked, "--output", str(answer))
        done = kbz("--config", config, "report", "--health", str(answer), "--html", str(page))
        assert done.returncode == 4
        assert "redis.member.reachable" in page.read_text()
        assert "reading" not in done.stderr

    def test_the_journal_alone_is_good(self, place: Place, kbz: Kbz, tmp_path: Path) -> None:
        page = tmp_path / "kbz.html"
        config = str(place.folder / "site.config")
        done = kbz("--config", config, "report", "--from-journal", "--html", str(page))
        assert done.returncode == 0
        assert "kbz run redis --limit redis-01" in page.read_text()

    def test_the_journal_shows_the_last_health_too(
        self, place: Place, kbz: Kbz, tmp_path: Path
    ) -> None:
        page = tmp_path / "kbz.html"
        config = str(place.folder / "site.config")
        asked = kbz("--config", config, "health", "rabbitmq", "--limit", "queue-0*")
        assert asked.returncode == 4
        done = kbz("--config", config, "report", "--from-journal", "--html", str(page))
        assert done.returncode == 0
        assert "reading" not in done.stderr
        text = " ".join(read(page.read_text()).text)
        assert re.search(r"0 of 3 hosts answered · asked \d{4}-\d\d-\d\d", text)
        assert "rabbitmq.member.reachable" in text

    @pytest.mark.parametrize("content", ["{", "[]", '{"findings": []}'])
    def test_another_file_is_no_answer_of_health(
        self, place: Place, kbz: Kbz, tmp_path: Path, content: str
    ) -> None:
        answer = tmp_path / "health.json"
        answer.write_text(content)
        config = str(place.folder / "site.config")
        done = kbz(
            "--config", config, "report", "--health", str(answer), "--html", str(tmp_path / "x")
        )
        assert done.returncode == 1
        assert "kbz health --format json --output FILE makes one" in done.stderr
