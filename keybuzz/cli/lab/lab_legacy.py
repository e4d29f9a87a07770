"""`kbz lab legacy`: the fleet as it was before kbz, for trials of `kbz adopt`."""

from __future__ import annotations

import click

from keybuzz.cli.lab.lab_site import LabSite, pass_lab, say


@click.command()
@click.argument("module")
@click.option("--variant", metavar="NAME", help="Which of its old forms; the first one by default.")
@pass_lab
def legacy(site: LabSite, module: str, variant: str | None) -> None:
    """Build an old deployment of MODULE on bare lab servers, as scripts did before kbz.

    `all` is every one whose servers are in this lab.

    Old names, images, arguments with secrets in them, directories, units and cron lines, filled with data.
    The servers must be up and bare (`kbz lab up`, `kbz lab reset`).

    \b
    Example: kbz lab legacy all
    """
    from keybuzz.lab.legacy.build import build_all
    from keybuzz.lab.legacy.description import deployment, modules

    names = modules() if module == "all" else (module,)
    chosen = [deployment(name, variant) for name in names]
    if module == "all":
        chosen = [old for old in chosen if _is_here(site, old.group())]
    with site.changing("lab legacy", site.chosen([old.group() for old in chosen])):
        build_all(site.settings, [(old, site.chosen([old.group()])) for old in chosen], say)
    click.echo(f"{len(chosen)} of {len(names)} old deployments run in lab {site.settings.name}.")


def _is_here(site: LabSite, group: str) -> bool:
    """Return whether servers of a group were started in this lab; say so where none was."""
    from keybuzz.lab.layout import host_names

    here = set(host_names(site.settings))
    found = any(server.name in here for server in site.chosen([group]))
    if not found:
        say("", f"None of {group} is in this lab: its old deployment is left out.")
    return found
