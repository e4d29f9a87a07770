"""The docs as a site: built without a warning, every page is in its order, and nothing is loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOADED = re.compile(r"<(?:script|link|img)\b[^>]*?\b(?:src|href)=[\"']?(https?:[^\"' >]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_on_it(site: Path) -> None:
    pages = {
        path.relative_to(ROOT / "docs").with_suffix(".html")
        for path in (ROOT / "docs").rglob("*.md")
        if path.relative_to(ROOT / "docs").parts[0] != "examples"
    }
    index = {page.with_name("index.html") if page.stem == "README" else page for page in pages}
    assert {page for page in index if not (site / page).is_file()} == set()
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "Two commands" in home
    assert 'src="pictures/run.svg"' in home


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert LOADED.findall(page.read_text(encoding="utf-8")) == [], page


def test_the_newcomer_s_page_is_short_and_the_readme_is_three_screens() -> None:
    assert len((ROOT / "docs/quickstart.md").read_text(encoding="utf-8").splitlines()) <= 60
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
