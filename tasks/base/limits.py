"""From where on a system check says something: the parameters `health.…` of inventory/site.yaml. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import InputError
from keybuzz.model.host.system_look import SystemLimits
from keybuzz.site.site import Site


def limits(site: Site) -> SystemLimits:
    """Return this site's limits."""

    def number(name: str) -> float:
        text = site.parameter(f"health.{name}")
        try:
            return float(text)
        except ValueError:
            what = f"parameter health.{name} is {text!r}, and not a number"
            raise InputError(what, where="site.yaml", hint="such as 75, without a unit") from None

    return SystemLimits(
        disk_warn=number("disk_warn"),
        disk_critical=number("disk_critical"),
        memory_warn=number("memory_warn"),
        memory_critical=number("memory_critical"),
        load_per_cpu=number("load_per_cpu"),
        clock_warn=number("clock_warn"),
        clock_critical=number("clock_critical"),
        restarts=int(number("restarts")),
    )
