"""kbz over three scratch hosts that are all this machine; it kills itself at the point that its environment names."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keybuzz.cli.change import upgrade
from keybuzz.cli.main import main as kbz
from keybuzz.engine import events, nornir
from keybuzz.engine.upgrade import carry, record
from keybuzz.transport.identity import Identities

_HOSTS = Path(os.environ["KBZ_UPGRADE_HOSTS"])
_DIE = os.environ["KBZ_UPGRADE_DIE"]
_EDIT = os.environ["KBZ_UPGRADE_EDIT"]


def main() -> None:
    """Run the command line, every host in its own folders."""
    nornir.identities_of = lambda site, here: Identities({})
    made = nornir.make_nornir

    def make(*words: Any, **named: Any) -> Any:
        found = made(*words, **named)
        for host in found.inventory.hosts.values():
            extras = host.connection_options["kbz_local"].extras
            assert extras is not None
            extras["python"] = str(_HOSTS / host.name / "bin" / "python3")
        return found

    nornir.make_nornir = make
    for module, name, point in (
        (carry, "mirror", "mirror"),
        (record, "write", "record"),
        (upgrade, "put_unchanged", "put"),
        (carry, "run", "run"),
    ):
        setattr(module, name, _around(point, getattr(module, name)))
    _count_steps()
    kbz()


def _around(point: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def around(*words: Any, **named: Any) -> Any:
        _here(f"before {point}")
        found = call(*words, **named)
        _here(f"after {point}")
        return found

    return around


def _count_steps() -> None:
    from keybuzz.cli.support.context import _Progress

    told, count = _Progress.__call__, 0

    def listen(self: Any, event: events.Event) -> None:
        nonlocal count
        told(self, event)
        if isinstance(event, events.StepStarted | events.StepEnded):
            count += 1
            _here(f"step {count}")

    _Progress.__call__ = listen  # type: ignore[method-assign]  # each event is a point


def _here(point: str) -> None:
    if point == _EDIT:
        Path("setting").write_text("another value", encoding="utf-8")
    if point == _DIE:
        os.kill(os.getpid(), signal.SIGKILL)
