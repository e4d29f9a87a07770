"""Make the pictures of the docs, and the pages that show them: `scripts/pictures [screens] [page] [run]`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.flow.support.browser import browser
from tests.pictures.catalogue import DOCS, HIGHEST, RUN, SCREENS, SHOTS, WIDTHS, pages
from tests.pictures.fleet_pages import written_pages
from tests.pictures.show import mark
from tests.pictures.terminal import picture, shown

ROOT = DOCS.parent


def screens() -> None:
    """Print every screen in a terminal of each width, and keep what the terminal showed."""
    for width in WIDTHS:
        text = shown([sys.executable, "-m", "tests.pictures.show"], width)
        for screen in (screen for screen in SCREENS if screen.width == width):
            _, _, rest = text.partition(mark(screen.fleet, screen.verb) + "\n")
            body = re.sub(r"(?m)^ *\d+\.\ds ", "   0.0s ", rest.partition("\n::")[0])
            _write(screen.path, picture(body, width))


def shots() -> None:
    """Show the page of each fleet in Chromium, and keep what it drew."""
    with TemporaryDirectory() as name:
        files = written_pages(Path(name))
        with browser(Path(name)) as window:
            for shot in SHOTS:
                shot.path.parent.mkdir(parents=True, exist_ok=True)
                window.open(files[shot.fleet].as_uri(), shot.width, dark=shot.light == "dark")
                window.picture(shot.path, HIGHEST)
                _squeeze(shot.path)
                print(f"wrote {shot.path.relative_to(ROOT)}", file=sys.stderr)


def _squeeze(path: Path) -> None:
    """Make a PNG as small as few colours and no more pixels than the page has allow."""
    subprocess.run(
        ["pngquant", "--force", "--speed", "1", "--output", path, "32", path], check=True
    )


def run() -> None:
    """Install PostgreSQL on three bare servers of the lab, in a terminal."""
    kbz = str(ROOT / ".venv" / "bin" / "kbz")
    text = shown([kbz, "run", "patroni", "--limit", "db"], 100, 600)
    _write(RUN, picture(f"$ kbz run patroni --limit db\n{text}", 100))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


KINDS: Mapping[str, Callable[[], None]] = {"screens": screens, "page": shots, "run": run}


def main() -> None:
    """Make the kinds that are named, or all that need no lab."""
    for kind in sys.argv[1:] or ["screens", "page"]:
        KINDS[kind]()
    for path, text in pages().items():
        _write(path, text)


if __name__ == "__main__":
    main()
