"""A plan in a file: shown to a colleague today, applied exactly so tomorrow, or refused when the hosts have moved."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.plan import Action, Plan
from keybuzz.model.core.record import FORMAT_VERSION, plan_document
from keybuzz.model.core.secret import sha256
from keybuzz.site.files.problems import read_file

_LARGEST = 64 << 20
"""Bytes of such a document."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What `kbz plan --out` wrote."""

    path: Path
    modules: tuple[str, ...]
    """The modules that were named; what they require comes by itself."""
    hosts: frozenset[str]
    fingerprint: str
    size: int
    digest: str
    """Of the whole file."""
    wanted: Mapping[tuple[str, str, str], Mapping[str, str]]
    """By host, module and resource: what each attribute that differs is to become."""

    def require_same(self, plan: Plan) -> None:
        """Raise RefusedError when the hosts now need something else than when the plan was saved."""
        if fingerprint(plan_document(plan)) != self.fingerprint:
            raise RefusedError(
                f"the hosts have moved since this plan was saved: it had {self.size} changes, "
                f"now {plan.size} are needed, or others",
                where=str(self.path),
                hint="kbz plan shows what is needed now; save it again with --out",
            )

    def require_part(self, plan: Plan) -> None:
        """Raise RefusedError when the hosts need something that is not in this plan, of which a part is done."""
        for change in unsaid(self.wanted, plan):
            raise RefusedError(
                f"{change['resource']} on {change['host']} needs what this plan does not say",
                where=str(self.path),
                hint="kbz plan shows what is needed now; save it again with --out",
            )


Wanted = Mapping[tuple[str, str, str], Mapping[str, str]]
"""What each attribute that differs is to become, by host, module and resource."""


def require_part_of(agreed: Plan, now: Plan) -> None:
    """Raise RefusedError when the hosts need what the plan that was shown does not say; less than it is well."""
    for change in unsaid(wanted_by(plan_document(agreed)), now):
        raise RefusedError(
            f"{change['resource']} on {change['host']} needs what the plan that was shown does not say",
            where=str(change["host"]),
            hint="no host was changed; the same command shows the plan as it is now, and goes on",
        )


def unsaid(wanted: Wanted, plan: Plan) -> Iterator[Mapping[str, Any]]:
    """Yield each change of a plan that is none of these; what was cut off while it was replaced is made whole."""
    for change in plan_document(plan)["changes"]:
        known = wanted.get(_place(change))
        again = change["action"] == Action.CREATE.value
        if known is None or any(
            known.get(name, value if again else None) != value
            for name, value in _wanted(change).items()
        ):
            yield change


def wanted_by(document: Mapping[str, Any]) -> Wanted:
    """Return what the document of a plan wants."""
    return {_place(change): _wanted(change) for change in document["changes"]}


def _place(change: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(change["host"]), str(change["module"]), str(change["resource"])


def _wanted(change: Mapping[str, Any]) -> dict[str, str]:
    """Return what each attribute is to become, as JSON."""
    return {
        str(item["attribute"]): json.dumps(item["wanted"], sort_keys=True)
        for item in change["differences"]
    }


def fingerprint(document: dict[str, Any]) -> str:
    """Return a digest of every change of a plan's document, with what was observed and what is wanted."""
    text = json.dumps(document["changes"], sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def require_place(path: Path) -> None:
    """Raise InputError when no plan can be written there: known before any host is asked."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise InputError(
            f"no plan can be written there: {error.strerror}",
            where=str(path.parent),
            hint="give --out FILE in a folder that exists and that this user may write to",
        ) from error


def save(path: Path, plan: Plan, modules: tuple[str, ...], hosts: frozenset[str]) -> None:
    """Write the plan, 0600: it says much about the hosts, but holds no secret."""
    document = {
        "format_version": FORMAT_VERSION,
        "modules": list(modules),
        "hosts": sorted(hosts),
        "plan": plan_document(plan),
    }
    temporary = path.with_name(f".{path.name}.kbz-new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=2, ensure_ascii=False)
    temporary.replace(path)


def load(path: Path) -> SavedPlan:
    """Read a saved plan; InputError when it is not one."""
    if not path.exists():
        raise InputError(
            "there is no such file",
            where=str(path),
            hint="--plan takes the FILE that kbz plan MODULE --out FILE wrote",
        )
    try:
        content = read_file(path, _LARGEST)
        document: Any = json.loads(content.decode("utf-8"))
        if document["format_version"] != FORMAT_VERSION:
            raise InputError("was saved by another version of kbz", where=str(path))
        return SavedPlan(
            path.absolute(),
            tuple(map(str, document["modules"])),
            frozenset(map(str, document["hosts"])),
            fingerprint(document["plan"]),
            int(document["plan"]["size"]),
            sha256(content),
            wanted_by(document["plan"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "is no saved plan", where=str(path), hint="kbz plan MODULE --out FILE writes one"
        ) from error
