"""`kbz adopt --take-settings`: the values that a live service has, for the site.yaml that says otherwise.

Only what every member says, and says alike, is taken, and only what the parameter's own form allows. Nothing is
written here.
"""

from __future__ import annotations

from keybuzz.engine.look.observe import View
from keybuzz.engine.look.survey import survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.reports.settling import Setting, Settling
from keybuzz.site.module import Module
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.settled import Settled
from keybuzz.site.site import Site


def settle(workspace: Workspace, module: Module, base: str) -> Settling:
    """Return what site.yaml (the file `base`) would take over; RefusedError or ContactError when it cannot be told."""
    if not module.settled:
        raise RefusedError(
            f"where a live {module.name} tells its settled values is not described",
            where=module.name,
            hint="put the values that stay into site.yaml",
        )
    site = workspace.site
    selected = frozenset(server.name for server in site.members(module.group))
    found = survey(workspace, (module,), workspace.present(selected))
    live = View(found.descriptions, found.snapshot, selected, site.digest_key).live(module, site)
    for host in sorted(selected - set(live.hosts)):
        raise ContactError(
            f"cannot be asked what it has: {live.unreachable.get(host, 'it was left out')}",
            where=host,
            hint="every member must answer before a value is taken over",
        )
    taken: list[Setting] = []
    left: dict[str, str] = {}
    known = {parameter.name: parameter for parameter in module.parameters}
    for item in module.settled:
        judged = _judged(site, known[item.parameter], item, live, base)
        if isinstance(judged, Setting):
            taken.append(judged)
        elif judged:
            left[item.parameter] = judged
    return Settling(module.name, tuple(taken), left)


def _judged(
    site: Site, parameter: Parameter[object], item: Settled, live: Live, base: str
) -> Setting | str:
    """Return what would be taken; or why a value is left; empty where there is no difference.

    A member that is silent agrees to nothing: what it runs with may be another value.
    """
    text = site.settings.parameters.get(parameter.name, parameter.default or "")
    said = {host: item.live(view, text) for host, view in live.hosts.items()}
    values = {value for value in said.values() if value is not None}
    if silent := sorted(host for host, value in said.items() if value is None):
        who = (
            "no member tells" if len(silent) == len(said) else f"{', '.join(silent)} does not tell"
        )
        return f"{who} one value"
    if all(_alike(parameter, value, text) for value in values):
        return ""
    if len(values) > 1:
        told = "; ".join(f"{host} {value}" for host, value in said.items())
        return f"members differ: {told}"
    (value,) = values
    if problem := parameter.problem(value):
        return problem
    place = site.settings.places.get(parameter.name)
    if place is not None and place.file != base:
        return (
            f"the live value is {value}, and {place.file}:{place.line} says {text}: change it there"
        )
    if pattern := next(
        (p for p, found in site.settings.hosts.items() if parameter.name in found), ""
    ):
        return f"the live value is {value}, and hosts.{pattern} has one of its own: change it there"
    return Setting(parameter.name, text, value, tuple(said))


def _alike(parameter: Parameter[object], value: str, text: str) -> bool:
    """Return whether two texts are one value, as the parameter reads them."""
    if value == text:
        return True
    try:
        return parameter.form.parse(value) == parameter.form.parse(text)
    except ValueError:
        return False
