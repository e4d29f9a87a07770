"""Opens nornir-netmiko's own connection, strictly. Importing it loads netmiko."""

from __future__ import annotations

from typing import Any

from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException
from nornir_netmiko.connections import Netmiko
from paramiko import BadHostKeyException

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.link import Target
from keybuzz.transport.ssh.client import (
    AUTHENTICATION_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    KEEPALIVE,
    Way,
)
from keybuzz.transport.ssh.dial import CONNECT_TIMEOUT
from keybuzz.transport.ssh.host_keys import changed_key, unknown_key
from keybuzz.transport.ssh.known_hosts import fingerprint


def open_netmiko(target: Target, way: Way) -> Netmiko:
    """Return the open plugin; ContactError, with the way closed, when netmiko can not connect."""
    plugin = Netmiko()
    try:
        plugin.open(
            target.address, target.user, None, target.port, "linux", _extras(target, way), None
        )
    except (NetmikoTimeoutException, NetmikoAuthenticationException) as error:
        way.close()
        raise _explain(target, error) from error
    except BaseException:
        way.close()
        raise
    return plugin


def _extras(target: Target, way: Way) -> dict[str, Any]:
    key = target.options.key_filename
    return {
        "sock": way.socket,
        "use_keys": bool(key),
        "key_file": key or None,
        "allow_agent": not key,
        "ssh_strict": True,
        "alt_host_keys": True,
        "alt_key_file": target.options.known_hosts,
        "conn_timeout": CONNECT_TIMEOUT,
        "banner_timeout": HANDSHAKE_TIMEOUT,
        "auth_timeout": AUTHENTICATION_TIMEOUT,
        "keepalive": KEEPALIVE,
    }


def _explain(target: Target, error: Exception) -> ContactError:
    """Say in our words what netmiko wraps in a page of common causes."""
    cause = error.__context__
    if isinstance(cause, BadHostKeyException):
        shown = f"{cause.key.get_name()} {fingerprint(cause.key.asbytes())}"
        return changed_key(target, shown)
    if "not found in known_hosts" in str(cause):
        return unknown_key(target, "of this host")
    return ContactError(
        f"netmiko can not connect to {target.address}:{target.port}: {cause or error}",
        where=target.name,
        hint=f"check the key of {target.user}, and the host's sshd log (journalctl -u ssh)",
    )
