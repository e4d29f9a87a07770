"""mc's own file of aliases: version 10, one entry for each alias, mode 0600 in a folder of mode 0700."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_FORM = "10"


class FatalError(Exception):
    """What mc ends with, in its words."""


def path() -> Path:
    """Return the file, where mc looks for it too."""
    folder = os.environ.get("MC_CONFIG_DIR") or str(Path.home() / ".mc")
    return Path(folder) / "config.json"


def load() -> dict[str, Any]:
    """Return the configuration; a fresh one when there is no file. FatalError for another form."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"version": _FORM, "aliases": {}}
    except ValueError:
        raise FatalError("Unable to parse config file.") from None
    if not isinstance(found, dict) or found.get("version") != _FORM:
        raise FatalError(f"Unable to load config version `{_FORM}`.")
    return {**found, "aliases": found.get("aliases") or {}}


def save(found: dict[str, Any]) -> None:
    """Write the file in one step, for its owner alone."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(found, stream, indent="\t")
    unfinished.replace(target)


def alias(name: str) -> dict[str, str]:
    """Return an alias; FatalError when there is none."""
    entry = load()["aliases"].get(name)
    if not isinstance(entry, dict):
        raise FatalError(f"Invalid alias `{name}`: no such alias.")
    return {key: str(value) for key, value in entry.items()}
