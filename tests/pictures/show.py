"""Print every screen of the fleets as its verb would, as wide as the terminal: `python -m tests.pictures.show`."""

from __future__ import annotations

import os
import shutil
import sys
import time

from keybuzz.report.text.progress import LiveLine
from keybuzz.report.text.report import report_text
from tests.pictures.catalogue import FLEETS, VERBS
from tests.unit.screens.test_screens import FLEETS as FOUND
from tests.unit.screens.test_screens import SCREENS


def main() -> None:
    """Print them, each behind a line that names it."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    width = shutil.get_terminal_size().columns
    for fleet in FLEETS:
        for verb in VERBS:
            print(mark(fleet, verb), flush=True)
            _show(fleet, verb, width)


def mark(fleet: str, verb: str) -> str:
    """Return the line before a screen."""
    return f"::{fleet}:{verb}::"


def _show(fleet: str, verb: str, width: int) -> None:
    if verb != "run":
        print(SCREENS[verb](FOUND[fleet], width), end="", flush=True)
        return
    live = LiveLine(sys.stdout)
    for event in FOUND[fleet].progress:
        live(event)
    live.close()
    print(report_text(FOUND[fleet].run, width), end="", flush=True)


if __name__ == "__main__":
    main()
