"""Connection plugin `kbz_netmiko`: nornir-netmiko's connection, with the agent on a channel of it.

For sites that already drive everything through netmiko. Its prompt-driven shell stays unused: it
loses exit codes and output (docs). Loaded by Nornir only when used, because netmiko is heavy.
"""

from __future__ import annotations

from typing import Any

from netmiko.exceptions import NetmikoAuthenticationException, NetmikoTimeoutException
from nornir_netmiko.connections import Netmiko
from paramiko import BadHostKeyException, Transport

from keybuzz.model.errors import ContactError
from keybuzz.transport.host_keys import changed_key, pins_of, unknown_key, verify_host_key
from keybuzz.transport.known_hosts import fingerprint
from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.ssh import (
    AUTHENTICATION_TIMEOUT,
    CONNECT_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    KEEPALIVE,
    Way,
    agent_stream,
    close_transport,
    reach,
)
from keybuzz.transport.stream import Stream


class NetmikoLink(AgentLink):
    """nornir-netmiko with strict host keys; its own plugin object stays reachable as `netmiko`."""

    netmiko: Netmiko

    def connect(self, target: Target) -> Stream:
        """See AgentLink."""
        way = reach(target)
        self.netmiko = _open(target, way)
        transport: Transport = self.netmiko.connection.remote_conn_pre.get_transport()

        def release() -> None:
            way.close()
            close_transport(transport)
            self.netmiko.close()

        key = transport.get_remote_server_key()
        try:
            verify_host_key(target, pins_of(target), key.get_name(), key.asbytes())
        except ContactError:
            release()
            raise
        return agent_stream(transport, target, release=release)


def _open(target: Target, way: Way) -> Netmiko:
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
