"""Who may reach a server: the private network, the operators, and what is open to all. Pure."""

from __future__ import annotations

from keybuzz.model.host.system import ANYWHERE, Firewall, FirewallRule
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.base import parameters

POD_NETWORKS = ("10.42.0.0/16", "10.43.0.0/16")
OWN_PORTS = (22, 53, 5355)
"""sshd; systemd-resolved for the host itself, and for names of the link (LLMNR)."""
_KEPT_OPEN = "base.public_ports of the host, in site.yaml, keeps a port open; base.private_ports says that it may close"
_OWN_LISTENERS = (
    *(f"{port}/tcp" for port in OWN_PORTS),
    *(f"{port}/udp" for port in (53, 68, 546, 5353, 5355)),
)
"""The same, and clients of DHCP and mDNS, whose answers ufw's own rules let in."""


def firewall(site: Site, server: Server) -> Firewall:
    """Deny by default; SSH first, then the private network (contradiction 36: the default profile).

    Nodes of K3s also take what comes from pods and services: a default deny there once looked like a network that
    forbids VXLAN (facts/09).
    """
    network = parameters.NETWORK.of(site)
    admins = parameters.ADMIN_NETWORKS.of(site)
    pods = POD_NETWORKS if "k3s" in server.groups else ()
    closed = parameters.PRIVATE_PORTS.on(site, server)
    return Firewall(
        (
            FirewallRule(network, "22", "tcp", "kbz:ssh"),
            *(FirewallRule(admin, "22", "tcp", "kbz:admin") for admin in admins),
            FirewallRule(network, comment="kbz:internal"),
            *(FirewallRule(source, comment="kbz:pods") for source in pods),
            *(
                FirewallRule(ANYWHERE, str(port), protocol, "kbz:public")
                for port, protocol in parameters.PUBLIC_PORTS.on(site, server)
            ),
        ),
        explained=(*_OWN_LISTENERS, *(f"{port}/{protocol}" for port, protocol in closed)),
        kept_open=_KEPT_OPEN,
    )
