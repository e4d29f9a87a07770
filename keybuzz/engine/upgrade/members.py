"""What the members run of an image that is upgraded, and whether the way back is open to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from keybuzz.agent.wire.docker import handed_over_as
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.upgrade.record import Record
from keybuzz.engine.upgrade.tables import Meant
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Container
from keybuzz.site.site import Site


def require_its_own(
    site: Site, found: Meant, pairs: Mapping[str, tuple[str, str]], then: Survey
) -> None:
    """Raise RefusedError where a member runs what the upgrade neither came from nor led to.

    `then` is over the description that the way back leads to, `site` the one of now.
    """
    known = {reference for pair in pairs.values() for reference in pair}
    known |= {handed_over_as(site.pinned(site.versions[name])) for name in pairs} - {""}
    for host, wanted, seen in _containers(found, pairs, then):
        text = seen.partition(" (")[0].partition("@")[0]
        if seen and seen != wanted.image and not _one_of(text, known):
            raise RefusedError(
                f"{wanted.container} runs {text}, which the last upgrade neither came from nor led to; "
                "nothing was changed",
                where=host,
                hint=f"{proposed('kbz', 'run', *(m.name for m in found.users))} brings what versions.yaml says; "
                "docs/how-to/upgrade-an-image.md: another version by hand",
            )


def require_way_back(
    found: Meant, known: Record, pairs: Mapping[str, tuple[str, str]], then: Survey
) -> None:
    """Raise RefusedError where the table closes the way back, unless each member still has its former container.

    One that has none has perhaps run the later release before.
    """
    try:
        found.table.require_back(known.former, known.target)
    except RefusedError:
        members = tuple(_containers(found, pairs, then))
        untouched = bool(members) and all(seen == wanted.image for _, wanted, seen in members)
        if known.done or not untouched:
            raise


def _containers(
    found: Meant, pairs: Mapping[str, tuple[str, str]], then: Survey
) -> Iterator[tuple[str, Container, str]]:
    """Yield each described container of the image with its host, and the image that it was made of; "" for none."""
    formers = {former for former, _ in pairs.values()}
    for host in sorted(then.selected & set(then.descriptions)):
        described = then.descriptions[host].modules
        for module in found.users:
            for one in described[module.name].resources if module.name in described else ():
                if isinstance(one, Container) and _one_of(one.image.partition("@")[0], formers):
                    state = then.snapshot.observations[host].states.get(one.identity)
                    there = state is not None and state.present and not state.problem
                    yield (
                        host,
                        one,
                        str(state.attributes.get("image", "")) if state and there else "",
                    )


def _one_of(reference: str, known: Iterable[str]) -> bool:
    """Return whether a reference is one of these; one that kbz builds has a mark of its content behind it."""
    names = tuple(known)
    return reference in names or reference.startswith(tuple(f"{name}-" for name in names))
