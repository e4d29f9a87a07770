"""What an upgrade has begun, in the state folder: how the same command ends it, and where `--back` leads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from keybuzz.site.files.private import StateError, private_subfolder, read_private, remove_private
from keybuzz.site.files.whole import put
from keybuzz.site.versions import Entry

_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """One upgrade of an image."""

    image: str
    target: str
    """The reference that it leads to."""
    former: str
    """The one that it came from."""
    before: Mapping[str, Entry]
    """What versions.yaml said, by image: what `--back` writes again."""
    done: bool = False

    def ended(self) -> Record:
        """Return it as one that is complete."""
        return replace(self, done=True)


def read(state: Path, image: str) -> Record | None:
    """Return the last upgrade of an image; None when there is none. StateError for what is no record."""
    path = _place(state, image)
    try:
        found = json.loads(read_private(path, _LARGEST))
        before = {str(name): Entry(**entry) for name, entry in found["before"].items()}
        return Record(
            str(found["image"]),
            str(found["target"]),
            str(found["former"]),
            before,
            bool(found["done"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(
            "is no record of an upgrade",
            where=str(path),
            hint="look at it, and move it away; versions.yaml says which version is wanted",
        ) from error


def write(state: Path, record: Record) -> None:
    """Keep a record in place of the one before, at once."""
    private_subfolder(state / "upgrades")
    put(_place(state, record.image), json.dumps(asdict(record)).encode(), 0o600)


def forget(state: Path, image: str) -> None:
    """Remove the record: there is nothing to go back to."""
    remove_private(_place(state, image))


def _place(state: Path, image: str) -> Path:
    return state / "upgrades" / f"{image}.json"
