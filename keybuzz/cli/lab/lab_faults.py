"""The faults of a drill on this machine's lab: `keybuzz.lab.fault`, called from inside the lab's network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import KbzError
from keybuzz.model.reports.drill import Isolated, Scenario

if TYPE_CHECKING:
    from keybuzz.engine.drill.faults import Faults
    from keybuzz.model.inventory.lab import LabSettings
    from keybuzz.site.site import Site

_TRY_SECONDS = 20.0


def faults_of(site: Site, home: int) -> Faults:
    """Return who can pull plugs on this site. `home` is an open descriptor of the network that kbz came from."""
    from keybuzz.engine.drill.faults import NoFaults

    return NoFaults() if site.settings.lab is None else LabFaults(site, site.settings.lab, home)


@contextmanager
def home_network() -> Iterator[int]:
    """Yield a descriptor of the network that this process is in before it enters the lab's."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield home
    finally:
        os.close(home)


@dataclass(frozen=True, slots=True)
class LabFaults:
    """The lab's power buttons and cables."""

    site: Site
    settings: LabSettings
    home: int

    def why_not(self, scenario: Scenario) -> str:
        """Everything can be done in the lab."""
        del scenario
        return ""

    def kill_host(self, host: str) -> None:
        """Pull the plug."""
        from keybuzz.lab import fault

        with self._at_home():
            fault.stop_host(self.settings, host)

    def start_host(self, host: str) -> None:
        """Press the power button, and wait until the host answers."""
        from keybuzz.lab import fault

        with self._at_home():
            fault.start_host(self.settings, self.site.server(host), lambda *_: None)

    def cut_link(self, host: str) -> None:
        """Unplug the host's network cable."""
        from keybuzz.lab import fault

        with self._at_home():
            fault.cut_link(self.settings, host)

    def restore_link(self, host: str) -> None:
        """Plug it in again."""
        from keybuzz.lab import fault

        with self._at_home():
            fault.restore_link(self.settings, host)

    def try_isolated(self, host: str, attempt: Isolated) -> bool:
        """Try a write on a host that has no network; return whether it was accepted."""
        from keybuzz.lab.network import inside

        feed = attempt.feed.reveal() if attempt.feed is not None else ""
        with self._at_home():
            try:
                said = inside.capture(
                    self.settings, host, attempt.argv, feed=feed, seconds=_TRY_SECONDS
                )
            except KbzError:
                # The client there ended with an error, or not at all: nothing was confirmed.
                return False
        return attempt.accepted in said

    @contextmanager
    def _at_home(self) -> Iterator[None]:
        """The lab is worked on from the network that kbz came from."""
        from keybuzz.lab.network.namespace import visiting

        with visiting(Path(f"/proc/self/fd/{self.home}")):
            yield
