"""Run a command inside a lab host without SSH: also when its sshd, firewall or cable is broken."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from keybuzz.lab.hosts import host
from keybuzz.lab.hosts.process import run
from keybuzz.model.inventory.lab import LabSettings


def execute(settings: LabSettings, name: str, argv: Sequence[str]) -> int:
    """Run a command in a host as root, with this terminal as its own; return its exit code.

    Death by signal N is 128 + N, as shells say it. Raises KbzError when the host does not run.
    """
    code = subprocess.run([*host.entry(settings, name), *argv], check=False).returncode
    return code if code >= 0 else 128 - code


def capture(
    settings: LabSettings, name: str, argv: Sequence[str], *, feed: str = "", seconds: float = 120
) -> str:
    """Run a command in a host as root and return its output; KbzError when it fails."""
    return run([*host.entry(settings, name), *argv], feed=feed, seconds=seconds)
