"""A machine for tests: a process in network and host name of its own, with only the interfaces that a test lays out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]


def own_interface(*addresses: str) -> tuple[str, ...]:
    """Return what lays out an interface that is up and has these addresses."""
    adding = (f"ip address add {address} dev own0" for address in addresses)
    return ("ip link add own0 type bridge", *adding, "ip link set own0 up")


def on_machine(
    lay_out: Sequence[str],
    arguments: Sequence[str | Path],
    folder: Path,
    *,
    name: str = "somewhere",
) -> subprocess.CompletedProcess[str]:
    """Run Python on such a machine."""
    named = f"echo {name} >/proc/sys/kernel/hostname"
    # Its lease is its own too: other tests are other machines.
    leases = ("mkdir -p /run/kbz", "mount -t tmpfs kbz /run/kbz")
    script = " && ".join([named, *leases, *lay_out, 'exec "$0" "$@"'])
    command = [
        "unshare",
        "--net",
        "--uts",
        "--mount",
        "sh",
        "-c",
        script,
        sys.executable,
        *arguments,
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
