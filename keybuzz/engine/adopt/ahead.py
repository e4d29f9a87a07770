"""What a run asks of every module before its first change of any: what is refused leaves nothing behind.

A chain begins with servers (base), and its last module may be refused for data of another cluster: by then the servers
would have been changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from keybuzz.engine.adopt.credentials import require_same
from keybuzz.engine.adopt.ground import require_own_ground
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir


def require_ahead(
    nornir: Nornir, site: Site, chain: Iterable[Module], live: Callable[[Module], Live]
) -> None:
    """Raise RefusedError for the first module of a chain that a run would not change."""
    modules = tuple(chain)
    for module in modules:
        module.require(site)
        now = live(module)
        require_same(module, now, site)
        _refuse_foreign(nornir, module, now)
    writes: list[str] = []
    for module in modules:
        now = live(module)
        changes = any(now.changes())
        if writes and changes:
            require_own_ground(nornir, module, now)
            _require_a_stage(module, now, [name for name in writes if name in module.requires])
        writes += [module.name] * changes


def _refuse_foreign(nornir: Nornir, module: Module, live: Live) -> None:
    """Refuse another cluster's data; where the data lies elsewhere, that says more than what is left in its place."""
    try:
        module.foreign(live)
    except RefusedError:
        require_own_ground(nornir, module, live)
        raise


def _require_a_stage(module: Module, live: Live, required: list[str]) -> None:
    """Let the rollout refuse what is there now. Of bare servers it is asked when they have been made ready."""
    if module.virgin is None or module.virgin(live):
        return
    try:
        module.next_stage(live)
    except RefusedError as error:
        # It may wait for a repair of its servers, such as of Docker, with which this chain would have begun.
        if required:
            alone = proposed("kbz", "run", required[0], "--limit", module.group)
            way = f"nothing was changed; {alone} does what comes before it"
            error.hint = f"{error.hint}; {way}" if error.hint else way
        raise
    except Exception:
        return  # what cannot be judged yet is judged, and told, at its own turn
