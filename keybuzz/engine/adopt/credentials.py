"""A live credential that differs from the store is never changed by a run: its users would be locked out.

Every kind says by its attributes whether the live service takes the store's credential; this is the one place that
refuses. A rotation changes credentials on purpose: it knows the former ones.
"""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import proposed
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.module import Module
from keybuzz.site.site import Site


def require_same(module: Module, live: Live, site: Site) -> None:
    """Raise RefusedError when a live service takes another credential than the store's."""
    if site.former:
        return
    found = [change for change in live.changes() if is_another(change)]
    if not found:
        return
    first = found[0]
    named = first.resource.credential
    name = named.name if named is not None else ""
    known = {item.name: item for item in schema_with(site.applications)}
    others = sorted({change.identity for change in found} - {first.identity})
    raise RefusedError(
        f"{first.identity}: the live service has another credential than the store's {name}, and a run never "
        f"changes one{''.join(f'; {other} too' for other in others)}",
        where=first.host or module.name,
        hint=_way_out(site, module, known.get(name)),
    )


def is_another(change: Change) -> bool:
    """Return True for a change that would give a live service another credential."""
    proofs = change.resource.credential_proofs
    wrong = {item.attribute for item in change.differences if item.observed is False}
    # No password lets a disabled account in, so that nothing is proven about its own.
    return change.action is Action.UPDATE and bool(wrong & set(proofs)) and "enabled" not in wrong


def _way_out(site: Site, module: Module, item: Credential | None) -> str:
    if item is None:
        return "nothing was changed; put the live value into the credential store"
    there = f"{site.settings.credentials / item.file} as {item.name}"
    taken = f"put the live value into {there}"
    if any(place.credential == item.name for place in module.places):
        taken += f" ({proposed('kbz', 'adopt', module.name, '--take-credentials')} finds it)"
    rotate = proposed("kbz", "secrets", "rotate", item.service)
    return f"nothing was changed; {taken}; to replace it then: {rotate}"
