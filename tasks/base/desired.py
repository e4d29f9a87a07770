"""What every server must be before anything else (module 2, ORD-1). Values from facts/02. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.reading import Command, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory, File, Symlink, UnitReload
from keybuzz.model.host.strays import Traces
from keybuzz.model.host.system import (
    NoSwap,
    OperatingSystem,
    Package,
    Service,
    SshServer,
    Sysctl,
)
from keybuzz.model.host.system_look import SystemLook
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.base import parameters
from tasks.base.docker import docker
from tasks.base.firewall import firewall
from tasks.base.limits import limits
from tasks.base.upkeep import upkeep

_TEMPLATES = Path(__file__).parent / "templates"

PACKAGES = (
    "auditd",
    "ca-certificates",
    "curl",
    "fail2ban",
    "git",
    "gnupg",
    "htop",
    "jq",
    "net-tools",
    # fail2ban reads the journal with it.
    "python3-systemd",
    "ufw",
    "unzip",
    "wget",
    "xfsprogs",
)
SYSCTLS = (
    ("fs.inotify.max_user_instances", "8192"),
    ("fs.inotify.max_user_watches", "524288"),
    ("net.core.somaxconn", "65535"),
    ("net.ipv4.tcp_fin_timeout", "15"),
    ("net.ipv4.tcp_keepalive_time", "300"),
    ("net.ipv4.tcp_tw_reuse", "1"),
    ("vm.swappiness", "10"),
)
SSHD = (
    ("PermitRootLogin", "prohibit-password"),
    ("PasswordAuthentication", "no"),
    ("PermitEmptyPasswords", "no"),
    ("KbdInteractiveAuthentication", "no"),
    # What drift tells of keys is true where sshd looks for them here, and nowhere else.
    ("AuthorizedKeysFile", ".ssh/authorized_keys .ssh/authorized_keys2"),
    ("AuthorizedKeysCommand", "none"),
    ("TrustedUserCAKeys", "none"),
    ("AllowTcpForwarding", "no"),
    ("X11Forwarding", "no"),
    ("UseDNS", "no"),
    ("ClientAliveInterval", "300"),
    ("ClientAliveCountMax", "2"),
    ("MaxAuthTries", "3"),
    ("MaxSessions", "4"),
)
RESOLVERS = ("1.1.1.1", "8.8.8.8")
_JOURNALD = "[Journal]\nSystemMaxUse=200M\nSystemKeepFree=100M\n"
_SCHEDULE_UNITS = ("kbz-drift.service", "kbz-drift.timer")
_MANAGED = "# Managed by kbz (module base).\n"


@dataclass(frozen=True, slots=True)
class SysctlValues:
    """Names of 99-keybuzz.conf.j2."""

    settings: tuple[tuple[str, str], ...]


def describe(site: Site, server: Server) -> Description:
    """Return the description; it is the same for every role, but that nodes of K3s let their pods in.

    The controller also gets a copy of versions.yaml at the place that the owner's notes name (VER-1).
    """
    return Description(
        resources=(
            OperatingSystem(parameters.OPERATING_SYSTEM.on(site, server)),
            *(Package(name) for name in PACKAGES),
            *_kernel(),
            *_time(site),
            *_logs(),
            *_resolver(),
            *docker(site, server),
            SshServer(SSHD),
            firewall(site, server),
            *upkeep(site),
            *(_versions(site) if _keeps(server) else ()),
        ),
        readings=_readings(site),
        traces=Traces(
            # What snapd writes there for its own programs; on the controller, the schedule of `kbz drift install`.
            units=("snap.*", "snap-*", *(_SCHEDULE_UNITS if _keeps(server) else ())),
            cron=("/etc/cron.d/kbz-drift",) if _keeps(server) else (),
            # containerd's streams, for the host alone.
            programs=("containerd",),
            keys=parameters.AUTHORIZED_KEYS.on(site, server),
        ),
    )


def _keeps(server: Server) -> bool:
    """Return whether kbz itself runs on the server."""
    return "controller" in server.groups


def _kernel() -> tuple[Resource, ...]:
    return (
        File(
            "/etc/sysctl.d/99-keybuzz.conf",
            Template(_TEMPLATES, "99-keybuzz.conf.j2", SysctlValues(SYSCTLS)),
        ),
        *(Sysctl(key, value) for key, value in SYSCTLS),
        NoSwap(),
    )


def _time(site: Site) -> tuple[Resource, ...]:
    zone = parameters.TIMEZONE.of(site)
    return (
        Symlink("/etc/localtime", f"/usr/share/zoneinfo/{zone}"),
        File("/etc/timezone", Content.plain(f"{zone}\n")),
        Service(f"{parameters.TIME_SERVICE.of(site)}.service"),
    )


def _logs() -> tuple[Resource, ...]:
    return (
        Directory("/etc/systemd/journald.conf.d"),
        File(
            "/etc/systemd/journald.conf.d/keybuzz.conf",
            Content.plain(_MANAGED + _JOURNALD),
            reload=UnitReload("systemd-journald.service", "restart"),
        ),
    )


def _resolver() -> tuple[Resource, ...]:
    """A drop-in of systemd-resolved; /etc/resolv.conf is its link and never written (contradiction 49)."""
    return (
        Directory("/etc/systemd/resolved.conf.d"),
        File(
            "/etc/systemd/resolved.conf.d/keybuzz.conf",
            Content.plain(f"{_MANAGED}[Resolve]\nDNS={' '.join(RESOLVERS)}\n"),
            reload=UnitReload("systemd-resolved.service", "restart"),
        ),
    )


def _versions(site: Site) -> tuple[Resource, ...]:
    return (
        Directory("/opt/keybuzz-installer"),
        File("/opt/keybuzz-installer/versions.yaml", Content.plain(site.versions_text)),
    )


def _readings(site: Site) -> tuple[Reading, ...]:
    return (
        SystemLook("base.system", limits(site)),
        Command(
            "base.failed-units", ("systemctl", "list-units", "--failed", "--plain", "--no-legend")
        ),
    )
