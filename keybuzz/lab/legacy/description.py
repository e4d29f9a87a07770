"""What an old deployment of one module is: `tasks/MODULE/legacy/VARIANT.yaml`, filled in for one host.

The files are data, with the placeholders of Jinja2: `host`, `first`, `members`, `others` and `secret`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

import tasks
from keybuzz.model.core.errors import InputError, UsageError
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.yaml_tree import Fields, Listing, Scalar, Tree, parse_yaml

_KEYS = frozenset(
    [
        "group",
        "together",
        "images",
        "programs",
        "secrets",
        "directories",
        "files",
        "containers",
        "start",
        "ready",
        "afterwards",
        "fill",
    ]
)


@dataclass(frozen=True, slots=True)
class OldDirectory:
    """A folder, with owner and mode as the scripts left them."""

    path: str
    owner: str
    mode: str


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file: configuration, a unit that was left over, a cron line."""

    path: str
    owner: str
    mode: str
    text: str


@dataclass(frozen=True, slots=True)
class OldContainer:
    """One `docker run`, word by word; `run` has what stands before the image."""

    name: str
    image: str
    run: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OldHost:
    """Everything that one host gets, in this order."""

    images: Mapping[str, str]
    """Old reference, and the image of this lab that stands for it, or `build:` and a folder beside the file."""
    programs: Mapping[str, str]
    """Path on the host, and the program of this lab that stands for the old one."""
    directories: tuple[OldDirectory, ...]
    files: tuple[OldFile, ...]
    containers: tuple[OldContainer, ...]
    start: str
    """What the scripts started besides, such as a unit; empty for nothing."""
    ready: str
    """A shell condition that holds when the host serves."""
    afterwards: str
    """What the scripts did when all hosts served; empty for nothing."""
    fill: str
    """Puts data in; run on the first host only."""


@dataclass(frozen=True, slots=True)
class OldDeployment:
    """One variant of a module's old deployment."""

    module: str
    variant: str
    path: Path

    def group(self) -> str:
        """Return the group of groups.yaml whose hosts it is on."""
        return _text(self._tree({}), "group")

    def together(self) -> bool:
        """Return whether its members wait for each other: all are started before one is ready."""
        return _text(self._tree({}), "together") == "yes"

    def secrets(self) -> tuple[str, ...]:
        """Return the names of the secrets that stand in it."""
        return tuple(_words(self._tree({}), "secrets"))

    def on(self, host: Server, members: Sequence[Server], secret: Mapping[str, str]) -> OldHost:
        """Return what one of its members gets."""
        known = [{"name": one.name, "address": str(one.address)} for one in members]
        mine = {"name": host.name, "address": str(host.address)}
        tree = self._tree(
            {
                "host": mine,
                "first": known[0],
                "members": known,
                "others": [one for one in known if one != mine],
                "secret": secret,
            }
        )
        return OldHost(
            {key: _word(value) for key, value in _entries(tree, "images")},
            {key: _word(value) for key, value in _entries(tree, "programs")},
            tuple(
                OldDirectory(_text(one, "path"), _text(one, "owner"), _text(one, "mode"))
                for one in _items(tree, "directories")
            ),
            tuple(
                OldFile(*(_text(one, key) for key in ("path", "owner", "mode", "text")))
                for one in _items(tree, "files")
            ),
            tuple(
                OldContainer(
                    _text(one, "name"),
                    _text(one, "image"),
                    tuple(_text(one, "run").split()),
                    tuple(_words(one, "command")),
                )
                for one in _items(tree, "containers")
            ),
            *(_text(tree, key) for key in ("start", "ready", "afterwards", "fill")),
        )

    def _tree(self, values: Mapping[str, object]) -> Fields:
        """Return the file with its placeholders filled; where there are no values, they stay empty."""
        undefined = jinja2.StrictUndefined if values else jinja2.ChainableUndefined
        environment = jinja2.Environment(undefined=undefined, autoescape=False)
        text = environment.from_string(self.path.read_text(encoding="utf-8")).render(values)
        tree = parse_yaml(text.encode(), str(self.path))
        if not isinstance(tree, Fields):
            raise InputError("is no mapping", where=str(self.path))
        if unknown := {key.text for key, _ in tree.entries} - _KEYS:
            raise InputError(f"has {', '.join(sorted(unknown))}", where=str(self.path))
        return tree


def modules() -> tuple[str, ...]:
    """Return the modules of which there is an old deployment."""
    return tuple(sorted({path.parent.parent.name.replace("_", "-") for path in _files("*")}))


def deployment(module: str, variant: str | None) -> OldDeployment:
    """Return one variant of a module's old deployment; without a name the first one."""
    found = {path.stem: path for path in sorted(_files(module.replace("-", "_")))}
    if not found:
        raise UsageError(
            f"there is no old deployment of {module}",
            hint=f"there is one of {', '.join(modules())}",
        )
    chosen = next(iter(found)) if variant is None else variant
    if chosen not in found:
        raise UsageError(f"{module} has no variant {chosen}", hint=f"it has {', '.join(found)}")
    return OldDeployment(module, chosen, found[chosen])


def _files(folder: str) -> list[Path]:
    return list(Path(tasks.__path__[0]).glob(f"{folder}/legacy/*.yaml"))


def _get(tree: Fields, name: str) -> Tree | None:
    return next((value for key, value in tree.entries if key.text == name), None)


def _word(value: Tree | None) -> str:
    return value.text if isinstance(value, Scalar) else ""


def _text(tree: Fields, name: str) -> str:
    return _word(_get(tree, name))


def _words(tree: Fields, name: str) -> list[str]:
    value = _get(tree, name)
    return [_word(item) for item in value.items] if isinstance(value, Listing) else []


def _items(tree: Fields, name: str) -> list[Fields]:
    value = _get(tree, name)
    items = value.items if isinstance(value, Listing) else ()
    return [item for item in items if isinstance(item, Fields)]


def _entries(tree: Fields, name: str) -> list[tuple[str, Tree]]:
    value = _get(tree, name)
    entries = value.entries if isinstance(value, Fields) else ()
    return [(key.text, item) for key, item in entries]
