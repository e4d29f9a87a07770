"""Where one host cannot be taken before the others: refused before anything is changed there. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.engine.pace.waves import pending
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module

_WITHOUT = "the same command without --canary takes them in the order of their cluster"


def require_heard(host: str, unreachable: Mapping[str, str]) -> None:
    """Raise RefusedError when the canary does not answer: the others would be changed without one."""
    if host in unreachable:
        raise RefusedError(
            f"it is to be the canary and does not answer: {unreachable[host]}",
            where=host,
            hint=f"{proposed('kbz', 'preflight', '--limit', host)}, or another host as --canary; nothing was changed",
        )


def require_serving(host: str, module: Module, live: Live) -> None:
    """Raise RefusedError when the canary is a member of a cluster of which none serves: they start together.

    Members of which one alone is enough need no other one.
    """
    if (
        module.members_up is None
        or module.least_up is not None
        or host not in (waiting := pending(live))
        or len(waiting) == 1
    ):
        return
    if not module.members_up(live) or (module.virgin is not None and module.virgin(live)):
        raise RefusedError(
            f"--canary {host} cannot start alone: no member of {module.name} serves now, and they start together",
            where=module.name,
            hint=_WITHOUT,
        )


def require_open(
    module: Module, stage: Stage, opened: frozenset[str], closed: tuple[str, ...]
) -> None:
    """Raise RefusedError for a stage that concerns other hosts than the open ones, while any is kept back."""
    outside = [host for host in stage.hosts if host not in opened]
    if outside and closed:
        raise RefusedError(
            f"stage “{stage.name}” comes next and concerns {', '.join(outside)}, "
            f"which has to wait until {', '.join(sorted(opened))} is done",
            where=module.name,
            hint=_WITHOUT,
        )
