"""The one function that a pool runs: a process of the worker's own kbz asks the shard, and its lines are handed on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from distributed import get_worker

from keybuzz.agent.runtime.frames import REPLY_LIMIT
from keybuzz.engine.shards.contract import SPEC_LIMIT
from keybuzz.engine.shards.process import ProcessWorker

if TYPE_CHECKING:
    from keybuzz.engine.shards.pool.nodes import ShardWorker

_LONGEST = 2 * REPLY_LIMIT
_LOOK_UP = 0.5
"""Seconds after which it is noticed that a shard is not wanted any more."""
LINE, ENDING = "line", "ending"


def serve_shard(line: bytes, key: str, topic: str) -> None:
    """Take a Spec, and tell each line of the worker that serves it, then how it ended. Raises nothing."""
    node = cast("ShardWorker", get_worker())
    try:
        _serve(node, line, key, topic)
    except Exception as error:
        node.log_event(topic, [key, ENDING, f"failed: {type(error).__name__}"])


def _serve(node: ShardWorker, line: bytes, key: str, topic: str) -> None:
    if not isinstance(line, bytes) or len(line) > SPEC_LIMIT:
        raise TypeError("no Spec came")
    worker = ProcessWorker(node.command)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_UP):
            if not node.wants(key):
                worker.stop()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        worker.send(line)
        for said in worker.lines(_LONGEST):
            node.log_event(topic, [key, LINE, said])
        node.log_event(topic, [key, ENDING, worker.ending()])
    finally:
        ended.set()
        worker.close()
