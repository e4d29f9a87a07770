"""What works on a server by itself, by night: updates, restarts after them, bans. Pure."""

from __future__ import annotations

from keybuzz.model.core.content import Content
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory, File, UnitReload
from keybuzz.model.host.system import Service
from keybuzz.site.site import Site
from tasks.base import parameters

UPGRADES = "/etc/apt/apt.conf.d/99-keybuzz"
NEEDRESTART = "/etc/needrestart/conf.d/zz-keybuzz.conf"
JAIL = "/etc/fail2ban/jail.d/zz-keybuzz.local"
_ENGINE = ("^docker", "^containerd", "^runc", "^moby-")

_UPGRADES = (
    "// Managed by kbz (module base). Security updates are installed; what would stop every container of this\n"
    "// host is left to `kbz run`, one member of a cluster at a time.\n"
    "Unattended-Upgrade::Package-Blacklist {\n"
    + "".join(f'    "{pattern}";\n' for pattern in _ENGINE)
    + "};\n"
    'Unattended-Upgrade::Automatic-Reboot "false";\n'
)
_NEEDRESTART = (
    "# Managed by kbz (module base). What uses old files is listed and not restarted: kbz restart does it, one\n"
    "# member of a cluster at a time.\n"
    "$nrconf{restart} = 'l';\n"
)


def upkeep(site: Site) -> tuple[Resource, ...]:
    """Return the files, whether the programs that read them are there today or come later, and the services."""
    return (
        File(UPGRADES, Content.plain(_UPGRADES)),
        Directory("/etc/needrestart"),
        Directory("/etc/needrestart/conf.d"),
        File(NEEDRESTART, Content.plain(_NEEDRESTART)),
        File(
            JAIL, Content.plain(_jail(site)), reload=UnitReload("fail2ban.service", "try-restart")
        ),
        Service("fail2ban.service"),
        Service("auditd.service"),
    )


def _jail(site: Site) -> str:
    """Return who is never banned: a ban of the controller would cut every host off from kbz."""
    known = (parameters.NETWORK.of(site), *parameters.ADMIN_NETWORKS.of(site))
    never = ("127.0.0.0/8", "::1", *known)
    return f"# Managed by kbz (module base).\n[DEFAULT]\nignoreip = {' '.join(never)}\n"
