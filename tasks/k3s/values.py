"""The settled values of facts/09, typed: what templates, description and rollout share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from keybuzz.model.core.content import Template
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.k3s import parameters
from tasks.k3s.service.resources import API_PORT

GROUP = "k3s"
MASTERS = "k3s-masters"
PROGRAM = "/usr/local/bin/k3s"
ETC = "/etc/rancher/k3s"
CONFIG = f"{ETC}/config.yaml"
ADDITIONS = f"{ETC}/config.yaml.d"
INTERFACE = f"{ADDITIONS}/10-kbz-interface.yaml"
REGISTRIES = f"{ETC}/registries.yaml"
NODE = "/etc/rancher/node"
DATABASE = "/var/lib/rancher/k3s/server/db"
RESOLV_CONF = "/run/systemd/resolve/resolv.conf"
"""The real one: a stub on 127.0.0.53 would send CoreDNS round in a loop."""
PODS = "10.42.0.0/16"
SERVICES = "10.43.0.0/16"
INGRESS = "ingress-nginx/ingress-nginx-controller"
HEALTH_PORT = 10254
PORTS = (
    80,
    443,
    2379,
    2380,
    2381,
    2382,
    6443,
    6444,
    8181,
    8443,
    10010,
    10245,
    10246,
    10247,
    10248,
    10249,
    10250,
    10254,
    10256,
    10257,
    10258,
    10259,
)
"""The ingress and its webhook, etcd, the API, the kubelet, the scheduler and containerd (facts/09)."""
VXLAN_PORT = 8472
"""Of flannel, UDP: the kernel itself receives there, for any address."""
TEMPLATES = Path(__file__).parent / "templates"
UNIT_TEXT = (TEMPLATES / "k3s.service").read_text(encoding="utf-8")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_MIRROR = re.compile(r"https?://[a-z0-9.-]+(:\d+)?")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Every name of server.yaml.j2 and agent.yaml.j2."""

    name: str
    address: str
    token: Secret
    server: str
    names: tuple[str, ...]
    grace: int
    pods: str = PODS
    services: str = SERVICES
    resolv_conf: str = RESOLV_CONF
    image_gc_high: int = 75
    image_gc_low: int = 70


@dataclass(frozen=True, slots=True)
class Images:
    """Every name of ingress-nginx.yaml.j2."""

    controller: str
    certgen: str
    certgen_tag: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """Every name of registries.yaml.j2."""

    url: str


def is_master(server: Server) -> bool:
    """Return whether a node is a server of the control plane."""
    return MASTERS in server.groups


def command(server: Server) -> str:
    """Return what K3s is started as."""
    return "server" if is_master(server) else "agent"


def unit(server: Server) -> str:
    """Return the systemd unit, by the names that K3s' own installer gives."""
    return "k3s.service" if is_master(server) else "k3s-agent.service"


def url(server: Server) -> str:
    """Return where a master's API is joined."""
    return f"https://{server.address}:{API_PORT}"


def joins_at(site: Site, server: Server) -> Server:
    """Return the master that a node joins at: the first by name that is not the node itself."""
    return next(item for item in site.members(MASTERS) if item.name != server.name)


def configuration(site: Site, server: Server) -> Configuration:
    """Return the values of a node's steady configuration; InputError for a parameter that K3s would misread."""
    return Configuration(
        name=server.name,
        address=str(server.address),
        token=token(site),
        server=url(joins_at(site, server)),
        names=_names(site),
        grace=parameters.NODE_GRACE.of(site),
    )


def template(site: Site, server: Server) -> Template:
    """Return config.yaml."""
    return Template(TEMPLATES, f"{command(server)}.yaml.j2", configuration(site, server))


def token(site: Site) -> Secret:
    """Return the token; InputError for one that K3s could not be told."""
    found = site.secret("K3S_TOKEN")
    if _UNWRITABLE.search(found.reveal()):
        raise InputError(
            "K3S_TOKEN holds a control character or a line break",
            where="k3s.env",
            hint="choose another one",
        )
    return found


def unit_text(site: Site, server: Server) -> str:
    """Return the unit; its mark changes with everything that K3s reads only when it starts."""
    binary = site.binary("k3s")
    return UNIT_TEXT.format(
        version=binary.version, command=command(server), mark=mark(site, server)
    )


def mark(site: Site, server: Server) -> str:
    """Return what changes with configuration and program; of the token a digest under the site's key."""
    values = replace(configuration(site, server), token=Secret("K3S_TOKEN", ""))
    text = (TEMPLATES / f"{command(server)}.yaml.j2").read_text(encoding="utf-8")
    parts = (
        text,
        repr(values),
        site.binary("k3s").digest,
        parameters.REGISTRY_MIRROR.of(site) or "none",
        site.digest_key.digest(token(site).reveal().encode()),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def images(site: Site) -> Images:
    """Return the ingress' images; the tag of its helper names the Jobs, whose pods never change."""
    certgen = site.image("ingress-nginx-certgen")
    tag = certgen.partition("@")[0].rpartition(":")[2]
    return Images(site.image("ingress-nginx"), certgen, tag.replace(".", "-"))


def mirror(site: Site) -> Mirror | None:
    """Return the registry that containerd pulls from instead of all others; None: from the registries."""
    url = parameters.REGISTRY_MIRROR.of(site)
    return Mirror(url) if url else None


def _names(site: Site) -> tuple[str, ...]:
    """Return every name and address by which the API's certificate is good: all masters, on all masters."""
    extra = parameters.API_NAMES.of(site)
    masters = site.members(MASTERS)
    own = [word for item in masters for word in (item.name, str(item.address))]
    return tuple(dict.fromkeys([*own, *extra]))


def first_address(network: str) -> IPv4Address:
    """Return the address that a node has in its own pods' network: where flannel's VXLAN ends."""
    return IPv4Address(network.partition("/")[0])
