"""The Docker Engine: where its packages come from, which one it is, its configuration. Pure."""

from __future__ import annotations

import json

from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import sha256
from keybuzz.model.host.docker import DockerDaemon
from keybuzz.model.host.files import Artefact, Directory, File, HostValidator, UnitReload
from keybuzz.model.host.system import Package, Service
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.base import parameters

KEY = "/etc/apt/keyrings/docker.asc"
SOURCE = "/etc/apt/sources.list.d/docker.sources"
DAEMON = {
    "exec-opts": ["native.cgroupdriver=systemd"],
    "log-driver": "json-file",
    "log-opts": {"max-file": "3", "max-size": "20m"},
    "storage-driver": "overlay2",
}


def docker(site: Site, server: Server) -> tuple[Resource, ...]:
    """Return everything about the engine of one server, in the order in which it is installed."""
    text = json.dumps(_daemon(site), indent=2, sort_keys=True) + "\n"
    validator = parameters.DOCKER_VALIDATOR.on(site, server).split()
    return (
        *_source(site, server),
        *_packages(site, server),
        Directory("/etc/docker"),
        File(
            "/etc/docker/daemon.json",
            Content.plain(text),
            validator=HostValidator(tuple(validator)),
            # It interrupts nothing, and mirrors of registries are used from then on: the restart may come later.
            # Never a verb that restarts: this file is written on all hosts at once.
            reload=UnitReload("docker.service", "reload"),
        ),
        Service("docker.service"),
        DockerDaemon("json-file", "overlay2", "systemd", sha256(text.encode())),
    )


def _source(site: Site, server: Server) -> tuple[Resource, ...]:
    """Return apt's source of Docker's packages, and the key that signs it; nothing where the hosts have theirs.

    The key's file lies on the controller: no host fetches it, and none takes another one than the site names.
    """
    address = parameters.DOCKER_SOURCE.on(site, server)
    if address is None:
        return ()
    digest = parameters.DOCKER_SOURCE_DIGEST.of(site)
    if digest is None:
        raise InputError(
            "base.docker_source has no key: base.docker_source_digest is none",
            where="site.yaml",
            hint="write `sha256:` and the sha256sum of the key's file, base.docker_source_key",
        )
    text = (
        "# Managed by kbz (module base).\n"
        f"Types: deb\nURIs: {address}\n"
        f"Suites: {parameters.DOCKER_SOURCE_SUITE.on(site, server)}\n"
        f"Components: stable\nSigned-By: {KEY}\n"
    )
    return (
        Directory("/etc/apt/keyrings"),
        Artefact(KEY, digest, site.root / parameters.DOCKER_SOURCE_KEY.of(site), 0o644),
        File(SOURCE, Content.plain(text)),
    )


def _packages(site: Site, server: Server) -> tuple[Package, ...]:
    """The engine in one version, held: it once floated from 24 to 29 by itself (facts/02).

    Its command line is a package of its own in newer releases, and only recommended: operators need it.
    """
    engine = Package(
        parameters.DOCKER_PACKAGE.on(site, server),
        parameters.DOCKER_VERSION.on(site, server) or "",
        held=True,
        downgrade=parameters.DOCKER_DOWNGRADE.on(site, server),
    )
    command_line = parameters.DOCKER_CLI_PACKAGE.on(site, server)
    return (engine, Package(command_line)) if command_line else (engine,)


def _daemon(site: Site) -> dict[str, object]:
    """Return daemon.json; where the site has a mirror of Docker Hub, images are pulled from there."""
    mirrors = parameters.REGISTRY_MIRRORS.of(site)
    return {**DAEMON, "registry-mirrors": list(mirrors)} if mirrors else {**DAEMON}
