"""Connection plugin `kbz_local`: the agent as a process of this machine (install-01, and tests)."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.bundle import command
from keybuzz.transport.link import AgentLink, Target
from keybuzz.transport.stream import SocketStream, Stream

_END_TIMEOUT = 10.0
"""Seconds for an agent to end its children and itself after its stream closed."""
_TAIL = 2000


class LocalLink(AgentLink):
    """Runs the same loader as over SSH. Ctrl-C in a terminal does not reach it: kbz decides."""

    def connect(self, target: Target) -> Stream:
        """Start the agent's process; its streams are the two directions of one socket pair."""
        ours, theirs = socket.socketpair()
        errors = os.memfd_create("kbz-agent-stderr")
        try:
            process = subprocess.Popen(
                command(target.options.python),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(errors)
            raise ContactError(
                f"the agent could not be started: {error}",
                where=target.name,
                hint="set `python` in the host's connection options",
            ) from error
        finally:
            theirs.close()

        def release() -> None:
            with suppress(OSError):  # the agent may be gone already
                ours.shutdown(socket.SHUT_RDWR)
            try:
                process.wait(_END_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            ours.close()
            os.close(errors)

        def last_words() -> str:
            try:
                size = os.fstat(errors).st_size
                return os.pread(errors, _TAIL, max(0, size - _TAIL)).decode(errors="replace")
            except OSError:  # released by another thread just now
                return ""

        return SocketStream(ours, release, last_words)
