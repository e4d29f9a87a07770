"""Files that a verb writes into a folder of the operator's: nothing that another user put there is followed."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.files.whole import put

_OTHERS_WRITE = 0o022


def own_folder(folder: Path) -> Path:
    """Make the folder, or return the one that is there; InputError when another user could plant a link in it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    if folder.is_symlink():
        what = "is a link to another place"
    elif status.st_uid not in (0, os.geteuid()):
        what = f"belongs to the user {status.st_uid}"
    elif status.st_mode & _OTHERS_WRITE:
        what = f"may be written by other users (mode {status.st_mode & 0o7777:04o})"
    else:
        return folder
    raise InputError(
        f"{what}: another user could lead files that are written there to another place",
        where=str(folder),
        hint=f"give a new folder, or take it away from others: {proposed('chmod', 'go-w', folder)}",
    )


def put_below(folder: Path, name: str, text: str) -> Path:
    """Write one file below a folder that `own_folder` returned, replacing what is there; InputError at a link."""
    place = folder
    for part in PurePosixPath(name.lstrip("/")).parent.parts:
        place /= part
        place.mkdir(exist_ok=True, mode=0o755)
        if place.is_symlink() or part == "..":
            raise InputError("is a link, not a folder", where=str(place), hint="give a new folder")
    target = place / PurePosixPath(name).name
    put(target, text.encode(), 0o644)
    return target
