"""Modules over hosts that need each other in any way, for properties of the order that they come in."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import strategies as st

from keybuzz.model.core.live import Live
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site

HOSTS = tuple(f"h{number}" for number in range(6))


def small(name: str, **more: Any) -> Module:
    """Return a module that describes nothing; its group has its name."""
    return Module(
        name=name,
        number=2,
        title="For tests",
        group=name,
        requires=more.pop("requires", ()),
        describe=lambda site, server: Description(()),
        next_stage=lambda live: None,
        checks=lambda live: (),
        **more,
    )


@dataclass(frozen=True)
class Drawn:
    """Modules in the owner's order, and a site on which each has members."""

    modules: tuple[Module, ...]
    members: dict[str, frozenset[str]]

    @property
    def site(self) -> Site:
        def of(group: str) -> tuple[Any, ...]:
            return tuple(SimpleNamespace(name=host) for host in sorted(self.members[group]))

        return cast("Site", SimpleNamespace(members=of))


def up(live: Live) -> frozenset[str]:
    return frozenset(live.hosts)


@st.composite
def fleets(draw: st.DrawFn) -> Drawn:
    """Draw modules that need earlier ones, in any of the words for that; one may come last."""
    count = draw(st.integers(1, 7))
    members = {
        f"m{place}": draw(st.frozensets(st.sampled_from(HOSTS), min_size=1, max_size=3))
        for place in range(count)
    }
    modules: list[Module] = []
    last = draw(st.integers(0, count))
    for place in range(count):
        earlier = [module.name for module in modules if not module.comes_last]
        chosen = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        word = draw(st.sampled_from(("needs", "reaches", "requires", "fronts")))
        said: dict[str, Any] = {word: "".join(chosen[:1]) if word == "fronts" else tuple(chosen)}
        quorum = up if draw(st.booleans()) else None
        modules.append(small(f"m{place}", members_up=quorum, comes_last=place == last, **said))
    return Drawn(tuple(modules), members)
