"""Enter the lab's network namespace: the only way in which kbz can reach 10.0.0.0/16 of a lab."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keybuzz.lab.layout import NAMESPACES
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings

_CLONE_NEWNET = 0x40000000


def exists(settings: LabSettings) -> bool:
    """Return whether the controller's network namespace of this lab exists."""
    return is_namespace(NAMESPACES / settings.name)


def is_namespace(path: Path) -> bool:
    """Return whether a file in /run/netns is a live namespace, not what a crash left of one."""
    return path.exists() and os.path.ismount(path)


def enter(settings: LabSettings) -> None:
    """Move this process into the lab's network namespace, for good.

    Must come before any thread is started: Linux moves the calling thread only. Raises KbzError
    when the lab is not there, so that nothing ever goes out to a real 10.0.0.x by accident.
    """
    if not exists(settings):
        raise KbzError(
            f"the network of lab {settings.name!r} does not exist on this machine",
            where="lab",
            hint="kbz lab up",
        )
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise KbzError("the lab's network must be entered before any thread starts", where="lab")
    _set_namespace(NAMESPACES / settings.name)


@contextmanager
def visiting(path: Path) -> Iterator[None]:
    """Put the calling thread into a network namespace for the length of a block.

    A socket made inside stays in that namespace afterwards.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(path)
        try:
            yield
        finally:
            _call_setns(home, Path("/proc/thread-self/ns/net"))
    finally:
        os.close(home)


def _set_namespace(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call_setns(handle, path)
    finally:
        os.close(handle)


def _call_setns(handle: int, path: Path) -> None:
    # os.setns appeared in Python 3.12; kbz runs on 3.11.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise KbzError(
            f"{path} cannot be entered: {reason}", where="lab", hint="the lab needs root"
        )
