"""Where the embedded lab lives on this machine (lab.md). The values come from the site's overlay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LabSettings:
    """Name and folders of one lab. Two labs with other names do not see each other."""

    name: str
    """Name of the controller's network namespace; hosts get `<name>-<host>`."""
    root: Path
    """Per-lab state: one folder per host, keys, known_hosts, the builder's socket."""
    cache: Path
    """Shared by all labs of a machine: the base file system, packages, images."""

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
