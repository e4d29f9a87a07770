"""A rotation that tells each moment on stdout, so that a test can kill it at exactly that one."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from keybuzz.engine import events
from keybuzz.engine.change.rotate import RotateWords, rotate
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.workspace import Workspace
from keybuzz.lab.network.namespace import enter
from keybuzz.model.core.access import Access
from keybuzz.site.load import load_site, read_configuration


class Teller:
    """Prints one word for each event, numbered, so that every moment has a name of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.StepStarted(host, identity):
                word = f"step {identity} {host}"
            case events.StepEnded(host, identity):
                word = f"done {identity} {host}"
            case events.StageStarted(_, name):
                word = f"stage {name}"
            case events.GateHeld(name):
                word = f"held {name}"
            case events.Reading():
                word = "reading"
            case _:
                return
        with self._lock:
            self._seen[word] = self._seen.get(word, 0) + 1
            print(f"{word} {self._seen[word]}", flush=True)


REASON = "a test of the lab kills rotations of frozen modules"


def main(config: str, service: str, *lifted: str) -> int:
    """Do what `kbz secrets rotate SERVICE` does."""
    configuration = read_configuration(Path(config))
    site = load_site(configuration)
    assert site.settings.lab is not None
    enter(site.settings.lab)
    journal = Journal(site.settings.state / "journal.sqlite")
    work = Workspace(
        site, make_nornir(configuration, site, Access.CHANGE), journal, Teller(), "rotating"
    )
    words = RotateWords(service, 30, 300, lifted=tuple(lifted), reason=REASON if lifted else "")
    report = rotate(work, words)
    print(f"end {int(report.exit_code)} {report.error}", flush=True)
    return int(report.exit_code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
