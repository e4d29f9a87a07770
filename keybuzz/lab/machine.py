"""Kernel limits of this machine that many hosts on one kernel run into."""

from __future__ import annotations

from pathlib import Path

from keybuzz.lab.hosts.process import Report

LIMITS = (
    # Each systemd watches files: with the default of 128, hosts from about the 20th on do not boot.
    ("fs/inotify/max_user_instances", 8192),
    ("fs/inotify/max_user_watches", 524288),
    # Each container holds a keyring of root.
    ("kernel/keys/root_maxkeys", 1000000),
    ("kernel/keys/maxkeys", 20000),
    ("kernel/keys/maxbytes", 2000000),
    ("kernel/pty/max", 16384),
    # 48 hosts that talk to each other fill the shared ARP table.
    ("net/ipv4/neigh/default/gc_thresh1", 4096),
    ("net/ipv4/neigh/default/gc_thresh2", 8192),
    ("net/ipv4/neigh/default/gc_thresh3", 16384),
)


def raise_limits(report: Report, settings_folder: Path = Path("/proc/sys")) -> None:
    """Raise each limit that is lower than the lab needs; never lowers one, and says what it did.

    They stay raised after `down`: other programs may count on them by then.
    """
    raised = []
    for name, wanted in reversed(LIMITS):
        file = settings_folder / name
        if file.exists() and int(file.read_text()) < wanted:
            file.write_text(str(wanted))
            raised.append(f"{name.replace('/', '.')}={wanted}")
    if raised:
        report("", "Raised limits of this machine's kernel: " + ", ".join(reversed(raised)))
