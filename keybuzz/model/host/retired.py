"""What an older installation left beside a service: known by name, and taken away behind everything else.

Never data: a unit that starts what Docker starts, a cron line, a helper's container, a file that nothing reads any
more, a folder that is empty. A container's volumes stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey

UNIT, CONTAINER, FILE, FOLDER = "unit", "container", "file", "folder"
STAGE = "retire what an older installation left"


@dataclass(frozen=True, slots=True)
class Retired(Resource):
    """One such thing, that must not be there."""

    kind: ClassVar[str] = "retired"
    part: str
    """`unit`, `container`, `file`, or `folder`, which is only removed when it is empty."""
    target: str
    """A unit's or a container's name, or a path."""
    service: str = ""
    """Of a file or a folder: Debian's own service that may have it, by its package and unit. As long as the package is
    installed, or the unit is enabled or runs, it is that one's."""

    @property
    def name(self) -> str:
        return f"{self.part}:{self.target}"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "part": self.part,
            "target": self.target,
            "service": self.service,
        }

    def order(self) -> Json:
        return self.query()


def retired(
    units: Iterable[str] = (),
    containers: Iterable[str] = (),
    files: Iterable[str] = (),
    folders: Iterable[str] = (),
    service: str = "",
) -> tuple[Retired, ...]:
    """Return what a module retires on its hosts; a folder comes after the files in it.

    `service` is Debian's own, which may have these files and folders.
    """
    named = ((UNIT, units, ""), (CONTAINER, containers, ""), (FILE, files, service))
    return tuple(
        Retired(part, target, owner)
        for part, targets, owner in (*named, (FOLDER, folders, service))
        for target in targets
    )


def retiring_last(
    next_stage: Callable[[Live], Stage | None],
) -> Callable[[Live], Stage | None]:
    """Return the rollout with a stage behind it: what still runs on a file, or beside a helper, is replaced first."""

    def staged(live: Live) -> Stage | None:
        left = tuple(change for change in live.changes() if isinstance(change.resource, Retired))
        hosts = {
            host: replace(view, changes=tuple(c for c in view.changes if c not in left))
            for host, view in live.hosts.items()
        }
        found = next_stage(replace(live, hosts=hosts) if left else live)
        return found or (Stage(STAGE, left) if left else None)

    return staged
