"""The relay's end: starts a worker of the relay's own kbz, and hands lines on. Only execnet calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybuzz.agent.runtime.frames import REPLY_LIMIT
from keybuzz.engine.shards.contract import SPEC_LIMIT
from keybuzz.engine.shards.process import ProcessWorker, command

if TYPE_CHECKING:
    import execnet

_LONGEST = 2 * REPLY_LIMIT
_END = None


def serve(channel: execnet.Channel) -> None:
    """Take the path of the configuration and a Spec; hand each line of the worker on, and say how it ended.

    The worker ends when the controller's connection does.
    """
    config, line = channel.receive(), channel.receive()
    if not isinstance(config, str) or not isinstance(line, bytes) or len(line) > SPEC_LIMIT:
        raise TypeError("no configuration and no Spec came")
    worker = ProcessWorker(command(config))
    channel.setcallback(lambda item: worker.stop() if item is _END else None, endmarker=_END)
    try:
        worker.send(line)
        for said in worker.lines(_LONGEST):
            channel.send(said)
        channel.send(worker.ending())
    finally:
        worker.close()
