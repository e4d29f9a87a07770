"""SHA-256 without `hashlib`, which loads OpenSSL: that takes longer than to digest all files that a look reads."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash

_HOMES = ("_sha2", "_sha256", "hashlib")
"""The library's own code: from Python 3.12 on, before, and OpenSSL where it was built without both."""


def _found() -> Callable[[bytes], _Hash]:
    for name in _HOMES:
        try:
            made: Callable[[bytes], _Hash] = import_module(name).sha256
        except ImportError:
            continue
        return made
    raise ImportError("this Python has no SHA-256")


sha256 = _found()
