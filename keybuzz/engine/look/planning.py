"""plan(desired, observed): pure, linear in resources, the same for every kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from keybuzz.agent.guard.marks import unmarked
from keybuzz.model.core.content import Content
from keybuzz.model.core.plan import Action, Change, Difference, NotApplicable, State
from keybuzz.model.core.resource import Attributes, Resource
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.files import File
from keybuzz.site.site import Site
from keybuzz.transport.said.veil import Veil


def plan_host(
    host: str,
    module: str,
    resources: Iterable[Resource],
    states: Mapping[str, State],
    key: DigestKey,
) -> tuple[Change, ...]:
    """Return what is not as described, in the order of the description."""
    changes = (
        change_of(host, module, resource, states.get(resource.identity), key)
        for resource in resources
    )
    return tuple(change for change in changes if change is not None)


def change_of(
    host: str, module: str, resource: Resource, state: State | None, key: DigestKey
) -> Change | None:
    """Return the change that one resource needs, or None when it is as described."""
    if state is None:
        return Change(host, module, resource, Action.LATER, reason="was not read")
    if state.problem:
        return Change(host, module, resource, Action.LATER, reason=state.problem)
    wanted = resource.wanted(key)
    if not state.present:
        differences = tuple(Difference(name, None, value) for name, value in wanted.items())
        return Change(
            host,
            module,
            resource,
            Action.CREATE,
            differences,
            diff=_text_diff(resource, state, Veil(key.key)),
        )
    veil = Veil(key.key)
    differences = _compare(wanted, state.attributes, veil)
    if not differences:
        return None
    return Change(
        host,
        module,
        resource,
        Action.UPDATE,
        differences,
        disrupts=resource.disrupts(state.attributes),
        diff=_text_diff(resource, state, veil),
        effects=resource.effects(state.attributes),
    )


def _compare(wanted: Attributes, observed: Attributes, veil: Veil) -> tuple[Difference, ...]:
    """Compare what a host says, in which secrets are masked by rule, with what is described under the same rule."""
    return tuple(
        Difference(name, observed.get(name), value)
        for name, value in wanted.items()
        if observed.get(name) != value and observed.get(name) != veil.attribute(name, value)
    )


def _text_diff(resource: Resource, state: State, veil: Veil) -> str:
    """Return a unified diff of masked texts; empty when the texts are equal or there is none.

    A line in which only a secret differs is in it, too: the marks that are compared have digests, and those that are
    shown have none.
    """
    if not isinstance(resource, File):
        return ""
    old = (state.text or "").splitlines(keepends=True)
    new = _described(resource.path, resource.text, veil).splitlines(keepends=True)
    name = resource.path
    before = name if state.present else "/dev/null"
    lines = difflib.unified_diff(old, new, fromfile=before, tofile=name, n=2)
    return unmarked("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))


@lru_cache(maxsize=2048)
def _described(path: str, text: Content, veil: Veil) -> str:
    """Return what a file should hold, masked; remembered, since a run plans again after each of its stages."""
    return veil.file(path, text.marked(veil.seal))


def applicable(
    site: Site, host: str, resources: Iterable[Resource]
) -> tuple[tuple[Resource, ...], tuple[NotApplicable, ...]]:
    """Part the resources into those that the host can hold, and those that the site says it cannot."""
    kept: list[Resource] = []
    left: list[NotApplicable] = []
    for resource in resources:
        reason = site.not_applicable(resource.identity)
        if reason is None:
            kept.append(resource)
        else:
            left.append(NotApplicable(host, resource.identity, reason))
    return tuple(kept), tuple(left)
