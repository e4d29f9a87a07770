"""What a server of MariaDB has read of its tables, as a count: noted when it was taken, compared from then on.

It runs on backup-01. A file has two lines a table: its rows, and the checksum over all of them. Exit codes as the
repository's.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

DAMAGED = 65
FILE, READ = "tables.tsv", "tables.new"
"""What was read when it was taken, and what was read now."""
_COUNTS = "kbz.counts.json"


class DamageError(Exception):
    """The files do not hold what was taken."""


class WorkError(Exception):
    """It cannot be done; the text says why."""


def parsed(content: bytes) -> dict[bytes, tuple[int, bytes]]:
    """Return the rows and the checksum of each table; DamageError where one could not be read."""
    found: dict[bytes, tuple[int, bytes]] = {}
    lines = content.splitlines()
    if len(lines) % 2 or not lines:
        raise WorkError("the server has not read all of its tables")
    for rows, checksum in zip(lines[::2], lines[1::2], strict=True):
        name, _, number = rows.rpartition(b"\t")
        same, _, told = checksum.rpartition(b"\t")
        if name != same or not number.isdigit():
            raise WorkError("the server has not read all of its tables")
        if not told.isdigit():
            raise DamageError(f"{name.decode(errors='replace')} has no checksum")
        found[name] = (int(number), told)
    return found


def prove(folder: Path) -> None:
    """Note what was read; where that was done before, it must be the same."""
    content = (folder / READ).read_bytes()
    found = parsed(content)
    noted = folder / FILE
    if not noted.exists():
        rows = sum(number for number, _ in found.values())
        digest = hashlib.sha256(content).hexdigest()
        counts = {"tables": len(found), "rows": rows, "checksums": digest}
        (folder / _COUNTS).write_text(json.dumps(counts), encoding="utf-8")
        (folder / READ).replace(noted)
        return
    wanted = parsed(noted.read_bytes())
    if other := sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n)):
        name = other[0].decode(errors="replace")
        raise DamageError(
            f"{len(other)} tables are not what was taken, {name} first: "
            f"{_told(found.get(other[0]))}, and {_told(wanted.get(other[0]))} when it was taken"
        )
    (folder / READ).unlink()


def _told(table: tuple[int, bytes] | None) -> str:
    return "not there" if table is None else f"{table[0]} rows, checksum {table[1].decode()}"


def main(secret: str, words: list[str]) -> int:
    """Prove one folder, and return the exit code."""
    del secret
    try:
        prove(Path(words[0]))
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (WorkError, OSError, ValueError) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0
