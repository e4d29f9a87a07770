"""Where the live value of a parameter of site.yaml is: modules say it, for `kbz adopt --take-settings`.

Every host is read for itself: what differs inside a cluster is a change of one host only, and each has the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from keybuzz.model.core.live import HostView
from keybuzz.model.core.secret import DigestKey

Live = Callable[[HostView, str], str | None]
"""From a host, and the text that the site has: the text that it would have; None where the host tells no one value."""
_NO_SECRET = DigestKey(bytes(32))
"""Settled values are no secrets: no digest is compared."""


@dataclass(frozen=True, slots=True)
class Settled:
    """One parameter whose value the live service tells."""

    parameter: str
    live: Live


def in_attribute(identity: str, attribute: str, text: Callable[[str], str] = str) -> Live:
    """Return the reader of a resource's attribute; what is as described has the value of the site."""

    def live(view: HostView, site: str) -> str | None:
        observed = view.attribute(identity, attribute) if view.present(identity) else None
        if observed is not None and observed == _described(view, identity, attribute):
            return site
        found = None if observed is None else _plain(observed)
        return None if found is None else text(found)

    return live


def _described(view: HostView, identity: str, attribute: str) -> object:
    """Return what a host's attribute should be; None where it is not described."""
    for item in view.resources:
        if item.identity == identity:
            return item.wanted(_NO_SECRET).get(attribute)
    return None


def in_file(identity: str, pattern: str) -> Live:
    """Return the reader of a file that differs: the only group of the pattern, in a line of its text, is the value.

    Where matches have several values, the file tells none: which of them counts is for its program to say.
    """
    line = re.compile(pattern, re.M)

    def live(view: HostView, site: str) -> str | None:
        state = view.states.get(identity)
        if state is None or not state.present:
            return None
        if all(change.identity != identity for change in view.changes):
            return site
        found = {match[1] for match in line.finditer(state.text or "")}
        return found.pop() if len(found) == 1 else None

    return live


def _plain(observed: object) -> str | None:
    """Return the text of an observed value, which may be JSON of one; None where it is JSON's null."""
    if not isinstance(observed, str):
        return str(observed)
    try:
        value = json.loads(observed)
    except ValueError:
        return observed
    if value is None:
        return None
    return value if isinstance(value, str) else observed
