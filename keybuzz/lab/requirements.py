"""Debian packages that this machine needs to run a lab."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from keybuzz.lab.hosts.process import Argument, Report, exclusive, run, succeeds
from keybuzz.model.core.errors import KbzError

PROGRAMS = {
    "/usr/bin/mmdebstrap": "mmdebstrap",
    "/usr/bin/systemd-nspawn": "systemd-container",
    "/usr/sbin/mkfs.ext4": "e2fsprogs",
    "/usr/sbin/nft": "nftables",
    "/usr/sbin/ip": "iproute2",
    "/usr/sbin/dockerd": "docker.io",
    "/usr/bin/nsenter": "util-linux",
    "/usr/bin/ssh-keygen": "openssh-client",
    "/usr/bin/docker-registry": "docker-registry",
    "/usr/sbin/haproxy": "haproxy",
    # Without the package dnsmasq, whose service would listen on this machine.
    "/usr/sbin/dnsmasq": "dnsmasq-base",
}
"""Program to look for, and the package that brings it."""

DAEMONS = {
    "docker.io": ("docker.service", "docker.socket"),
    "docker-registry": ("docker-registry.service",),
    "haproxy": ("haproxy.service",),
    "openssh-server": ("ssh.service", "ssh.socket"),
}
"""Units that Debian enables when a package is installed. Who needs these programs starts them itself."""

_POLICY = Path("/usr/sbin/policy-rc.d")
_INSTALL_SECONDS = 900
_LOCK = Path("/run/lock/kbz-packages.lock")
"""All labs of this machine: two that come up at once on a new machine both find the packages missing."""
_HELD = ("Could not get lock", "Unable to lock directory")
"""apt's words when another program has its lock: unattended-upgrades, or an apt run by hand."""
_HELD_SECONDS = 600
_LOOK_AGAIN_SECONDS = 2.0


def missing(programs: Mapping[str, str] = PROGRAMS, root: Path = Path("/")) -> tuple[str, ...]:
    """Return the packages whose programs this machine does not have."""
    return tuple(
        package
        for program, package in programs.items()
        if not (root / program.lstrip("/")).exists()
    )


def ensure(report: Report, programs: Mapping[str, str] = PROGRAMS) -> None:
    """Install the missing packages; none of their daemons is started, now or at the next boot.

    A package that was already there is left as it is, its daemon too.
    """
    if os.geteuid() != 0:
        raise KbzError(
            "Debian packages, network namespaces and containers need root",
            where="lab",
            hint="run it as root, or with sudo",
        )
    if not missing(programs):
        return
    with exclusive(_LOCK):
        packages = missing(programs)
        if packages:
            report("", f"Installing Debian packages on this machine: {' '.join(packages)}")
            _install(packages, report)


def patiently(work: Callable[[], object], report: Report, seconds: float = _HELD_SECONDS) -> None:
    """Do something with apt, again while another program holds apt's lock.

    apt's own DPkg::Lock::Timeout does not cover the lock of `apt-get update`. Raises what `work`
    raises for any other reason, or when the lock is still held after `seconds`.
    """
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            work()
        except KbzError as error:
            held = any(words in str(error) for words in _HELD)
            if not held or time.monotonic() > deadline:
                raise
        else:
            return
        if not told:
            report("", "Another program has apt's lock: waiting for it.")
            told = True
        time.sleep(_LOOK_AGAIN_SECONDS)


def _install(packages: Sequence[str], report: Report) -> None:
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with _no_daemon_starts():
        patiently(lambda: _apt(["apt-get", "update", "-q"]), report)
        try:
            patiently(lambda: _apt(install), report)
        finally:
            _disable(packages)


def _apt(words: Sequence[Argument]) -> None:
    run(words, seconds=_INSTALL_SECONDS, environment={"DEBIAN_FRONTEND": "noninteractive"})


def _disable(packages: Iterable[str]) -> None:
    units = [unit for package in packages for unit in DAEMONS.get(package, ())]
    for unit in units:
        # Best effort: an installation that failed half way may not have brought the unit.
        succeeds(["systemctl", "--root=/", "disable", unit])


@contextmanager
def _no_daemon_starts() -> Iterator[None]:
    """Let Debian's own policy hook forbid starts, for the length of a block."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
