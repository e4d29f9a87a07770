"""Which versions of an image may follow which in a running cluster: the form of the tables of all modules. Pure.

A module that can be upgraded has its table (`UPGRADES`), each row with the source that allows it.
What no row allows is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybuzz.model.core.errors import InputError, RefusedError, UsageError

Version = tuple[int, ...]
NUMBERS = re.compile(r":v?(\d+)\.(\d+)(?:\.(\d+))?(?=[.\-@]|$)")
"""The version in a reference, of two or three numbers."""


@dataclass(frozen=True, slots=True)
class Move:
    """From one series to the next, one member at a time."""

    before: Version
    after: Version
    source: str
    """Where upstream allows it."""
    no_way_back: str = ""
    """Why data that the later series has written is not for the earlier one; empty where it is."""
    least: Version = ()
    """The release of the earlier series that upstream wants before the step; empty where any will do."""


@dataclass(frozen=True, slots=True)
class Also:
    """Another image of versions.yaml whose reference names the same version."""

    image: str
    pattern: re.Pattern[str]
    """The part of its reference that becomes the version."""


@dataclass(frozen=True, slots=True)
class Upgrades:
    """The table of one image."""

    image: str
    """Its name in versions.yaml."""
    source: str
    """Where upstream allows any later release of the same series, and, without `no_way_back`, going back within it."""
    series: int = 2
    """How many numbers of a version make its series."""
    moves: tuple[Move, ...] = ()
    closed: str = ""
    """Why no other series follows by this verb, and what does it."""
    no_way_back: str = ""
    """Why there is no way back within a series; empty where there is one."""
    way_back: tuple[Version, ...] = ()
    """The series that have a way back within them all the same."""
    never: tuple[tuple[Version, str], ...] = ()
    """Releases that no cluster is upgraded to, each with the reason."""
    refused: str = ""
    """Why this verb does nothing at all with it, and what does."""
    backup: str = ""
    """The service of `kbz backup` that holds its data; empty where it keeps none, or kbz backs up none."""
    keeps_data: bool = True
    also: tuple[Also, ...] = ()

    def series_of(self, reference: str) -> Version:
        """Return the series that a reference belongs to."""
        return version_of(reference)[: self.series]

    def require(self, before: str, after: str) -> Move | None:
        """Return the row that allows the step, None within a series; RefusedError names the step that is allowed."""
        if self.refused:
            raise RefusedError(f"{self.image} is not upgraded: {self.refused}", where=self.image)
        _require_kin(before, after)
        old, new = version_of(before), version_of(after)
        if new < old:
            raise RefusedError(
                f"{after} is older than {before}",
                where=self.image,
                hint="--back goes back to what ran before an upgrade",
            )
        for release, why in self.never:
            if new == release and old != release:
                raise RefusedError(
                    f"no cluster is upgraded to {after}: {why}",
                    where=self.image,
                    hint="a later release of the series",
                )
        if old[: self.series] == new[: self.series]:
            return None
        move = self._move(old[: self.series], new[: self.series])
        if move is not None and old < move.least:
            raise RefusedError(
                f"{before} is older than {shown(move.least)}, which comes before {shown(move.after)}",
                where=self.image,
                hint=self.next_step(before),
            )
        if move is not None:
            return move
        why = self.closed or "upstream does not allow it for a running cluster"
        raise RefusedError(
            f"{before} to {after} is no step of the table: {why}",
            where=self.image,
            hint=self.next_step(before),
        )

    def next_step(self, before: str) -> str:
        """Return which step is allowed from a reference, in words."""
        series = self.series_of(before)
        following = [move for move in self.moves if move.before == series]
        ahead = "".join(
            f", or {f'from {shown(move.least)} on ' if move.least else ''}to a release of {shown(move.after)}"
            for move in following
        )
        return f"allowed from {before}: to a later release of {shown(series)}{ahead}"

    def closed_behind(self, before: str, after: str) -> str:
        """Return why there is no way back from `after` to `before`, empty where there is; RefusedError for no step."""
        old, new = self.series_of(before), self.series_of(after)
        if old == new:
            return "" if old in self.way_back else self.no_way_back
        move = self._move(old, new)
        if move is None:
            raise RefusedError(
                f"no row of the table leads from {before} to {after}", where=self.image
            )
        return move.no_way_back

    def require_back(self, before: str, after: str) -> None:
        """Raise RefusedError where data that `after` may have written is not for `before`."""
        if why := self.closed_behind(before, after):
            raise RefusedError(
                f"there is no way back from {after} to {before}: {why}",
                where=self.image,
                hint="--to a later release repairs it forward"
                + ("; the backup from before brings the old data back" if self.backup else ""),
            )

    def _move(self, old: Version, new: Version) -> Move | None:
        return next((move for move in self.moves if (move.before, move.after) == (old, new)), None)


def version_of(reference: str) -> Version:
    """Return the numbers of a reference's version; InputError where it names none."""
    found = NUMBERS.search(reference)
    if found is None:
        raise InputError(
            f"the tag of {reference} names no version",
            where="versions.yaml",
            hint="only a tag with a whole version can be compared, such as 7.2.5-alpine",
        )
    return tuple(int(number) for number in found.groups() if number is not None)


def referred(current: str, tag: str) -> str:
    """Return the whole reference that an operator means by a tag; UsageError for another repository."""
    name = current.rpartition(":")[0]
    if ":" not in tag:
        return f"{name}:{tag}"
    if tag.rpartition(":")[0] != name:
        raise UsageError(f"{tag} is another repository than {name}", hint="--to TAG, the tag alone")
    return tag


def _require_kin(before: str, after: str) -> None:
    """Raise RefusedError for another flavour of the image: its users, paths and libraries may differ."""
    if _flavour(before) != _flavour(after):
        raise RefusedError(
            f"{after} is another flavour of the image than {before}: accounts and libraries in it may differ",
            where="versions.yaml",
            hint="change the version or the flavour, not both: by hand, with kbz plan and kbz run",
        )


def _flavour(reference: str) -> tuple[str, ...]:
    """Return the words of a tag behind its version, such as `alpine`; a number of a build is none."""
    behind = NUMBERS.split(reference)[-1]
    return tuple(
        word for word in re.split(r"[.\-]", behind) if word and not re.fullmatch(r"[a-z]?\d+", word)
    )


def shown(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version))
