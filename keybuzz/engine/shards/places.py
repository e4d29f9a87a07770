"""The places of a site's workers, by name, and their ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from keybuzz.engine.shards.cut import HERE
from keybuzz.engine.shards.fingerprint import site_parts
from keybuzz.engine.shards.place import Controller, Place
from keybuzz.engine.shards.process import Processes, command
from keybuzz.model.inventory.shards import ShardOptions
from keybuzz.site.load import Configuration
from keybuzz.site.site import Site


def controller_of(configuration: Configuration, site: Site) -> Controller:
    """Return the controller's side of a site."""
    return Controller(
        command(str(configuration.path.resolve())),
        site_parts(configuration, site),
        site.settings.key_filename,
        site.settings.known_hosts,
    )


@contextmanager
def places(options: ShardOptions, controller: Controller) -> Iterator[Mapping[str, Place]]:
    """Yield this machine, and the relay or pool of each region that has one. Nothing is started or reached."""
    found: dict[str, Place] = {HERE: Processes(controller.command)}
    with ExitStack() as stack:
        if options.relays:
            from keybuzz.engine.shards.relay import RelayPlace

            for region, relay in options.relays.items():
                found[region] = RelayPlace(relay, controller)
        if options.pool is not None:
            from keybuzz.engine.shards.pool.place import PoolPlace, Scheduler

            scheduler = Scheduler(options.pool)
            for region in options.pool.regions:
                found[region] = PoolPlace(region, scheduler)
        for place in found.values():
            stack.callback(place.close)
        yield found
