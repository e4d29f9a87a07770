"""Connection plugin `kbz_netmiko`: nornir-netmiko's connection, with the agent on a channel of it.

For sites that already drive everything through netmiko. Its prompt-driven shell stays unused: that
loses exit codes and output (docs).
"""

from __future__ import annotations

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.ssh.dial import dial
from keybuzz.transport.ssh.host_keys import pins_of, verify_host_key
from keybuzz.transport.stream import Stream


class NetmikoLink(AgentLink):
    """The plugin `netmiko` of nornir-netmiko, with strict host keys."""

    def connect(self, target: Target) -> Stream:
        """See AgentLink. Loads netmiko, which is heavy."""
        from keybuzz.transport.ssh.client import agent_stream, close_transport, reach
        from keybuzz.transport.ssh.netmiko_client import open_netmiko

        way = reach(target, dial(target))
        plugin = open_netmiko(target, way)
        transport = plugin.connection.remote_conn_pre.get_transport()

        def release() -> None:
            way.close()
            close_transport(transport)
            plugin.close()

        key = transport.get_remote_server_key()
        try:
            verify_host_key(target, pins_of(target), key.get_name(), key.asbytes())
        except ContactError:
            release()
            raise
        return agent_stream(transport, target, release=release)
