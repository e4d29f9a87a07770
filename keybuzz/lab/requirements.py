"""Debian packages that this machine needs to run a lab."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from keybuzz.lab.process import Report, run, succeeds
from keybuzz.model.errors import KbzError

PROGRAMS = {
    "/usr/sbin/debootstrap": "debootstrap",
    "/usr/bin/systemd-nspawn": "systemd-container",
    "/usr/sbin/nft": "nftables",
    "/usr/sbin/ip": "iproute2",
    "/usr/sbin/dockerd": "docker.io",
    "/usr/bin/nsenter": "util-linux",
    "/usr/bin/ssh-keygen": "openssh-client",
    "/usr/bin/docker-registry": "docker-registry",
    "/usr/sbin/haproxy": "haproxy",
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
    packages = missing(programs)
    if not packages:
        return
    report("", f"Installing Debian packages on this machine: {' '.join(packages)}")
    with _no_daemon_starts():
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], seconds=_INSTALL_SECONDS, environment=quiet)
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
        try:
            run(install, seconds=_INSTALL_SECONDS, environment=quiet)
        finally:
            _disable(packages)


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
