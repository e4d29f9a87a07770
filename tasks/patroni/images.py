"""The Patroni image: what it is built from, the reference that its content gives it (PG-2), and what may follow it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from keybuzz.model.host.docker import content_tag
from keybuzz.model.host.upgrades import Also, Upgrades
from keybuzz.site.module import ImageBuild
from keybuzz.site.site import Site
from tasks.patroni.parameters import PGVECTOR

_REPLAY = (
    "a replica of it can stop at what a primary of an older release writes, and the next release repairs that "
    "(postgresql.org, release notes of 17.9)"
)

UPGRADES = (
    Upgrades(
        "postgres",
        "postgresql.org/docs/16/upgrading.html: minor releases are compatible with earlier and later ones",
        series=1,
        closed="another major version needs pg_upgrade, which no verb of kbz runs",
        # Replicas change first here, so each would read what the older primary writes.
        never=tuple(
            (release, _REPLAY) for release in ((14, 21), (15, 16), (16, 12), (17, 8), (18, 2))
        ),
        backup="postgres",
        also=(Also("patroni", re.compile(r"(?<=:)\d+\.\d+(?=-)")),),
    ),
)
"""Minor releases of PostgreSQL only: another major version has other files."""
_FOLDER = Path(__file__).parent / "image"


@lru_cache(maxsize=4)
def _context() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.is_file()}


def build(site: Site) -> ImageBuild:
    """Return the build; its tag changes with the Dockerfile, the requirements, pgvector's version or the base."""
    context = _context()
    arguments = {"BASE": site.image("postgres"), "PGVECTOR": PGVECTOR.of(site)}
    tag = content_tag(context, arguments)
    return ImageBuild(f"{site.image('patroni')}-{tag}", context, arguments)
