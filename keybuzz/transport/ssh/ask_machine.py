"""Asks a host which machine it is, over a connection that is used for nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.transport.identity import Machine
from keybuzz.transport.ssh.link import SshLink


def ask_machine(address: str, user: str, extras: Mapping[str, str]) -> Machine:
    """Return what a host with a pinned key says of itself; ContactError when kbz cannot log in there."""
    link = SshLink()
    link.open(
        address, user, None, None, None, dict(extras)
    )  # without a configuration it only looks
    try:
        return link.connection.agent.machine
    finally:
        link.close()
