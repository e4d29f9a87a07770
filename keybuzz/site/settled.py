"""Where the live value of a parameter of site.yaml is: modules say it, for `kbz adopt --take-settings`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from keybuzz.model.core.live import HostView

Live = Callable[[HostView, str], str | None]
"""From a host, and the text that the site has: the text that it would have; None where the host does not say."""


@dataclass(frozen=True, slots=True)
class Settled:
    """One parameter whose value the live service tells."""

    parameter: str
    live: Live


def in_attribute(identity: str, attribute: str, text: Callable[[str], str] = str) -> Live:
    """Return the reader of a resource's attribute; what is as described has the value of the site."""

    def live(view: HostView, site: str) -> str | None:
        if not view.present(identity):
            return None
        for change in view.changes:
            for found in change.differences:
                if (change.identity, found.attribute) == (identity, attribute):
                    return None if found.observed is None else text(_plain(found.observed))
        return site

    return live


def in_file(identity: str, pattern: str) -> Live:
    """Return the reader of a file that differs: the only group of the pattern, in a line of its text, is the value."""
    line = re.compile(pattern, re.M)

    def live(view: HostView, site: str) -> str | None:
        state = view.states.get(identity)
        if state is None or not state.present:
            return None
        if all(change.identity != identity for change in view.changes):
            return site
        found = line.search(state.text or "")
        return found[1] if found else None

    return live


def _plain(observed: object) -> str:
    """Return the text of an observed value, which may be JSON of one."""
    if not isinstance(observed, str):
        return str(observed)
    try:
        value = json.loads(observed)
    except ValueError:
        return observed
    return value if isinstance(value, str) else observed
