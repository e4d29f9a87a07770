"""Connection plugins `kbz_ssh` and `kbz_ssh_shell`: one SSH connection, pinned keys, modern algorithms.

The one runs the agent on its one channel, the other single commands. Both load paramiko when they connect and no
sooner, which costs more than to register them; the host is dialed before that, so that it gets ready meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import RefusedError
from keybuzz.transport.link import AgentLink, Link, Target
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.session import Hide
from keybuzz.transport.shell import Shell
from keybuzz.transport.ssh.dial import dial
from keybuzz.transport.stream import Stream

if TYPE_CHECKING:
    from paramiko import Transport


class SshLink(AgentLink):
    """The agent over SSH, directly or through a bastion."""

    def connect(self, target: Target) -> Stream:
        """See AgentLink."""
        transport, release = _connect(target)
        from keybuzz.transport.ssh.client import agent_stream

        return agent_stream(transport, target, release=release)


class SshShellLink(Link[Shell]):
    """Single commands over SSH, directly or through a bastion: no Python is needed there."""

    def start(self, target: Target, access: Access, hide: Hide, meeting: Meeting) -> Shell:
        """See Link. No agent watches what a command does, so that it needs a connection that may change."""
        if access is not Access.CHANGE:
            raise RefusedError("a session that only looks runs no commands", where=target.name)
        transport, release = _connect(target)
        from keybuzz.transport.ssh.client import shell

        return shell(transport, target, hide, meeting, release=release)


def _connect(target: Target) -> tuple[Transport, Callable[[], object]]:
    dialed = dial(target)
    from keybuzz.transport.ssh.client import close_transport, open_transport, reach

    way = reach(target, dialed)
    transport = open_transport(target, way)

    def release() -> None:
        way.close()
        close_transport(transport)

    return transport, release
