"""SSH connections by paramiko: reach a host, check its key, log in, start the agent.

For the connection plugins only; importing it loads paramiko.
"""

from __future__ import annotations

import logging
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.bundle import command
from keybuzz.transport.lean import without
from keybuzz.transport.link import Target
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.session import Hide
from keybuzz.transport.shared import shared
from keybuzz.transport.shell import Shell
from keybuzz.transport.ssh.dial import CONNECT_TIMEOUT, hang_up
from keybuzz.transport.ssh.host_keys import pins_of, verify_host_key
from keybuzz.transport.ssh.known_hosts import PinnedKeys
from keybuzz.transport.ssh.offers import WINDOW, prepared
from keybuzz.transport.ssh.private_key import private_key_of
from keybuzz.transport.stream import SocketStream

# For `Match exec` of ssh_config files, which kbz does not read: asyncio, YAML and more, half of the time of the import.
with without("invoke"):
    import paramiko
    from paramiko import Transport

HANDSHAKE_TIMEOUT = 15.0
AUTHENTICATION_TIMEOUT = 10.0
KEEPALIVE = 15
"""Seconds between signs of life, so that firewalls on the way keep the connection."""
_IDLE_POLL = 1.0
"""Seconds between looks of a connection's thread at its timers; paramiko's 0.1 keeps a core warm."""
_THREAD_END = 2.0
"""Seconds to wait for that thread to end; it is woken, so that it needs none of them."""
MOST_AGENT_KEYS = 3
"""The hosts end a connection after three keys that they do not know (MaxAuthTries)."""

# Errors are raised, and reported once; paramiko would print them to the terminal as well.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Way:
    """A byte stream to the SSH port of a host. `close` closes all that it leads through."""

    socket: socket.socket | paramiko.Channel
    close: Callable[[], object]


def reach(target: Target, dialed: socket.socket) -> Way:
    """Return the way to a target's SSH port; `dialed` leads to its first hop, which may be a bastion."""
    way = Way(dialed, lambda: hang_up(dialed))
    if not target.options.bastion:
        return way
    bastion = target.bastion()
    transport = open_transport(bastion, way)
    try:
        tunnel = transport.open_channel(
            "direct-tcpip", (target.address, target.port), ("", 0), timeout=CONNECT_TIMEOUT
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        close_transport(transport)
        raise ContactError(
            f"the bastion {bastion.address} opens no way to {target.address}:{target.port}:"
            f" {error}",
            where=target.name,
            hint="it must allow TCP forwarding; hosts hardened by kbz do not",
        ) from error
    return Way(tunnel, lambda: close_transport(transport))


def open_transport(target: Target, way: Way) -> Transport:
    """Shake hands, check the host key, log in. ContactError, with everything closed, if not."""
    pins = pins_of(target)
    transport = prepared(way.socket, pins)
    transport.banner_timeout = transport.handshake_timeout = HANDSHAKE_TIMEOUT
    transport.auth_timeout = AUTHENTICATION_TIMEOUT
    try:
        _shake_hands(target, transport, pins)
        _log_in(target, transport)
    except (paramiko.SSHException, EOFError, OSError) as error:
        way.close()
        close_transport(transport)
        raise ContactError(
            f"the SSH handshake with {target.address}:{target.port} failed: {error or 'closed'}",
            where=target.name,
            hint="look at the host's sshd log (journalctl -u ssh)",
        ) from error
    except BaseException:
        way.close()
        close_transport(transport)
        raise
    transport.set_keepalive(KEEPALIVE)
    transport.sock.settimeout(_IDLE_POLL)
    return transport


def agent_stream(
    transport: Transport, target: Target, *, release: Callable[[], object]
) -> SocketStream:
    """Start the loader on a new channel of a connection; `release` closes all of it."""
    try:
        channel = _run(transport, target, f"exec {shlex.join(command(target.options.python))}")
    except ContactError:
        release()
        raise

    def last_words() -> str:
        said = b""
        while channel.recv_stderr_ready() and (piece := channel.recv_stderr(4096)):
            said += piece
        if said or transport.is_active():
            return said.decode(errors="replace")
        return "the SSH connection was lost"

    return SocketStream(channel, release, last_words)


def shell(
    transport: Transport,
    target: Target,
    hide: Hide,
    meeting: Meeting,
    *,
    release: Callable[[], object],
) -> Shell:
    """Return what runs single commands over a connection; `release` closes all of it."""
    return Shell(
        lambda words: _run(transport, target, words),
        release,
        where=target.name,
        hide=hide,
        meeting=meeting,
    )


def close_transport(transport: Transport) -> None:
    """Close a connection, its thread and its socket.

    The thread is woken and closes the socket itself: were it closed under the thread's feet, the
    thread could read from the next connection that gets the same descriptor.
    """
    if isinstance(transport.sock, socket.socket):
        hang_up(transport.sock)
    else:
        transport.sock.close()
    transport.join(_THREAD_END)
    transport.close()


def _run(transport: Transport, target: Target, words: str) -> paramiko.Channel:
    """Start a command of the user's login shell on a new channel."""
    try:
        channel = transport.open_session(window_size=WINDOW, timeout=CONNECT_TIMEOUT)
        channel.exec_command(words)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise ContactError(
            f"the host gave no channel for a command: {error}",
            where=target.name,
            hint="too many sessions on this connection (MaxSessions), or the user has no shell",
        ) from error
    return channel


def _shake_hands(target: Target, transport: Transport, pins: PinnedKeys) -> None:
    transport.start_client(timeout=HANDSHAKE_TIMEOUT)
    verify_host_key(target, pins, transport.get_remote_server_key())


def _log_in(target: Target, transport: Transport) -> None:
    for key in _private_keys(target):
        try:
            if not transport.auth_publickey(target.user, key):
                return
        except paramiko.AuthenticationException:
            continue
    used = target.options.key_filename or "ssh-agent"
    raise ContactError(
        f"{target.user} cannot log in with the key of {used}",
        where=target.name,
        hint=f"put the public key into ~{target.user}/.ssh/authorized_keys of the host",
    )


def _private_keys(target: Target) -> Sequence[paramiko.PKey]:
    name = target.options.key_filename
    if not name:
        return list(paramiko.Agent().get_keys())[:MOST_AGENT_KEYS]
    path = private_key_of(target)
    try:
        return (_load_key(path, path.stat().st_mtime_ns),)
    except (OSError, ValueError, TypeError, paramiko.SSHException) as error:
        raise ContactError(
            f"the private key {path} cannot be used: {error}",
            where=target.name,
            hint="a key with a passphrase belongs into ssh-agent; then leave key_filename empty",
        ) from error


@shared
def _load_key(path: Path, changed: int) -> paramiko.PKey:
    """Load a key once for all hosts; `changed` makes an edited file a new one."""
    return paramiko.PKey.from_path(path)
