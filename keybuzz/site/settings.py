"""inventory/site.yaml and the overlay over it: what differs between production and the lab is data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.host_values import HostValues
from keybuzz.model.inventory.lab import TRAITS, LabSettings
from keybuzz.site.files.problems import Problems, nearest, read_file
from keybuzz.site.files.yaml_tree import Scalar, Tree, TreeReader, parse_fields
from keybuzz.site.parameters.receivers import Receiver, parse_receivers
from keybuzz.site.site import Place, Settings

_LIMIT = 1 << 18
_PATHS = ("state", "credentials", "builder_socket", "key_filename", "known_hosts")
_LAB = ("name", "root", "cache")
_LAB_MORE = ("traits",)
_SECTIONS = ("paths", "parameters", "not_applicable", "lab")
_HOSTS = "hosts"
_NOTIFY = "notify"

Flat = dict[str, dict[str, str]]
"""Section to key to value."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of one file, and the lines of its parameters."""

    values: Flat
    places: dict[str, Place]
    hosts: Flat
    """Pattern of server names to parameter to value."""
    receivers: dict[str, Receiver]
    """Who is told, by name."""


def load_settings(root: Path, base: Path, overlay: Path | None) -> Settings:
    """Return the base's values, each replaced where the overlay has one; a lab has only its own receivers."""
    first = read_sections(base)
    merged, places = dict(first.values), {"": Place(str(base), 1), **first.places}
    hosts, receivers = first.hosts, first.receivers
    if overlay:
        second = read_sections(overlay)
        places |= second.places
        # A lab tells only receivers of its own: those of production must hear nothing of it.
        receivers = ({} if second.values["lab"] else receivers) | second.receivers
        merged = {name: {**values, **second.values[name]} for name, values in merged.items()}
        # Behind all others, too: of two patterns that match, the later wins.
        others = {pattern: found for pattern, found in hosts.items() if pattern not in second.hosts}
        hosts = others | {
            pattern: {**hosts.get(pattern, {}), **found} for pattern, found in second.hosts.items()
        }
    problems = Problems(str(base))
    for key in _PATHS:
        if key not in merged["paths"]:
            problems.add(1, f"paths has no {key}", f"add {key}: …")
    lab = merged["lab"]
    if lab and set(lab) - set(_LAB_MORE) != set(_LAB):
        problems.add(1, "lab needs name, root and cache", "take the lab.yaml that is in git")
    problems.raise_if_any()
    paths = {key: root / Path(value).expanduser() for key, value in merged["paths"].items()}
    return Settings(
        state=paths["state"],
        credentials=paths["credentials"],
        builder_socket=paths["builder_socket"],
        key_filename=paths["key_filename"],
        known_hosts=paths["known_hosts"],
        parameters=merged["parameters"],
        not_applicable=merged["not_applicable"],
        lab=_lab(lab, merged["parameters"], hosts) if lab else None,
        places=places,
        hosts=hosts,
        receivers=tuple(receivers.values()),
    )


def _lab(lab: dict[str, str], parameters: dict[str, str], hosts: Flat) -> LabSettings:
    """Return the lab's settings; traits are a value that single hosts can have too."""
    common = {**parameters, TRAITS: lab.get("traits", "none")}
    place = (lab["name"], Path(lab["root"]), Path(lab["cache"]))
    return LabSettings(*place, HostValues(common, hosts))


def require_servers(settings: Settings, names: Iterable[str]) -> None:
    """Raise InputError when a pattern under `hosts` matches no server: it would be without effect."""
    every = tuple(names)
    for pattern, values in settings.hosts.items():
        if any(fnmatchcase(name, pattern) for name in every):
            continue
        place = settings.places.get(f"{_HOSTS}.{pattern}.{next(iter(values), '')}")
        raise InputError(
            f"hosts.{pattern} matches no server",
            where=f"{place.file}:{place.line}" if place else "site.yaml",
            hint=nearest(pattern, every),
        )


def read_sections(path: Path) -> Sections:
    """Return the sections of one file, each key with its text."""
    problems = Problems(str(path))
    reader = _SettingsReader(problems)
    sections = reader.sections(parse_fields(read_file(path, _LIMIT), str(path)), str(path))
    problems.raise_if_any()
    return sections


class _SettingsReader(TreeReader):
    def sections(self, tree: Tree, file: str) -> Sections:
        """Return every section of the file; one that is missing is empty."""
        places: dict[str, Place] = {}
        found = self.fields(tree, "the file", (), (*_SECTIONS, _HOSTS, _NOTIFY))
        flat: Flat = {name: {} for name in _SECTIONS}
        hosts: Flat = {}
        notify = found.pop(_NOTIFY, None)
        receivers = parse_receivers(self, notify, file) if notify is not None else {}
        for name, section in found.items():
            for key, value in self.entries(section, name):
                if name == _HOSTS:
                    label = f"{_HOSTS}.{key.text}"
                    entries = self.entries(value, label)
                    places |= {
                        f"{label}.{word.text}": Place(file, word.line) for word, _ in entries
                    }
                    hosts[key.text] = {
                        word.text: self.text(text, f"{label}.{word.text}") for word, text in entries
                    }
                    continue
                self._known(name, key)
                flat[name][key.text] = self.text(value, f"{name}.{key.text}")
                if name == "parameters":
                    places[key.text] = Place(file, key.line)
        return Sections(flat, places, hosts, receivers)

    def _known(self, section: str, key: Scalar) -> None:
        known = {"paths": _PATHS, "lab": _LAB + _LAB_MORE}.get(section)
        if known is not None and key.text not in known:
            self.problems.add(key.line, f"{section} has no key {key.text}", ", ".join(known))
