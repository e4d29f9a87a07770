"""A run that tells each event on stdout, so that a test can kill it at exactly that moment."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from keybuzz.engine import events
from keybuzz.engine.catalogue import choose, named_only
from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.workspace import Workspace
from keybuzz.lab.network.namespace import enter
from keybuzz.model.core.access import Access
from keybuzz.site.load import load_site, read_configuration

_LOCK = threading.Lock()


def tell(event: events.Event) -> None:
    """Print one word per event that a kill can be aimed at."""
    match event:
        case events.StepStarted(_, identity):
            word = f"step {identity}"
        case events.StepEnded(_, identity):
            word = f"done {identity}"
        case events.StageStarted(module, name):
            word = f"stage {module} {name}"
        case events.GateWaiting(name):
            word = f"gate {name}"
        case _:
            return
    with _LOCK:
        print(word, flush=True)


def main(config: str, module: str, limit: str) -> int:
    """Do what `kbz run MODULE --limit LIMIT` does."""
    configuration = read_configuration(Path(config))
    site = load_site(configuration)
    assert site.settings.lab is not None
    enter(site.settings.lab)
    work = Workspace(
        site,
        make_nornir(configuration, site, Access.CHANGE),
        Journal(site.settings.state / "journal.sqlite"),
        tell,
        "stepping",
    )
    selected = work.select(named_only([module]), (limit,))
    report = run(work, RunRequest(choose([module]), selected, timeout=900))
    print(f"end {int(report.exit_code)} {report.error}", flush=True)
    return int(report.exit_code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
