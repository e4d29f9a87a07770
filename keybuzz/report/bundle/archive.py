"""Writes a bundle: one new file that only its owner reads, with a manifest of all that is in it and all that is not."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keybuzz.engine.bundle.gather import Gathered
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.report.bundle.entries import Entry, Hide

LARGEST = 8 << 20
"""Characters of one file; what is longer is cut at the end of a line."""
MANIFEST = "manifest.json"
MASKED = (
    "secrets of the store, and what the rules for texts of hosts take for a secret, are masked; "
    "names, addresses and what applications write into their logs are not: read it before you hand it over"
)


@dataclass(frozen=True, slots=True)
class Packed:
    """The files of an archive as they will be, and its manifest."""

    manifest: dict[str, Any]
    files: tuple[tuple[str, bytes], ...]


def pack(gathered: Gathered, found: Iterable[Entry], kbz: dict[str, str], hide: Hide) -> Packed:
    """Return the files with the manifest; what is too long is cut, and the manifest says so.

    Reasons in the manifest are masked as the files are: some are in the words of ssh or of SQLite.
    """
    left_out = dict(gathered.left_out)
    for host, told in gathered.told.items():
        left_out |= {f"logs/{host}/{log.name}": log.note for log in told.logs if not log.text}
    files: list[tuple[str, bytes]] = []
    listed: list[dict[str, Any]] = []
    for entry in found:
        text = entry.text
        if len(text) > LARGEST:
            text = text[: text.rfind("\n", 0, LARGEST) + 1]
            left_out[entry.path] = f"cut after {len(text)} of {len(entry.text)} characters"
        content = text.encode(errors="replace")
        files.append((entry.path, content))
        digest = hashlib.sha256(content).hexdigest()
        listed.append(
            {"path": entry.path, "bytes": len(content), "sha256": digest, "about": entry.about}
        )
    silent = {host: hide(why) for host, why in gathered.silent.items()}
    masked = {what: hide(why) for what, why in left_out.items()}
    return Packed(_manifest(replace(gathered, silent=silent), kbz, listed, masked), tuple(files))


def _manifest(
    gathered: Gathered, kbz: dict[str, str], listed: list[dict[str, Any]], left_out: dict[str, str]
) -> dict[str, Any]:
    return {
        "format_version": 1,
        "verb": "bundle",
        "made": datetime.fromtimestamp(gathered.moment, UTC).isoformat(timespec="seconds"),
        "kbz": kbz,
        "modules": [module.name for module in gathered.wish.named],
        "hosts": [
            {"host": host, "silent": gathered.silent.get(host)}
            for host in sorted(gathered.survey.selected)
        ],
        "masked": MASKED,
        "left_out": [{"what": what, "why": why} for what, why in sorted(left_out.items())],
        "files": listed,
    }


def archive(packed: Packed, folder: str, moment: float, manifest: bytes) -> bytes:
    """Return the compressed archive; everything in it is below `folder`."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=int(moment)) as packer,
        tarfile.open(fileobj=packer, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content in ((MANIFEST, manifest), *packed.files):
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size, member.mtime, member.mode = len(content), int(moment), 0o600
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def require_new(place: Path) -> None:
    """Raise RefusedError where something is at that place already, and InputError where nothing can be written."""
    if os.path.lexists(place):
        raise _taken(place)
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            return
    except OSError as error:
        raise _no_place(place, error) from error


def write_new(place: Path, content: bytes) -> None:
    """Put a new file in place in one step, mode 0600; RefusedError where something has come there meanwhile."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise _no_place(place, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # A link, not a rename: a rename would replace what is there.
        os.link(temporary, place, follow_symlinks=False)
    except FileExistsError:
        raise _taken(place) from None
    except OSError as error:
        raise _no_place(place, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _taken(place: Path) -> RefusedError:
    return RefusedError(
        "is there already, and is never overwritten",
        where=str(place),
        hint="give another name: --out FILE",
    )


def _no_place(place: Path, error: OSError) -> InputError:
    return InputError(
        f"nothing can be written there: {error.strerror}",
        where=str(place),
        hint="give --out FILE in a folder that exists and that this user may write to",
    )
