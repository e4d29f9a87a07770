"""Everything that is true before any host is asked: the files of the site, typed and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.host_values import HostValues
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server
from keybuzz.site.applications.described import Applications
from keybuzz.site.files.problems import nearest
from keybuzz.site.parameters.receivers import Receiver
from keybuzz.site.policies import Policies
from keybuzz.site.sources import Sources


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """One frozen image of versions.yaml (VER-1, VER-2)."""

    name: str
    frozen: str
    """The reference as the owner froze it."""
    reference: str
    """The reference that is used: the frozen one, or an override that has a reason."""
    reason: str
    line: int
    digest: str = ""
    """What the registry said that the tag is (`kbz versions lock`); empty when it was not asked yet."""
    upstream: str = ""
    """What became of where it comes from, such as `gone since 2026-09-12 (source)`; empty while it is served."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A program of versions.yaml that is no image: a file that kbz places itself."""

    name: str
    version: str
    digest: str
    """`sha256:…` of the file; empty when it is not written yet."""
    line: int
    reason: str = ""
    """Why it is not the version that was frozen."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value is written."""

    file: str
    line: int
    """1 is the first."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of site.yaml with the overlay laid over them."""

    state: Path
    credentials: Path
    builder_socket: Path
    key_filename: Path
    known_hosts: Path
    parameters: Mapping[str, str]
    not_applicable: Mapping[str, str]
    """Pattern of resource identities, and why hosts of this site cannot hold them."""
    lab: LabSettings | None
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each parameter is written; under the empty name, the file that a missing one belongs into."""
    hosts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pattern of server names to the parameters that these servers have instead."""
    receivers: tuple[Receiver, ...] = ()
    """Who is told of drift, health, runs and backups."""

    def on(self, server: str, name: str) -> str | None:
        """Return the text of a parameter as it is on one server; None when nothing is written."""
        return HostValues(self.parameters, self.hosts).of(server, name)


@dataclass(frozen=True, slots=True)
class Site:
    """The truth by hand, in one value."""

    root: Path
    """Folder of nornir_config.yaml; relative paths start here."""
    servers: tuple[Server, ...]
    catalogue: GroupCatalogue
    versions: Mapping[str, ImageVersion]
    settings: Settings
    credentials: Mapping[str, Secret]
    digest_key: DigestKey
    policies: Policies = field(default_factory=Policies)
    former: Mapping[str, Secret] = field(default_factory=dict)
    """Values that a rotation is about to replace: while it lasts, a cluster that can takes both."""
    binaries: Mapping[str, Binary] = field(default_factory=dict)
    """Programs of versions.yaml that are files."""
    applications: Applications = field(default_factory=Applications)
    """What applications.yaml describes."""
    sources: Sources = field(default_factory=Sources)
    """The files that it was read from; none for a site that was made otherwise."""
    versions_text: str = ""
    """versions.yaml as it stands: the same file is placed on the controller (VER-1)."""

    def server(self, name: str) -> Server:
        """Return the server of that name."""
        for server in self.servers:
            if server.name == name:
                return server
        near = nearest(name, (server.name for server in self.servers))
        raise UsageError(f"no server is named {name}", where="servers.tsv", hint=near)

    def members(self, group: str) -> tuple[Server, ...]:
        """Return the servers of a closed group, by name."""
        return self.catalogue.group(group).members(self.servers)

    def image(self, name: str) -> str:
        """Return the reference to use for an image of versions.yaml, with its digest; there is no default (VER-1)."""
        if name not in self.versions:
            raise InputError(
                f"image {name} is not listed", where="versions.yaml", hint="add it with its tag"
            )
        return self.pinned(self.versions[name])

    def binary(self, name: str) -> Binary:
        """Return a program of versions.yaml; there is no default (VER-1)."""
        if name not in self.binaries:
            raise InputError(
                f"binary {name} is not listed",
                where="versions.yaml",
                hint="add it with its version and the sha256 of its file",
            )
        return self.binaries[name]

    def pinned(self, version: ImageVersion) -> str:
        """Return `name:tag@sha256:…` when the digest is known and this site compares digests, else `name:tag`."""
        if version.digest and self.settings.parameters.get("versions.no_digests", "none") == "none":
            return f"{version.reference}@{version.digest}"
        return version.reference

    def secret(self, name: str) -> Secret:
        """Return a credential by its canonical name (facts/credentials.md)."""
        if name not in self.credentials:
            from keybuzz.site.credentials.schema import schema

            missing = (item.name for item in schema() if item.name not in self.credentials)
            others = ", ".join(other for other in missing if other != name)
            more = f"; so {'are' if ',' in others else 'is'} {others}" if others else ""
            raise InputError(
                f"credential {name} is missing{more}",
                where=str(self.settings.credentials),
                hint="`kbz secrets init` creates what is missing and overwrites nothing",
            )
        return self.credentials[name]

    def not_applicable(self, identity: str) -> str | None:
        """Return why hosts of this site cannot hold a resource, or None."""
        for pattern, reason in self.settings.not_applicable.items():
            if fnmatchcase(identity, pattern):
                return reason
        return None
