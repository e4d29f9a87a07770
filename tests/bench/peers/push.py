# mypy: ignore-errors
"""W3 for pyinfra: the files only."""

from __future__ import annotations

from pyinfra import host
from pyinfra.operations import files

for name in host.data.files:
    files.put(
        src=f"{host.data.source}/{name}",
        dest=f"{host.data.folder}/{host.name}/{name}",
        user="root",
        group="root",
        mode="644",
        add_deploy_dir=False,
    )
