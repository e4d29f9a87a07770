"""Whether a folder holds kbz's own state, whole. It runs on backup-01 and changes nothing but its count.

Exit codes as the repository's.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

DAMAGED = 65
_COUNTS = "kbz.counts.json"
_KEY_BYTES = 32


class DamageError(Exception):
    """The folder does not hold what was taken."""


def counted(folder: Path) -> dict[str, int]:
    """Return how many files of credentials there are and how many commands the journal knows."""
    key = folder / "state" / "digest.key"
    if not key.is_file() or key.stat().st_size != _KEY_BYTES:
        raise DamageError("the digest key is not there")
    journal = folder / "state" / "journal.sqlite"
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro&immutable=1", uri=True)) as opened:
            [said] = opened.execute("pragma integrity_check(1)").fetchone()
            [runs] = opened.execute("select count(*) from runs").fetchone()
    except sqlite3.DatabaseError as error:
        raise DamageError(f"the journal cannot be read: {error}") from error
    if said != "ok":
        raise DamageError(f"the journal is damaged: {said}")
    return {"credentials": len(list((folder / "credentials").glob("*.env"))), "runs": int(runs)}


def prove(folder: Path) -> None:
    """Count what is there; where it was counted before, it must be the same."""
    found, noted = counted(folder), folder / _COUNTS
    if not noted.exists():
        noted.write_text(json.dumps(found), encoding="utf-8")
    elif json.loads(noted.read_text(encoding="utf-8")) != found:
        raise DamageError(f"it holds {found}, and other counts are noted")


def main(secret: str, words: list[str]) -> int:
    """Prove one folder, and return the exit code."""
    del secret
    try:
        prove(Path(words[0]))
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (OSError, ValueError) as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0
