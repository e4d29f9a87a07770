"""inventory/site.yaml and the overlay over it: what differs between production and the lab is data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.inventory.lab import LabSettings
from keybuzz.site.files.problems import Problems, read_file
from keybuzz.site.files.yaml_tree import Scalar, Tree, TreeReader, parse_fields
from keybuzz.site.site import Place, Settings

_LIMIT = 1 << 18
_PATHS = ("state", "credentials", "builder_socket", "key_filename", "known_hosts")
_LAB = ("name", "root", "cache")
_SECTIONS = ("paths", "parameters", "not_applicable", "lab")

Flat = dict[str, dict[str, str]]
"""Section to key to value."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of one file, and the lines of its parameters."""

    values: Flat
    places: dict[str, Place]


def load_settings(root: Path, base: Path, overlay: Path | None) -> Settings:
    """Return the base's values, each replaced where the overlay has one."""
    first = read_sections(base)
    merged, places = dict(first.values), {"": Place(str(base), 1), **first.places}
    if overlay:
        second = read_sections(overlay)
        places |= second.places
        merged = {name: {**values, **second.values[name]} for name, values in merged.items()}
    problems = Problems(str(base))
    for key in _PATHS:
        if key not in merged["paths"]:
            problems.add(1, f"paths has no {key}", f"add {key}: …")
    lab = merged["lab"]
    if lab and set(lab) != set(_LAB):
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
        lab=LabSettings(lab["name"], Path(lab["root"]), Path(lab["cache"])) if lab else None,
        places=places,
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
        found = self.fields(tree, "the file", (), _SECTIONS)
        flat: Flat = {name: {} for name in _SECTIONS}
        for name, section in found.items():
            for key, value in self.entries(section, name):
                self._known(name, key)
                flat[name][key.text] = self.text(value, f"{name}.{key.text}")
                if name == "parameters":
                    places[key.text] = Place(file, key.line)
        return Sections(flat, places)

    def _known(self, section: str, key: Scalar) -> None:
        known = {"paths": _PATHS, "lab": _LAB}.get(section)
        if known is not None and key.text not in known:
            self.problems.add(key.line, f"{section} has no key {key.text}", ", ".join(known))
