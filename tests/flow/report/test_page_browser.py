"""The page of `kbz report` in a real browser: on a desk and on a phone, light and dark; nothing is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.report.page.page import page_text
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.flow.support.browser import PROGRAM, Browser, browser
from tests.pictures.catalogue import PAGES, PIXELS
from tests.pictures.fleet_pages import written_pages
from tests.unit.support.page_values import DRIFT, facts, remembered

ROOT = Path(__file__).parents[3]
ARTEFACTS = ROOT / "build" / "artefacts"
DESK, PHONE, SMALL = 1200, 390, 320
LOOKS = [(DESK, False), (DESK, True), (PHONE, False), (PHONE, True), (SMALL, False)]
NAMES = {DESK: "desk", PHONE: "phone", SMALL: "small"}
CONTRAST = """
(() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const found = parts(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const wrong = [];
  const judge = (color, node, least, what) => {
    const [one, other] = [light(parts(color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + .05) / (other + .05);
    if (ratio < least) wrong.push(`${ratio.toFixed(2)}: ${what.slice(0, 30)}`);
  };
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest('title')) continue;
    const style = getComputedStyle(node);
    judge(node.closest('svg') ? style.fill : style.color, node, 4.5, walker.currentNode.data.trim());
  }
  for (const node of document.querySelectorAll('svg .bar, svg .dot, svg .curve, svg .limit')) {
    const style = getComputedStyle(node);
    const drawn = node.matches('.curve, .limit, .doubtful') ? style.stroke : style.fill;
    judge(drawn, node, 3, node.getAttribute('class'));
  }
  return wrong;
})()
"""
"""Texts and marks of plots whose contrast is below what WCAG 2 asks for (AA: 4.5, and 3 for what is drawn)."""

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(),
    reason=f"{PROGRAM} is not there: python -m tests.machine could not install it",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    site = load_inventory_site(read_configuration(ROOT / "nornir_config.yaml"))
    path = folder / "kbz.html"
    path.write_text(page_text(facts(site, remembered(folder / "journal.sqlite"))))
    return path


@pytest.fixture(scope="module")
def fleet_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_it_is_readable_at_every_width_and_in_both_lights(
    window: Browser, page: Path, width: int, dark: bool
) -> None:
    window.open(page.as_uri(), width, dark=dark)
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    window.picture(ARTEFACTS / f"report-{NAMES[width]}-{'dark' if dark else 'light'}.png")
    assert window.value("document.documentElement.scrollWidth") == width
    assert window.value("document.querySelectorAll('.chip').length") == 48
    assert window.value(CONTRAST) == []
    small = "Math.min(...[...document.querySelectorAll('main *')].filter(e => e.textContent.trim())"
    assert window.value(f"{small}.map(e => parseFloat(getComputedStyle(e).fontSize)))") >= 12
    background = window.value("getComputedStyle(document.body).backgroundColor")
    assert (int(background.partition("(")[2].partition(",")[0]) < 60) is dark


@pytest.mark.parametrize("width", [SMALL, *PIXELS])
@pytest.mark.parametrize("fleet", PAGES)
def test_the_page_of_every_fleet_fits(
    window: Browser, fleet_pages: dict[str, Path], fleet: str, width: int
) -> None:
    window.open(fleet_pages[fleet].as_uri(), width)
    assert window.value("document.documentElement.scrollWidth") == width


def test_letters_of_the_plot_are_readable_on_a_phone(window: Browser, page: Path) -> None:
    window.open(page.as_uri(), PHONE)
    heights = window.value(
        "[...document.querySelectorAll('svg.plot text')].map(e => e.getBoundingClientRect().height).filter(h => h > 0)"
    )
    assert heights
    assert min(heights) >= 11


def test_what_came_and_went_stands_under_the_run_in_which_it_did(
    window: Browser, page: Path
) -> None:
    for width in (DESK, PHONE):
        window.open(page.as_uri(), width)
        middles = """[...document.querySelectorAll('svg.plot SELECTOR')].map(e => e.getBoundingClientRect())
            .filter(r => r.width > 0).map(r => Math.round(r.left + r.width / 2))"""
        dots = window.value(middles.replace("SELECTOR", ".dot"))
        bars = window.value(middles.replace("SELECTOR", ".bar.warn"))
        assert len(dots) == len(bars) == len(DRIFT)
        assert max(abs(dot - bar) for dot, bar in zip(dots, bars, strict=True)) <= 1


def test_nothing_is_asked_for_but_the_page_and_nothing_is_complained_about(
    window: Browser, page: Path
) -> None:
    window.requests.clear()
    window.open(page.as_uri(), DESK)
    window.value("document.querySelectorAll('details').forEach(e => e.open = true)")
    window.picture(ARTEFACTS / "report-desk-open.png")
    assert window.requests == [page.as_uri()]
    assert window.complaints == []


def test_the_text_of_a_host_runs_nowhere(window: Browser, page: Path) -> None:
    window.open(page.as_uri(), DESK)
    assert window.value("document.scripts.length") == 0
    assert "<script>alert('x')</script>" in window.value("document.body.innerText")
