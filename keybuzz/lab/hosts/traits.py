"""Traits of real servers that a lab host can have: files and links that lie on its disk when it is bare.

`lab.traits` of the site says which host has which. Each copies one thing that Ubuntu 24.04 at the provider does and a
plain Debian does not, so that a run has to cope with it here first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keybuzz.lab.hosts.recipe import TextFile
from keybuzz.model.core.errors import InputError

_UNITS = "usr/lib/systemd/system"
_ENABLED = "etc/systemd/system"

_WRITE_HOSTS = """\
#!/bin/sh
# What cloud-init's update_etc_hosts does with manage_etc_hosts: true: the file is made of its template at each boot.
set -eu
grep -qrsx 'manage_etc_hosts: true' /etc/cloud/cloud.cfg.d || exit 0
name=$(cat /etc/hostname)
cat > /etc/hosts <<END
127.0.1.1 $name $name
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
END
"""
_CLOUD_INIT = """\
[Unit]
Description=Lab: what cloud-init does at each boot
Before=network-online.target docker.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /usr/lib/cloud-init/kbz-lab-hosts
"""
_AUTOMATIC_UPGRADES = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
"""
_CONTAINERD_STORE = '{"features": {"containerd-snapshotter": true}}\n'
_CONTAINERD = 'version = 2\nroot = "/var/lib/docker/containerd-store"\n'
"""Below Docker's own folder: an overlay cannot hold the layers of another one."""


@dataclass(frozen=True, slots=True)
class Trait:
    """What one trait puts on a bare host's disk. Paths are relative to its root."""

    name: str
    purpose: str
    files: tuple[TextFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Path and what it leads to."""
    hidden: tuple[str, ...] = ()
    """Paths of the base that the host does not have."""


TRAITS = (
    Trait(
        "ssh-socket",
        "systemd listens for SSH and starts sshd at the first connection (Ubuntu since 22.10)",
        links=((f"{_ENABLED}/sockets.target.wants/ssh.socket", f"/{_UNITS}/ssh.socket"),),
        hidden=(f"{_ENABLED}/multi-user.target.wants/ssh.service",),
    ),
    Trait(
        "cloud-init-hosts",
        "cloud-init makes /etc/hosts of its template at each boot (manage_etc_hosts)",
        files=(
            TextFile("etc/cloud/cloud.cfg.d/90-provider.cfg", "manage_etc_hosts: true\n"),
            TextFile("usr/lib/cloud-init/kbz-lab-hosts", _WRITE_HOSTS),
            TextFile(f"{_UNITS}/cloud-init-local.service", _CLOUD_INIT),
        ),
        links=(
            (
                f"{_ENABLED}/multi-user.target.wants/cloud-init-local.service",
                f"/{_UNITS}/cloud-init-local.service",
            ),
        ),
    ),
    Trait(
        "automatic-updates",
        "unattended-upgrades installs and reboots, needrestart restarts what uses old files",
        files=(
            TextFile("etc/apt/apt.conf.d/20auto-upgrades", _AUTOMATIC_UPGRADES),
            TextFile(
                "etc/apt/apt.conf.d/52provider", 'Unattended-Upgrade::Automatic-Reboot "true";\n'
            ),
            TextFile("etc/needrestart/conf.d/50-provider.conf", "$nrconf{restart} = 'a';\n"),
        ),
    ),
    Trait(
        "containerd-store",
        "Docker keeps images in containerd's store, as a fresh Docker 29 does (Debian 13 only)",
        files=(
            TextFile("etc/docker/daemon.json", _CONTAINERD_STORE),
            TextFile("etc/containerd/config.toml", _CONTAINERD),
        ),
    ),
)


def traits(names: Iterable[str]) -> tuple[Trait, ...]:
    """Return the traits of these names; InputError for a name that none has."""
    known = {trait.name: trait for trait in TRAITS}
    for name in names:
        if name not in known:
            raise InputError(
                f"no trait of lab hosts is named {name}",
                where="lab.traits",
                hint=f"use some of: {', '.join(known)}",
            )
    return tuple(known[name] for name in names)


def lay_out(chosen: Iterable[Trait], upper: Path) -> None:
    """Write the traits into the upper layer of a host's root file system."""
    for trait in chosen:
        for file in trait.files:
            path = _place(upper, file.path)
            path.write_text(file.content)
        for name, target in trait.links:
            _place(upper, name).symlink_to(target)
        for name in trait.hidden:
            # How overlayfs says that something of the layer below is not there.
            os.mknod(_place(upper, name), stat.S_IFCHR | 0o600, os.makedev(0, 0))


def _place(upper: Path, name: str) -> Path:
    path = upper / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
