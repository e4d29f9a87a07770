"""Connection plugin `kbz_ssh`: one SSH connection, one channel, pinned keys, modern algorithms."""

from __future__ import annotations

from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.stream import Stream


class SshLink(AgentLink):
    """SSH by paramiko, directly or through a bastion."""

    def connect(self, target: Target) -> Stream:
        """See AgentLink. Loads paramiko, which costs more than to register this plugin."""
        from keybuzz.transport.ssh_client import (
            agent_stream,
            close_transport,
            open_transport,
            reach,
        )

        way = reach(target)
        transport = open_transport(target, way)

        def release() -> None:
            way.close()
            close_transport(transport)

        return agent_stream(transport, target, release=release)
