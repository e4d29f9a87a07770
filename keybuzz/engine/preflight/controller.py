"""What stands in the way on the machine that kbz runs on: credentials, keys, artefacts, room. Nothing is written."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.secret import sha256
from keybuzz.model.reports.preflight import CONTROLLER, Obstacle
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.site import Site
from keybuzz.transport.ssh.known_hosts import pinned_keys
from keybuzz.transport.ssh.pinning import read_text

_ROOM = 10 * 2**30
"""Bytes for images on their way to hosts that cannot pull them."""
_HERE = (CONTROLLER,)
_NAMED = 3


def of_controller(
    site: Site, schema: Iterable[Credential], selected: frozenset[str], programs: frozenset[str]
) -> Iterator[Obstacle]:
    """Yield every obstacle that is known without asking a host; `programs` are the binaries that the modules place."""
    yield from _credentials(site, schema)
    yield from _private_key(site)
    yield from _host_keys(site, selected)
    yield from _state(site)
    yield from _artefacts(site, programs)
    yield from _digests(site, programs)


def _credentials(site: Site, schema: Iterable[Credential]) -> Iterator[Obstacle]:
    missing = [item.name for item in schema if item.name not in site.credentials]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        what = f"{len(missing)} are missing: {', '.join(missing[:_NAMED])}{more}"
        yield Obstacle(_HERE, "credentials", what, "kbz secrets init")
    folder = site.settings.credentials
    if folder.is_dir() and folder.stat().st_mode & 0o077:
        mode = f"{stat.S_IMODE(folder.stat().st_mode):04o}"
        todo = proposed("chmod", "0700", folder)
        yield Obstacle(_HERE, "credentials", f"{folder} may be read by others (mode {mode})", todo)


def _private_key(site: Site) -> Iterator[Obstacle]:
    path = site.settings.key_filename
    if not path.is_file():
        todo = "paths.key_filename in site.yaml names the private key of this machine"
        yield Obstacle(_HERE, "SSH key", f"there is no file {path}", todo)
    elif path.stat().st_mode & 0o077:
        mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
        todo = proposed("chmod", "0600", path)
        yield Obstacle(_HERE, "SSH key", f"{path} may be read by others (mode {mode})", todo)


def _host_keys(site: Site, selected: frozenset[str]) -> Iterator[Obstacle]:
    text = read_text(site.settings.known_hosts)
    for server in site.servers:
        if server.name not in selected or "controller" in server.groups:
            continue
        keys = pinned_keys(text, str(server.address), 22)
        if not keys.accepted and not keys.authorities:
            todo = proposed("kbz", "hosts", "trust", "--limit", server.name, "--from", "FILE")
            yield Obstacle((server.name,), "host key", "no host key is pinned", todo)


def _state(site: Site) -> Iterator[Obstacle]:
    folder = site.settings.state
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not os.access(there, os.W_OK):
        yield Obstacle(_HERE, "state", f"{there} cannot be written", "run kbz as root")
        return
    if folder.exists() and folder.stat().st_mode & 0o022:
        mode = f"{stat.S_IMODE(folder.stat().st_mode):04o}"
        todo = proposed("chmod", "0700", folder)
        yield Obstacle(_HERE, "state", f"{folder} may be written by others (mode {mode})", todo)
    free = shutil.disk_usage(there).free
    if free < _ROOM:
        what = f"{free / 2**30:.1f} GiB are free in {there}; images need {_ROOM // 2**30} GiB"
        yield Obstacle(_HERE, "state", what, "make room, or move paths.state", stops=False)


def _artefacts(site: Site, programs: frozenset[str]) -> Iterator[Obstacle]:
    for name, binary in sorted(site.binaries.items()):
        if name not in programs:
            continue
        folder = site.settings.parameters.get(f"{name}.artefacts", "")
        path = site.root / folder / name
        if not folder:
            continue
        if not path.is_file():
            todo = f"put {name} {binary.version} there"
            yield Obstacle(_HERE, "artefact", f"there is no file {path}", todo)
        elif binary.digest and sha256(path.read_bytes()) != binary.digest:
            what = f"{path} is not {name} {binary.version}: its digest is another one"
            yield Obstacle(_HERE, "artefact", what, f"compare it with {binary.digest}")


def _digests(site: Site, programs: frozenset[str]) -> Iterator[Obstacle]:
    if site.settings.parameters.get("versions.no_digests", "none") != "none":
        return
    without = sorted(name for name in programs if not site.binaries[name].digest)
    if without:
        what = f"no digest is written of {', '.join(without)}"
        yield Obstacle(_HERE, "versions", what, "write it in versions.yaml", stops=False)
