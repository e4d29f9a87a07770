"""Connection plugin `kbz_netmiko`: nornir-netmiko's connection, with the agent on a channel of it.

For sites that already drive everything through netmiko. Its prompt-driven shell stays unused: that
loses exit codes and output (docs).
"""

from __future__ import annotations

from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.ssh.dial import dial
from keybuzz.transport.ssh.private_key import private_key_of
from keybuzz.transport.stream import Stream


class NetmikoLink(AgentLink):
    """The plugin `netmiko` of nornir-netmiko, with strict host keys."""

    def connect(self, target: Target) -> Stream:
        """See AgentLink. Loads netmiko, which is heavy."""
        from keybuzz.transport.ssh.client import agent_stream, close_transport, reach
        from keybuzz.transport.ssh.netmiko_client import open_netmiko

        key = str(private_key_of(target)) if target.options.key_filename else ""
        way = reach(target, dial(target))
        plugin = open_netmiko(target, way, key)
        transport = plugin.connection.remote_conn_pre.get_transport()

        def release() -> None:
            way.close()
            close_transport(transport)
            plugin.close()

        return agent_stream(transport, target, release=release)
