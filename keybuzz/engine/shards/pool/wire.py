"""What a process of kbz makes of pickles that Dask's protocol brings it: names of a closed list, or an error.

Dask frames its messages with msgpack, and puts values of Python into them as pickles, which may call anything while
they are read. Here they may only name what a list has: the containers of a task, and the one function that a pool runs.
"""

from __future__ import annotations

import io
import pickle
from types import SimpleNamespace
from typing import Any

import distributed.protocol.pickle as theirs

Names = frozenset[tuple[str, str]]
PLAIN: Names = frozenset({("builtins", "bytes"), ("builtins", "str")})
"""All that a controller reads: an error is the bytes of a pickle, and stays that."""
TASKS: Names = PLAIN | {
    ("dask._task_spec", "Task"),
    ("dask._expr", "LLGExpr"),
    ("dask._expr", "Expr._reconstruct"),
    ("keybuzz.engine.shards.pool.shard", "serve_shard"),
}
"""What a scheduler and its workers read: a task that names the one function."""


class UnknownNameError(TypeError):
    """A pickle names something else; Dask takes a TypeError for a value that cannot be read."""


class _Reader(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, names: Names, buffers: Any) -> None:
        super().__init__(stream, buffers=buffers or None)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        """Return what is named, when the list has it."""
        if (module, name) not in self._names:
            raise UnknownNameError(
                f"a pickle names {module}.{name}, which this process does not read"
            )
        return super().find_class(module, name)


def read_only(names: Names) -> None:
    """Let Dask's protocol read no other pickles in this process, from now on."""

    def loads(data: Any, *, buffers: Any = ()) -> Any:
        return _Reader(io.BytesIO(data), names, buffers).load()

    # Everything in Dask that reads a pickle from a connection does so by this module; what imports `pickle` itself is
    # behind handlers that no process of a pool has (nodes.py).
    vars(theirs)["pickle"] = SimpleNamespace(**{**vars(pickle), "loads": loads})
