"""Opens nornir-netmiko's own connection, strictly. Importing it loads netmiko."""

from __future__ import annotations

from typing import Any

from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException
from nornir_netmiko.connections import Netmiko
from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.link import Target
from keybuzz.transport.ssh.client import (
    AUTHENTICATION_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    KEEPALIVE,
    Way,
)
from keybuzz.transport.ssh.dial import CONNECT_TIMEOUT
from keybuzz.transport.ssh.host_keys import pins_of, verify_host_key
from keybuzz.transport.ssh.known_hosts import PinnedKeys
from keybuzz.transport.ssh.offers import prepared


class _Policy(MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko ships no types
    """Asked about every host key, because the client is given no file of its own: one judge for all transports."""

    def __init__(self, target: Target, pins: PinnedKeys) -> None:
        self._target, self._pins = target, pins

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        """Raise ContactError before anything is sent, unless the key is pinned or certified."""
        del client, hostname
        verify_host_key(self._target, self._pins, key)


class _Client(SSHClient):  # type: ignore[misc]  # paramiko ships no types
    """netmiko's client, which makes its connection as kbz_ssh does."""

    def __init__(self, pins: PinnedKeys) -> None:
        super().__init__()
        self._pins = pins

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connect with what kbz offers to this host."""
        super().connect(
            *args, **kwargs, transport_factory=lambda sock, **_: prepared(sock, self._pins)
        )


def open_netmiko(target: Target, way: Way, key: str) -> Netmiko:
    """Return the open plugin; ContactError, with the way closed, when netmiko cannot connect.

    `key` is the private key file; without one the keys of the running ssh-agent are tried.
    """
    plugin = Netmiko()
    pins = pins_of(target)
    extras = _extras(target, way, key)
    plugin.open(target.address, target.user, None, target.port, "linux", extras, None)
    made = plugin.connection
    try:
        made.key_policy = _Policy(target, pins)
        made._get_ssh_client_instance = lambda: _Client(pins)
        made._open()
    except (NetmikoTimeoutException, NetmikoAuthenticationException) as error:
        way.close()
        raise _explain(target, error) from error
    except BaseException:
        way.close()
        made.paramiko_cleanup()
        raise
    return plugin


def _extras(target: Target, way: Way, key: str) -> dict[str, Any]:
    return {
        "auto_connect": False,
        "sock": way.socket,
        "use_keys": bool(key),
        "key_file": key or None,
        "allow_agent": not key,
        "ssh_strict": True,
        "conn_timeout": CONNECT_TIMEOUT,
        "banner_timeout": HANDSHAKE_TIMEOUT,
        "auth_timeout": AUTHENTICATION_TIMEOUT,
        "keepalive": KEEPALIVE,
    }


def _explain(target: Target, error: Exception) -> ContactError:
    """Say in our words what netmiko wraps in a page of common causes."""
    cause = error.__context__
    return ContactError(
        f"netmiko cannot connect to {target.address}:{target.port}: {cause or error}",
        where=target.name,
        hint=f"check the key of {target.user}, and the host's sshd log (journalctl -u ssh)",
    )
