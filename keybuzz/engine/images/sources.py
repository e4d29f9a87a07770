"""Where `kbz versions mirror` takes an image from: the builder, which pulls it, or a host that holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from keybuzz.agent.kinds.docker.images import pull
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import Docker
from keybuzz.engine.events import ImageWork, Listener
from keybuzz.engine.images.images import save_archive
from keybuzz.engine.images.members import fetch
from keybuzz.engine.look.observe import Snapshot
from keybuzz.model.core.errors import ContactError, StepError
from keybuzz.model.core.plan import State
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Image

if TYPE_CHECKING:
    from nornir.core import Nornir


_LISTING = ("kbz", "exec", "--limit", "all", "--", "docker", "images")


class Source(Protocol):
    """Where images come from."""

    def identity(self, reference: str) -> str:
        """Return Docker's id of an image there; StepError when it cannot be had."""

    def digest(self, reference: str) -> str:
        """Return the digest under which the source knows the image; empty when it knows none."""

    def save(self, reference: str, archive: Path) -> None:
        """Write the image as an archive; StepError otherwise."""


@dataclass(frozen=True, slots=True)
class BuilderSource:
    """The builder, which pulls what it has not yet."""

    builder: Docker
    listen: Listener

    def identity(self, reference: str) -> str:
        """See Source."""
        try:
            if (found := self.builder.image_id(reference)) is None:
                self.listen(ImageWork(reference, "is pulled, once"))
                pull(reference, self.builder)
                found = self.builder.image_id(reference)
        except AgentError as error:
            raise StepError(error.what, where=reference, hint=error.hint) from error
        if found is None:
            raise StepError("is not on the builder after its pull", where=reference)
        return found

    def digest(self, reference: str) -> str:
        """See Source."""
        try:
            image = self.builder.image(reference)
        except AgentError as error:
            raise StepError(error.what, where=reference, hint=error.hint) from error
        return one_digest((image or {}).get("RepoDigests") or ())

    def save(self, reference: str, archive: Path) -> None:
        """See Source."""
        try:
            # By its id: an archive with a tag would take that tag away from another image on a host.
            save_archive(self.builder, self.identity(reference), archive)
        except AgentError as error:
            raise StepError(error.what, where=reference, hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class HostSource:
    """A host that holds the images, as it was seen before anything was done."""

    host: str
    snapshot: Snapshot
    nornir: Nornir

    def identity(self, reference: str) -> str:
        """See Source."""
        if self.host in self.snapshot.unreachable:
            raise ContactError(self.snapshot.unreachable[self.host], where=self.host)
        state = self._state(reference)
        if state is None or not state.present:
            raise StepError(
                f"{reference} is not on {self.host}",
                where=self.host,
                hint=f"{proposed(*_LISTING, reference.partition(':')[0])} shows which hosts have it",
            )
        return str(state.attributes["id"])

    def digest(self, reference: str) -> str:
        """See Source."""
        state = self._state(reference)
        found = state.attributes.get("digests", ()) if state is not None else ()
        return one_digest(found if isinstance(found, tuple) else ())

    def save(self, reference: str, archive: Path) -> None:
        """See Source."""
        fetch(self.nornir, self.host, reference, self.identity(reference), archive)

    def _state(self, reference: str) -> State | None:
        return self.snapshot.observations[self.host].states.get(Image(reference).identity)


def one_digest(names: Iterable[str]) -> str:
    """Return the digest of an image when it is known by exactly one; empty otherwise."""
    found = {name.rpartition("@")[2] for name in names}
    return found.pop() if len(found) == 1 else ""
