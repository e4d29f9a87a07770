"""Where the embedded lab lives on this machine (lab.md). The values come from the site's overlay."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from keybuzz.model.inventory.host_values import HostValues

DEFAULT_SYSTEM = "debian 12"
TRAITS = "lab.traits"
"""Of single hosts, under `hosts`; of all, `traits` in the section `lab`."""


@dataclass(frozen=True, slots=True)
class LabSettings:
    """Name and folders of one lab. Two labs with other names do not see each other."""

    name: str
    """Name of the controller's network namespace; hosts get `<name>-<host>`."""
    root: Path
    """Per-lab state: one folder per host, keys, known_hosts, the builder's socket."""
    cache: Path
    """Shared by all labs of a machine: the base file systems, packages, images."""
    values: HostValues = field(default_factory=HostValues)
    """The site's parameters: they say what each host is made of."""
    upstream: str | None = None
    """Where the real images come from: a registry or mirror, or nothing for each image's own; None: stand-ins."""

    @property
    def images(self) -> Path:
        """Folder of the builder and of what the registry holds: real images and stand-ins never share one."""
        return self.cache if self.upstream is None else self.cache / "upstream"

    def system(self, host: str) -> str:
        """Return ID and VERSION_ID of the operating system that the lab gives a host."""
        return self.values.of(host, "base.operating_system") or DEFAULT_SYSTEM

    def traits(self, host: str) -> tuple[str, ...]:
        """Return the names of the traits that the lab gives a host."""
        words = (self.values.of(host, TRAITS) or "none").split()
        return tuple(word for word in words if word != "none")

    @property
    def namespace(self) -> Path:
        """The controller's network namespace: the only way to the lab's addresses."""
        return Path("/run/netns") / self.name

    @property
    def private_key(self) -> Path:
        """The controller's SSH key; its public half is in each host's authorized_keys."""
        return self.root / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Pinned host keys of all lab hosts."""
        return self.root / "ssh" / "known_hosts"

    @property
    def builder_socket(self) -> Path:
        """Docker socket of the lab's builder, a daemon outside the lab network that may fetch packages."""
        return self.root / "builder.sock"
