"""`kbz lab fault`: break lab servers on purpose."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

import click

from keybuzz.cli.lab.lab_site import LabSite, pass_lab, say
from keybuzz.cli.support.context import recorded
from keybuzz.cli.support.offers import host_words

P = ParamSpec("P")

_GIBIBYTE = 2**30


def _recorded(
    function: Callable[Concatenate[LabSite, P], None],
) -> Callable[Concatenate[LabSite, P], None]:
    """Keep a fault in the journal, with who made it."""

    @functools.wraps(function)
    def wrapped(site: LabSite, /, *args: P.args, **kwargs: P.kwargs) -> None:
        verb = f"lab fault {click.get_current_context().info_name}"
        with recorded(verb, site.state, site.overlay.parent):
            function(site, *args, **kwargs)

    return wrapped


@click.group()
def fault() -> None:
    """Break a lab server on purpose, as real servers break, and mend it again."""


@fault.command()
@click.argument("host", shell_complete=host_words)
@pass_lab
@_recorded
def stop(site: LabSite, host: str) -> None:
    """Pull the plug: everything on the server ends at once. Mended by `start`."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.stop_host(site.settings, server.name)
    say(server.name, "is off, without a shutdown")


@fault.command()
@click.argument("host", shell_complete=host_words)
@pass_lab
@_recorded
def start(site: LabSite, host: str) -> None:
    """Press the power button and wait until the server answers SSH."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.start_host(site.settings, server, say)


@fault.command()
@click.argument("host", shell_complete=host_words)
@pass_lab
@_recorded
def cut(site: LabSite, host: str) -> None:
    """Unplug the server's network cable. Mended by `restore`."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.cut_link(site.settings, server.name)
    say(server.name, "runs on without network")


@fault.command()
@click.argument("host", shell_complete=host_words)
@pass_lab
@_recorded
def restore(site: LabSite, host: str) -> None:
    """Plug the server's network cable in again."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.restore_link(site.settings, server.name)
    say(server.name, "has its network back")


@fault.command()
@click.argument("host", shell_complete=host_words)
@click.argument("percent", type=int)
@pass_lab
@_recorded
def loss(site: LabSite, host: str, percent: int) -> None:
    """Lose PERCENT of the server's packets, in each direction; 0 ends it."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.lose(site.settings, server.name, percent)
    say(server.name, f"loses {percent} % of its packets")


@fault.command()
@click.argument("host", shell_complete=host_words)
@click.argument("milliseconds", type=int)
@pass_lab
@_recorded
def delay(site: LabSite, host: str, milliseconds: int) -> None:
    """Delay packets to the server; 0 ends it. Needs a kernel with netem."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.delay(site.settings, server.name, milliseconds)
    say(server.name, f"gets its packets {milliseconds} ms late")


@fault.command()
@click.argument("host", shell_complete=host_words)
@click.argument("gibibytes", type=float)
@pass_lab
@_recorded
def fill(site: LabSite, host: str, gibibytes: float) -> None:
    """Take GIBIBYTES of the server's disk; 0 gives them back."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    if gibibytes:
        faults.fill_disk(site.settings, server.name, int(gibibytes * _GIBIBYTE))
    else:
        faults.free_disk(site.settings, server.name)
    say(server.name, f"has {gibibytes:g} GiB of its disk taken")


@fault.command("kill-container")
@click.argument("host", shell_complete=host_words)
@click.argument("container")
@pass_lab
@_recorded
def kill_container(site: LabSite, host: str, container: str) -> None:
    """Kill a container's main process; its restart policy decides what follows."""
    from keybuzz.lab import fault as faults

    server = site.server(host)
    faults.kill_container(site.settings, server.name, container)
    say(server.name, f"{container} was killed")
