"""What kbz offers in an SSH handshake: few, modern and cheap algorithms, and the host keys that can be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybuzz.transport.lean import without
from keybuzz.transport.ssh.host_keys import wanted_key_types
from keybuzz.transport.ssh.known_hosts import PinnedKeys

# For `Match exec` of ssh_config files, which kbz does not read: asyncio, YAML and more, half of the time of the import.
with without("invoke"):
    from paramiko import Transport

if TYPE_CHECKING:
    import socket

    from paramiko import Channel

WINDOW = 4 * 1024 * 1024
KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
)
"""The first also withstands a quantum computer; OpenSSH knows it from 9.9 on, older hosts take the second."""
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
"""GCM first: it needs no separate MAC, which paramiko would compute in Python."""
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")


class OfferingTransport(Transport):  # type: ignore[misc]  # paramiko ships no types
    """A connection that offers the host key algorithms in our order: paramiko puts certificates last, always."""

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """Host key algorithms, best first."""
        return tuple(self.get_security_options().key_types)


def prepared(way: socket.socket | Channel, pins: PinnedKeys) -> OfferingTransport:
    """Return a connection that has not begun its handshake, with what we offer to this host.

    A key exchange that the installed libraries do not have is left out (mlkem needs cryptography 46).
    """
    transport = OfferingTransport(way, default_window_size=WINDOW)
    options = transport.get_security_options()
    options.kex = tuple(name for name in KEY_EXCHANGES if name in options.kex)
    options.ciphers = CIPHERS
    options.digests = MACS
    options.key_types = wanted_key_types(pins)
    return transport
