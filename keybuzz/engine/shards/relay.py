"""Workers on a machine in the hosts' own region, over SSH: execnet starts them, and nothing listens there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.engine.shards.place import Controller, Worker
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.shards import Relay
from keybuzz.transport.replies import ReplyError, TooLargeError

if TYPE_CHECKING:
    import execnet

SERVE = "from keybuzz.engine.shards.relayed import serve; serve(channel)"
"""All that is sent to be executed: the relay's own kbz does the rest."""
_SSH = """\
Host *
    BatchMode yes
    IdentitiesOnly yes
    IdentityFile "{key}"
    UserKnownHostsFile "{known_hosts}"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    ConnectTimeout 10
    ServerAliveInterval 10
    ServerAliveCountMax 3
    ForwardAgent no
    ControlPath none
    LogLevel ERROR
"""
_PATIENCE = 5.0
"""Seconds for a gateway to end."""


class RelayPlace:
    """Starts workers on one relay, each over a connection of its own."""

    def __init__(self, relay: Relay, controller: Controller) -> None:
        self._relay = relay
        self._controller = controller
        self._folder = tempfile.TemporaryDirectory(prefix="kbz-relay-")

    @property
    def called(self) -> str:
        """The words for it in messages."""
        return f"the relay of {self._relay.region} ({self._relay.address})"

    def start(self) -> Worker:
        """Log in and start a worker; ContactError when it cannot be reached, or its key is not the pinned one."""
        try:
            import execnet
        except ImportError:
            raise InputError(
                "the extra `scale` is not installed", hint="pip install 'kbz[scale]'"
            ) from None
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        log = folder / "ssh.log"
        group = execnet.Group()
        try:
            gateway = group.makegateway(self._spec(folder, log))
            channel = gateway.remote_exec(SERVE)
            channel.send(self._relay.config)
        except (OSError, EOFError, execnet.HostNotFound, execnet.RemoteError) as error:
            with suppress(Exception):
                group.terminate(timeout=_PATIENCE)
            raise ContactError(
                f"{self.called} cannot be reached: {_last_line(log) or _reason(error)}",
                hint="pin its key (kbz hosts list), see that it has kbz, and ask again: kbz workers check",
            ) from None
        return RelayWorker(group, channel)

    def close(self) -> None:
        """Remove the options of SSH."""
        self._folder.cleanup()

    def _spec(self, folder: Path, log: Path) -> str:
        relay = self._relay
        config = folder / "ssh_config"
        config.write_text(
            _SSH.format(key=self._controller.key_filename, known_hosts=self._controller.known_hosts)
        )
        words = f"-E {log} -p {relay.port} {relay.user}@{relay.address}"
        return f"ssh={words}//ssh_config={config}//python={relay.python}"


class RelayWorker:
    """A worker process on a relay; its lines come over the channel as they are."""

    def __init__(self, group: execnet.Group, channel: execnet.Channel) -> None:
        self._group = group
        self._channel = channel
        self._ending = ""

    def send(self, line: bytes) -> None:
        """Hand the Spec on."""
        with suppress(OSError):
            self._channel.send(line)

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield what the worker says, and keep how it ended."""
        import execnet

        while True:
            try:
                said = self._channel.receive()
            except EOFError:
                self._ending = self._ending or "was lost: its connection ended"
                return
            except execnet.RemoteError as error:
                self._ending = f"failed: {_reason(error)}"
                return
            if isinstance(said, str):
                self._ending = one_line(said)
            elif not isinstance(said, bytes):
                raise ReplyError("it says something that is no line")
            elif len(said) > longest:
                raise TooLargeError(f"a line is longer than {longest} bytes")
            else:
                yield said

    def ending(self) -> str:
        """Return how it ended."""
        return self._ending

    def stop(self) -> None:
        """End the connection; the relay ends the worker then."""
        with suppress(Exception):
            self._group.terminate(timeout=_PATIENCE)

    def close(self) -> None:
        """End the connection."""
        self.stop()


def _reason(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1])[:300] if lines else type(error).__name__


def _last_line(path: Path) -> str:
    with suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        return one_line(lines[-1])[:300] if lines else ""
    return ""
