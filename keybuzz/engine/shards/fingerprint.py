"""What a controller and its workers must have in common: the program, and the site with its secrets.

Nothing can be read from what is compared: digests of the site are keyed with the site's own digest key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from keybuzz.site.load import Configuration
from keybuzz.site.site import Site

KEY = "state/digest.key"
"""The first part that is compared: with another key all others would differ as well."""
SECRETS = "credentials"
_LEFT_OUT = frozenset({"stand_in", "legacy", "__pycache__"})
"""Folders that a wheel does not have."""


@cache
def program() -> str:
    """Return the version of kbz, and a digest of its sources: a clone one commit older is another program."""
    import keybuzz
    import tasks

    digest = hashlib.sha256()
    for package in (keybuzz.__path__[0], tasks.__path__[0]):
        root = Path(package)
        for path in sorted(_sources(root)):
            content = path.read_bytes()
            digest.update(f"{root.name}/{path.relative_to(root)} {len(content)}\n".encode())
            digest.update(content)
    return f"{version('kbz')} ({digest.hexdigest()[:12]})"


def _sources(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.is_file() and not _LEFT_OUT & set(parts):
            yield path


def site_parts(configuration: Configuration, site: Site) -> dict[str, str]:
    """Return a digest of each part of the site; nornir_config.yaml is left out: that one is each machine's own."""
    key = site.digest_key.key
    files = {
        "servers": configuration.servers,
        "groups": configuration.groups,
        "versions": configuration.versions,
        "site": configuration.site,
        "policies": configuration.policies,
        "overlay": configuration.overlay,
        "applications": configuration.applications,
    }
    texts = {
        name: site.sources.digests.get(path, "") if path is not None else ""
        for name, path in files.items()
    }
    texts[SECRETS] = "\0".join(
        f"{name}={secret.reveal()}" for name, secret in sorted(site.credentials.items())
    )
    return {
        KEY: _keyed(key, "the key itself"),
        **{name: _keyed(key, f"{name}\0{text}") for name, text in texts.items()},
    }


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, f"kbz shard\0{text}".encode(), hashlib.sha256).hexdigest()[:32]


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return the parts that differ, as a sentence; "" when none does."""
    parts = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    if KEY in parts:
        return f"another {KEY}"
    return f"another {', '.join(parts)}" if parts else ""
