"""Strays: what is on a host and no description explains. What is explained follows from the descriptions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import Directory
from keybuzz.model.host.retired import CONTAINER, FILE, FOLDER, UNIT, Retired
from keybuzz.model.host.strays import Explained, StraySweep
from keybuzz.model.host.system import Firewall, Service, SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drift import DriftItem
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

READING = "strays"
ROOTS = ("/opt/keybuzz",)
_OURS = ("kbz", "keybuzz")
_PARTS = {
    "containers": "container:",
    "units": "unit:",
    "cron": "cron:",
    "ports": "port:",
    "files": "file:",
    "doors": "door:",
    "keys": "key:",
    "additions": "added:",
}
_EPHEMERAL = 32768
"""From here on the kernel chooses ports by itself: their numbers are no lasting names."""


def explained(site: Site, server: Server, modules: Iterable[Module]) -> Explained:
    """Return what the modules that run on a server explain there."""
    here = [module for module in modules if module.group in server.groups]
    found = [module.describe(site, server) for module in here]
    resources = [resource for description in found for resource in description.resources]
    folders, files = _paths(resources)
    traces = [description.traces for description in found]
    files |= {path for trace in traces for path in trace.files}
    leaving = [resource for resource in resources if isinstance(resource, Retired)]
    files |= {item.target for item in leaving if item.part == FILE}
    folders |= {item.target for item in leaving if item.part == FOLDER}
    folders |= {
        str(parent) for path in (*folders, *files) for parent in PurePosixPath(path).parents
    }
    return Explained(
        containers=frozenset(
            (
                *(r.container for r in resources if isinstance(r, Container)),
                *(item.target for item in leaving if item.part == CONTAINER),
            )
        ),
        folders=frozenset(folders),
        files=frozenset(files),
        ports=frozenset(_ports_of(here, resources)),
        units=frozenset(
            (
                *(r.unit for r in resources if isinstance(r, Service | SystemdUnit)),
                *(unit for trace in traces for unit in trace.units),
                *(item.target for item in leaving if item.part == UNIT),
            )
        ),
        cron=frozenset(
            (
                *(path for trace in traces for path in trace.cron),
                *(item.target for item in leaving if item.part == FILE),
            )
        ),
        programs=frozenset(program for trace in traces for program in trace.programs),
        keys=frozenset(key for trace in traces for key in trace.keys),
    )


def _ports_of(modules: Iterable[Module], resources: Iterable[Resource]) -> Iterator[int]:
    """Yield the TCP ports of every service, and those that the firewall knows beside them."""
    for module in modules:
        yield from module.ground.ports if module.ground is not None else ()
    for resource in resources:
        yield from resource.listening if isinstance(resource, Firewall) else ()


def _paths(resources: Iterable[Resource]) -> tuple[set[str], set[str]]:
    """Return the folders that are looked into, and the paths that are taken as they are.

    What a container may write is its own: no module describes the files of a database.
    """
    folders: set[str] = set()
    files: set[str] = set()
    for resource in resources:
        if isinstance(resource, Container):
            files |= {bind.source for bind in resource.binds if not bind.read_only}
        elif isinstance(resource, Directory):
            folders.add(resource.path)
        elif resource.name.startswith("/"):
            files.add(resource.name)
    return folders, files


def words(site: Site, modules: Iterable[Module]) -> frozenset[str]:
    """Return the names of our programs, by which a unit is known that another way of running them left behind."""
    found = set(_OURS)
    for module in modules:
        members = site.members(module.group)
        if members:
            found |= _container_names(module.describe(site, members[0]))
    return frozenset(found)


def _container_names(description: Description) -> set[str]:
    return {r.container for r in description.resources if isinstance(r, Container)}


def known(site: Site, host: str, modules: Iterable[Module], own: frozenset[str]) -> Explained:
    """Return what is explained on a host: by the modules, and the keys with which kbz itself logs in."""
    found = explained(site, site.server(host), modules)
    return replace(found, keys=found.keys | own)


def sweep(found: Explained) -> StraySweep:
    """Return the question to the host."""
    return StraySweep(READING, ROOTS, found)


def strays(
    host: str, known: Explained, ours: frozenset[str], answer: Answer
) -> tuple[DriftItem, ...]:
    """Return the strays of a host, each once."""
    if not answer.known:
        return ()
    value = answer.value
    items = {
        identity: DriftItem(f"stray/{host}/{identity}", host, what)
        for identity, what in (
            *_containers(value, known),
            *_units(value, known, ours),
            *_cron(value, known),
            *_ports(value, known),
            *((f"file:{path}", "no module describes it") for (path,) in value["files"]),
            *((f"door:{identity}", what) for identity, what in value["doors"]),
            *_keys(value, known),
            *((f"added:{path}", what) for path, what in value["additions"]),
        )
    }
    return tuple(items.values())


def looked_at(host: str, answer: Answer) -> Iterator[str]:
    """Yield the beginnings of the ids of strays that this answer would have found, had they been there."""
    if answer.known:
        missing = {*answer.value["problems"], *answer.value["truncated"]}
        yield from (f"stray/{host}/{kind}" for part, kind in _PARTS.items() if part not in missing)


def problems(host: str, answer: Answer) -> Iterator[str]:
    """Yield what could not be looked at, in sentences."""
    if not answer.known:
        yield f"{host}: strays were not looked for: {answer.problem}"
        return
    for part, why in answer.value["problems"].items():
        yield f"{host}: stray {part} were not looked for: {why}"
    for part in answer.value["truncated"]:
        yield f"{host}: more stray {part} than are listed"


Found = Iterator[tuple[str, str]]
Value = Mapping[str, Any]


def _containers(value: Value, known: Explained) -> Found:
    for name, image, state in value["containers"]:
        if name not in known.containers:
            yield f"container:{name}", f"{state}, of image {image}"


def _units(value: Value, known: Explained, ours: frozenset[str]) -> Found:
    """A unit that was made here by hand, or an enabled one of a program that we run in a container."""
    for name, made, enabled in value["units"]:
        if any(fnmatchcase(name, pattern) for pattern in known.units):
            continue
        stem = name.rpartition(".")[0]
        named = any(stem == word or stem.startswith((f"{word}-", f"{word}@")) for word in ours)
        if made or (enabled and named):
            how = "made by hand" if made else "of a package"
            yield f"unit:{name}", f"{how}, {'enabled' if enabled else 'not enabled'}"


def _cron(value: Value, known: Explained) -> Found:
    for path, identity, what in value["cron"]:
        if not any(fnmatchcase(path, pattern) for pattern in known.cron):
            yield f"cron:{path}" + (f"#{identity}" if identity else ""), what


def _keys(value: Value, known: Explained) -> Found:
    for account, key, what in value["keys"]:
        if key not in known.keys:
            yield f"key:{key} of {account}", f"may log in as {account}: {what}"


def _ports(value: Value, known: Explained) -> Found:
    """A port has one name, on however many addresses it is open."""
    places: dict[str, list[str]] = {}
    programs: dict[str, str] = {}
    for port, address, program in value["ports"]:
        local = address.startswith("127.") or address == "[::1]"
        if local and program in known.programs:
            continue
        name = f"port:{program}" if port >= _EPHEMERAL and program else f"port:{port}"
        places.setdefault(name, []).append(f"{address}:{port}")
        programs[name] = program
    for name, found in places.items():
        yield name, f"{programs[name] or 'a process'} listens on {', '.join(found)}"
