"""TCP to the SSH port of a host, or of the bastion in front of it.

It loads no SSH library: the hosts get ready for the handshake while that is imported.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import ContactError

if TYPE_CHECKING:
    from keybuzz.transport.link import Target

CONNECT_TIMEOUT = 10.0
"""Seconds."""
SILENCE_LIMIT = 30_000
"""Milliseconds that sent data may stay unacknowledged before the kernel calls the link lost."""


def dial(target: Target) -> socket.socket:
    """Connect to the first machine on the way to a target. ContactError when it does not answer."""
    first = target.first_hop()
    try:
        connected = socket.create_connection((first.address, first.port), CONNECT_TIMEOUT)
    except OSError as error:
        raise ContactError(
            f"nothing answers at {first.address}:{first.port}: {error}",
            where=first.name,
            hint="check that the host is up, and that its firewall lets this machine in",
        ) from error
    prompt = _PromptSocket(fileno=connected.detach())
    prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    prompt.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_LIMIT)
    return prompt


def hang_up(connected: socket.socket) -> None:
    """End a connection for whoever reads from it; its descriptor stays theirs to close."""
    with suppress(OSError):  # the other side may have been first
        connected.shutdown(socket.SHUT_RDWR)


class _PromptSocket(socket.socket):
    """Acknowledges at once. The server, without a terminal, holds back small packets until then.

    Without it each connection, and some answers, take 40 ms longer.
    """

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel forgets it soon
        return super().recv(size, flags)
