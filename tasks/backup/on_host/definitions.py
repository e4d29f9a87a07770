"""RabbitMQ's definitions: taken from a member's management API, read again, and compared with what a broker says.

It runs on backup-01. The first line of its input is `user:password` where it asks a member. Exit codes as the
repository's.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAMAGED = 65
FILE, EXPORTED = "definitions.json", "exported.json"
_COUNTS = "kbz.counts.json"
_LARGEST = 256 << 20
IDENTITIES: dict[str, tuple[str, ...]] = {
    "users": ("name", "password_hash"),
    "vhosts": ("name",),
    "permissions": ("user", "vhost", "configure", "write", "read"),
    "policies": ("vhost", "name", "pattern", "definition"),
    "queues": ("vhost", "name", "durable"),
    "exchanges": ("vhost", "name", "type"),
    "bindings": ("vhost", "source", "destination", "destination_type", "routing_key"),
}
"""What each kind of thing is told apart by."""


class DamageError(Exception):
    """The file does not hold what was taken."""


class WorkError(Exception):
    """It cannot be done; the text says why."""


def take(login: str, address: str, port: str, folder: Path) -> None:
    """Write the definitions of a member into a folder, whole or not at all."""
    asked = http.client.HTTPConnection(address, int(port), timeout=60)
    word = base64.b64encode(login.encode()).decode()
    asked.request("GET", "/api/definitions", headers={"Authorization": f"Basic {word}"})
    answer = asked.getresponse()
    content = answer.read(_LARGEST + 1)
    if answer.status != http.client.OK:
        raise WorkError(f"{address} answers {answer.status} {answer.reason}")
    if len(content) > _LARGEST:
        raise WorkError(f"the definitions of {address} are longer than {_LARGEST >> 20} MiB")
    counted(content)
    new = folder / f"{FILE}.new"
    new.write_bytes(content)
    new.replace(folder / FILE)


def counted(content: bytes) -> dict[str, int]:
    """Return how many things of each kind the definitions have; DamageError for what are none."""
    try:
        found = things(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"these are no definitions: {type(error).__name__}") from error
    if not found["users"] or not found["vhosts"]:
        raise DamageError("the definitions have no user or no vhost")
    return {kind: len(known) for kind, known in found.items()}


def things(definitions: dict[str, Any]) -> dict[str, set[str]]:
    """Return each kind's things, by what tells them apart."""
    return {
        kind: {
            json.dumps([entry.get(field) for field in fields], sort_keys=True)
            for entry in definitions[kind]
        }
        for kind, fields in IDENTITIES.items()
    }


def prove(folder: Path) -> None:
    """Count what is there; where it was counted before, it must be the same."""
    found, noted = counted((folder / FILE).read_bytes()), folder / _COUNTS
    if not noted.exists():
        noted.write_text(json.dumps(found), encoding="utf-8")
    elif json.loads(noted.read_text(encoding="utf-8")) != found:
        raise DamageError(f"it holds {found}, and other counts are noted")


def same(folder: Path) -> None:
    """Raise WorkError where a broker that took the definitions lacks something of them."""
    wanted, exported = (
        things(json.loads((folder / name).read_bytes())) for name in (FILE, EXPORTED)
    )
    lacking = {kind: len(wanted[kind] - exported[kind]) for kind in IDENTITIES}
    if any(lacking.values()):
        told = ", ".join(f"{number} {kind}" for kind, number in lacking.items() if number)
        raise WorkError(f"the broker lacks {told}")


def main(secret: str, words: list[str]) -> int:
    """Do what the words say, and return the exit code."""
    verb, *rest = words
    verbs: dict[str, Callable[[], None]] = {
        "take": lambda: take(secret, rest[0], rest[1], Path(rest[2])),
        "prove": lambda: prove(Path(rest[0])),
        "same": lambda: same(Path(rest[0])),
    }
    try:
        verbs[verb]()
    except DamageError as error:
        print(f"damaged: {error}", file=sys.stderr)
        return DAMAGED
    except (
        WorkError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        http.client.HTTPException,
    ) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    return 0
