"""From where on a system check says something: the parameters `health.…` of inventory/site.yaml. Pure."""

from __future__ import annotations

from keybuzz.model.host.system_look import SystemLimits
from keybuzz.site.site import Site
from tasks.base import parameters


def limits(site: Site) -> SystemLimits:
    """Return this site's limits; InputError for one that is no number."""
    return SystemLimits(
        disk_warn=parameters.DISK_WARN.of(site),
        disk_critical=parameters.DISK_CRITICAL.of(site),
        memory_warn=parameters.MEMORY_WARN.of(site),
        memory_critical=parameters.MEMORY_CRITICAL.of(site),
        load_per_cpu=parameters.LOAD.of(site),
        clock_warn=parameters.CLOCK_WARN.of(site),
        clock_critical=parameters.CLOCK_CRITICAL.of(site),
        restarts=parameters.RESTARTS.of(site),
    )
