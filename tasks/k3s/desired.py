"""What a K3s node must be (module 9: K3S-1, K3S-2). Pure."""

from __future__ import annotations

from keybuzz.model.core.content import Template
from keybuzz.model.core.reading import Command, DirectoryListing, HttpGet, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Absent, Artefact, Directory, File
from keybuzz.model.host.system import InterfaceOption, SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.k3s import certificates, parameters, values
from tasks.k3s.certificates import K3sCertificates
from tasks.k3s.service.resources import (
    K3sLook,
    K3sManifest,
    K3sSchedulable,
    K3sStart,
    K3sToken,
    PodNetwork,
)


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node. What is inside the cluster is read and written on masters only."""
    master = values.is_master(server)
    return Description(
        (
            _program(site),
            Directory(values.ETC),
            Directory(values.ADDITIONS, mode=0o700),
            File(values.CONFIG, values.template(site, server), mode=0o600),
            InterfaceOption(values.INTERFACE, "flannel-iface", str(server.address)),
            _registries(site),
            *((K3sToken(values.token(site), site.former.get("K3S_TOKEN")),) if master else ()),
            K3sStart(values.unit(server), values.command(server)),
            SystemdUnit(values.unit(server), values.unit_text(site, server), serves=True),
        ),
        _readings(site, server),
        _cluster(site) if master else (),
    )


def _program(site: Site) -> Artefact:
    folder = site.root / parameters.ARTEFACTS.of(site)
    return Artefact(values.PROGRAM, site.binary("k3s").digest, folder / "k3s")


def _registries(site: Site) -> Resource:
    found = values.mirror(site)
    if found is None:
        return Absent(values.REGISTRIES)
    return File(values.REGISTRIES, Template(values.TEMPLATES, "registries.yaml.j2", found))


def _cluster(site: Site) -> tuple[Resource, ...]:
    ingress = Template(values.TEMPLATES, "ingress-nginx.yaml.j2", values.images(site))
    return (
        K3sManifest("ingress-nginx", template=ingress),
        *(K3sSchedulable(server.name) for server in site.members(values.GROUP)),
    )


def _certificates(site: Site, server: Server) -> K3sCertificates:
    of_server = certificates.SERVERS if values.is_master(server) else ()
    folders = (*of_server, *certificates.NODES)
    return K3sCertificates("k3s.certificates", folders, parameters.CERTIFICATE_DAYS.of(site))


def _readings(site: Site, server: Server) -> tuple[Reading, ...]:
    own: tuple[Reading, ...] = (
        DirectoryListing("k3s.node", values.NODE),
        HttpGet("k3s.ingress", f"http://127.0.0.1:{values.HEALTH_PORT}/healthz"),
        PodNetwork("k3s.network", values.PODS),
        _certificates(site, server),
        Command(
            "k3s.log",
            ("journalctl", "-u", values.unit(server), "-n", "2", "-o", "cat", "--no-pager", "-q"),
        ),
    )
    if not values.is_master(server):
        return own
    return (
        K3sLook("k3s.api", values.INGRESS),
        DirectoryListing("k3s.database", values.DATABASE),
        DirectoryListing("k3s.etcd", f"{values.DATABASE}/etcd"),
        *own,
    )
