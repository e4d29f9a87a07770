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
        module.foreign(now)
    written = False
    for module in modules:
        now = live(module)
        changes = any(now.changes())
        if written and changes:
            require_own_ground(nornir, module, now)
            _require_a_stage(module, now)
        written = written or changes


def _require_a_stage(module: Module, live: Live) -> None:
    """Let the rollout refuse what is there now. Of bare servers it is asked when they have been made ready."""
    if module.virgin is None or module.virgin(live):
        return
    try:
        module.next_stage(live)
    except RefusedError as error:
        servers = proposed("kbz", "run", "base", "--limit", module.group)
        way = f"{servers} makes the servers ready without it; nothing was changed"
        error.hint = f"{error.hint}; {way}" if error.hint else way
        raise
    except Exception:
        return  # what cannot be judged yet is judged, and told, at its own turn
