"""Wait until a lab host has booted and answers SSH from where the controller stands."""

from __future__ import annotations

import socket
import time

from keybuzz.lab.hosts import host
from keybuzz.lab.hosts.process import run
from keybuzz.lab.layout import NAMESPACES, HostPlaces
from keybuzz.lab.network.namespace import visiting
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

_BOOTED = frozenset({"running", "degraded"})
_POLL_SECONDS = 0.2
_SSH_PORT = 22


class ContainerEndedError(KbzError):
    """There is nothing to wait for any more."""


def wait_until_ready(settings: LabSettings, server: Server, seconds: float) -> str:
    """Wait for the end of the boot and for sshd; return the units that failed, "" when none did.

    Raises KbzError, with the last reason, when the host is not there within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        if not host.group(settings, server.name).populated():
            raise ContainerEndedError(
                f"its container ended{_last_words(settings, server.name)}", where=server.name
            )
        reason = _not_ready(settings, server)
        if not reason:
            return failed_units(settings, server.name)
        if time.monotonic() > deadline:
            raise KbzError(
                f"not ready after {seconds:.0f} s: {reason}",
                where=server.name,
                hint=proposed(
                    "kbz", "lab", "exec", server.name, "--", "journalctl", "-b", "-p", "warning"
                ),
            )
        time.sleep(_POLL_SECONDS)


def failed_units(settings: LabSettings, name: str) -> str:
    """Return the names of units that failed in a host, or ""."""
    words = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
    told = run([*host.entry(settings, name), *words])
    return " ".join(line.split()[0] for line in told.splitlines() if line.strip())


def answers_ssh(settings: LabSettings, server: Server, seconds: float = 2.0) -> bool:
    """Return whether sshd greets a client that stands in the controller's namespace."""
    with visiting(NAMESPACES / settings.name):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.settimeout(seconds)
        try:
            client.connect((str(server.address), _SSH_PORT))
            return client.recv(4) == b"SSH-"
        except OSError:
            return False


def _not_ready(settings: LabSettings, server: Server) -> str:
    state = boot_state(settings, server.name)
    if state not in _BOOTED:
        return f"the system is {state}"
    if not answers_ssh(settings, server):
        return "sshd does not answer"
    return ""


def boot_state(settings: LabSettings, name: str) -> str:
    """Return systemd's own word for a host: running, degraded, starting …; "off" when it is."""
    if host.leader(settings, name) is None:
        return "off"
    # It exits with 1 for every word but "running": only the word counts.
    script = "systemctl is-system-running 2>/dev/null || true"
    try:
        return run([*host.entry(settings, name), "sh", "-c", script]).strip() or "starting"
    except KbzError:
        # Between the start of init and its first answer its namespaces can still change.
        return "starting"


def _last_words(settings: LabSettings, name: str) -> str:
    console = HostPlaces(settings, name).console
    if not console.exists():
        return ""
    lines = console.read_text(errors="replace").strip().splitlines()[-2:]
    return ": " + " / ".join(lines) if lines else ""
