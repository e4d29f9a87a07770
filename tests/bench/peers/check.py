# mypy: ignore-errors
"""W2 for pyinfra, which runs it in its own environment."""

from __future__ import annotations

from pyinfra import host
from pyinfra.operations import files, server

place = f"{host.data.folder}/{host.name}"
for name in host.data.directories:
    files.directory(path=f"{place}/{name}", user="root", group="root", mode="755")
for name in host.data.files:
    files.put(
        src=f"{host.data.source}/{name}",
        dest=f"{place}/{name}",
        user="root",
        group="root",
        mode="644",
        add_deploy_dir=False,
    )
for name, value in host.data.settings.items():
    server.sysctl(key=name, value=value)
