"""A mount on a lab host whose program never answers: FUSE, with the program's side held by the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from keybuzz.lab.hosts.host import entry
from keybuzz.model.inventory.lab import LabSettings
from tests.lab.conftest import CACHE, Kbz

_MOUNT = """
import ctypes, os, sys
point, device = sys.argv[1], sys.argv[2]
os.makedirs(point, exist_ok=True)
kernel = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
if kernel.mount(b"silent", point.encode(), b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
"""


@contextmanager
def silent_mount(kbz: Kbz, host: str, point: str) -> Iterator[None]:
    """Mount it for the length of a block. No lab host may open /dev/fuse itself: the descriptor is handed in."""
    device = os.open("/dev/fuse", os.O_RDWR)
    inside = entry(LabSettings(kbz.root.name, kbz.root, CACHE), host)
    try:
        subprocess.run(
            [*inside, "python3", "-c", _MOUNT, point, str(device)],
            check=True,
            pass_fds=(device,),
            timeout=60,
        )
        yield
    finally:
        os.close(device)  # what waits for an answer is told that nobody is there
        kbz.on(host, f"umount -l {point} 2>/dev/null || true; rmdir {point}")
