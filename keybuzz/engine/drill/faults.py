"""Who can cut a server's power: kbz in the lab, not kbz in production."""

from __future__ import annotations

from typing import Protocol

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.reports.drill import Isolated, Scenario


class Faults(Protocol):
    """Faults of whole hosts. Each is undone by its opposite, which may be called again at any time."""

    def why_not(self, scenario: Scenario) -> str:
        """Return why a scenario cannot be done here; empty when it can."""

    def kill_host(self, host: str) -> None:
        """Pull the plug."""

    def start_host(self, host: str) -> None:
        """Press the power button, and wait until the host answers."""

    def cut_link(self, host: str) -> None:
        """Unplug the host's network cable."""

    def restore_link(self, host: str) -> None:
        """Plug it in again."""

    def try_isolated(self, host: str, attempt: Isolated) -> bool:
        """Try a write on a host that has no network; return whether it was accepted."""


class NoFaults:
    """Production: from here no power can be cut and be sure to put it in again."""

    def why_not(self, scenario: Scenario) -> str:
        """Return why a scenario cannot be done here; empty when it can."""
        if scenario.silences:
            return (
                "kbz has no access to power and cables in production, so it could not restore them; "
                "drill it in the lab"
            )
        return ""

    def kill_host(self, host: str) -> None:
        """Refuse."""
        raise _refusal(host)

    def start_host(self, host: str) -> None:
        """Refuse."""
        raise _refusal(host)

    def cut_link(self, host: str) -> None:
        """Refuse."""
        raise _refusal(host)

    def restore_link(self, host: str) -> None:
        """Refuse."""
        raise _refusal(host)

    def try_isolated(self, host: str, attempt: Isolated) -> bool:
        """Refuse."""
        del attempt
        raise _refusal(host)


def _refusal(host: str) -> RefusedError:
    return RefusedError("its power cannot be cut from here", where=host, hint="drill it in the lab")
