"""What a lab host is made of, as data. The digest of a recipe names the cached result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cache

from keybuzz.site.modules import all_modules

_SERVER_PACKAGES = (
    # the system
    *("systemd", "systemd-sysv", "systemd-resolved", "systemd-timesyncd", "dbus"),
    *("libpam-systemd", "kmod", "procps", "rsyslog", "tzdata", "sudo", "less", "lsb-release"),
    # network and firewall
    *("iproute2", "iputils-ping", "iptables", "nftables", "ufw", "net-tools"),
    *("openssh-server", "openssh-client", "ca-certificates", "curl", "wget"),
    # what module 2 installs on a server; a lab host has no way out to fetch it
    *("jq", "unzip", "gnupg", "htop", "git", "fail2ban", "python3-systemd", "auditd", "python3"),
    # containers and volumes
    *("docker.io", "e2fsprogs", "xfsprogs"),
)

_NOT_IN_A_CONTAINER = "[Unit]\nConditionVirtualization=!container\n"
_NO_NEIGHBOURS = "[Resolve]\nLLMNR=no\nMulticastDNS=no\n"


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that the recipe writes into the base."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class BaseRecipe:
    """How the root file system below all hosts is made from Debian packages."""

    release: str
    packages: tuple[str, ...]
    masked: tuple[str, ...] = ()
    """Units about the kernel, the hardware or the way out: they cannot work in a lab host."""
    disabled: tuple[str, ...] = ()
    """Services that a bare server does not run yet; kbz enables them."""
    files: tuple[TextFile, ...] = ()
    removed: tuple[str, ...] = ()
    """Glob patterns of what must not be shared by hosts, or is not needed."""
    version: int = 2
    """Raised when the steps of base.py change."""

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with anything in the recipe."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


_CACHES = (
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/*.bin",
    "var/lib/apt/lists/*_*",
    "var/log/*.log",
)

SERVER = BaseRecipe(
    release="bookworm",
    packages=_SERVER_PACKAGES,
    masked=(
        *("console-getty.service", "getty@.service", "systemd-pstore.service"),
        *("e2scrub_reap.service", "e2scrub_all.timer", "fstrim.timer"),
        *("apt-daily.timer", "apt-daily-upgrade.timer"),
    ),
    disabled=("fail2ban.service", "auditd.service"),
    files=(
        # The kernel lets no container read its audit log: the service is enabled and skipped.
        TextFile("etc/systemd/system/auditd.service.d/kbz-lab.conf", _NOT_IN_A_CONTAINER),
        # The lab's network is a routed one, as far as names go: no host is found by asking its neighbours.
        TextFile("etc/systemd/resolved.conf.d/kbz-lab.conf", _NO_NEIGHBOURS),
        TextFile("etc/hostname", "bare\n"),
        # Empty, as systemd wants it in a template; each host gets its own.
        TextFile("etc/machine-id", ""),
        # rsyslog makes it at the first login; fail2ban does not start before it exists.
        TextFile("var/log/auth.log", ""),
        # root's own systemd stays up; without this one would start and end with each login of kbz.
        TextFile("var/lib/systemd/linger/root", ""),
    ),
    # Each login would run three programs to greet no user.
    removed=("etc/ssh/ssh_host_*", "etc/update-motd.d/10-uname", *_CACHES),
)

SERVER_13 = replace(
    SERVER,
    release="trixie",
    packages=(
        *_SERVER_PACKAGES,
        # Docker's command line is a package of its own there, and only recommended.
        "docker-cli",
        # What restarts services by night on real servers, for the trait `automatic-updates`.
        *("needrestart", "unattended-upgrades"),
    ),
    disabled=(*SERVER.disabled, "unattended-upgrades.service"),
    files=(
        *SERVER.files,
        TextFile("etc/systemd/system/audit-rules.service.d/kbz-lab.conf", _NOT_IN_A_CONTAINER),
        # Both are here for that trait only.
        TextFile("etc/apt/apt.conf.d/20auto-upgrades", 'APT::Periodic::Unattended-Upgrade "0";\n'),
    ),
)
_SERVERS = {"debian 12": SERVER, "debian 13": SERVER_13}


@cache
def servers() -> dict[str, BaseRecipe]:
    """Return the recipe of each operating system that a lab host can have, as base.operating_system names it."""
    return {
        system: replace(recipe, packages=(*recipe.packages, *_of_modules(system)))
        for system, recipe in _SERVERS.items()
    }


def _of_modules(system: str) -> tuple[str, ...]:
    return tuple(name for module in all_modules() for name in module.lab_packages.get(system, ()))


IMAGE = BaseRecipe(
    release="bookworm",
    packages=("ca-certificates",),
    files=(
        TextFile(
            "etc/dpkg/dpkg.cfg.d/slim",
            "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n"
            "path-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*\n",
        ),
        TextFile(
            "etc/apt/apt.conf.d/slim",
            'APT::Install-Recommends "false";\nAcquire::Languages "none";\n',
        ),
        # As in Debian's own image: what apt keeps for its next run would be in every layer.
        TextFile(
            "etc/apt/apt.conf.d/docker-clean",
            'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
            'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n',
        ),
    ),
    removed=(
        *("usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*"),
        # No program of a stand-in converts between character sets of its own accord.
        *("usr/lib/*/gconv", "etc/resolv.conf", *_CACHES),
    ),
)
"""Small: each host of a lab unpacks it."""

IMAGE_13 = replace(IMAGE, release="trixie")
