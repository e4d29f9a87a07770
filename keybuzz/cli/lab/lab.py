"""`kbz lab`: the KeyBuzz servers on this machine."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from keybuzz.cli.lab.lab_fault import fault
from keybuzz.cli.lab.lab_legacy import legacy
from keybuzz.cli.lab.lab_site import LabSite, pass_lab, say
from keybuzz.cli.support.context import limit_option, recorded
from keybuzz.cli.support.offers import host_words
from keybuzz.cli.support.output import document_format, show_document, show_verbatim
from keybuzz.cli.support.typed_name import confirm_option, require_typed
from keybuzz.model.core.errors import KbzError


@click.group()
def lab() -> None:
    """The KeyBuzz servers on this machine, for trials and tests. Nothing reaches outside."""


@lab.command()
@limit_option
@click.option(
    "--images",
    "kind",
    type=click.Choice(["stand-ins", "upstream"]),
    envvar="KBZ_LAB_IMAGES",
    help="What the servers pull; by default what the lab was made on, and stand-ins for a new one.",
)
@click.option(
    "--registry",
    default="",
    metavar="HOST[:PORT]",
    envvar="KBZ_LAB_REGISTRY",
    help="With --images upstream: pull through this registry or mirror.",
)
@click.option(
    "--artefacts",
    "programs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="KBZ_LAB_ARTEFACTS",
    help="With --images upstream: the folder with the files of `binaries` in versions.yaml.",
)
@pass_lab
def up(
    site: LabSite, limit: tuple[str, ...], kind: str | None, registry: str, programs: Path | None
) -> None:
    """Start servers; repairs what a crash left. Safe to run any time.

    The registry and the load balancers always come too. Images are made and stored in the registry
    for the groups of the chosen servers only, and only those that are missing.

    With --images upstream the builder pulls the frozen references instead of making stand-ins, and
    the released programs are taken from a folder; everything else is the same.

    \b
    Example: kbz lab up --images upstream --registry mirror.example:5000 --artefacts /srv/artefacts
    """
    from keybuzz.lab import lab as whole
    from keybuzz.lab import services
    from keybuzz.lab.supply import artefacts, images, mirror, upstream
    from keybuzz.lab.supply.stand_ins import needed_by

    chosen = site.chosen(limit)
    needed = needed_by(chosen)
    with site.changing("lab up", chosen):
        settings = site.settings
        if kind is not None:
            settings = upstream.chosen(settings, registry if kind == "upstream" else None)
        whole.up(settings, chosen, say)
        services.up(settings, site.balancers(), say)
        images.ensure(settings, needed, say)
        mirror.fill(settings, needed, say)
        if settings.upstream is None:
            artefacts.ensure(settings, chosen, say)
        else:
            names = artefacts.needed_by(chosen)
            upstream.take_programs(settings, names, programs, site.binaries())
    click.echo(f"{len(chosen)} of {len(chosen)} servers run in lab {site.settings.name}.")


@lab.command()
@click.option(
    "--wipe",
    is_flag=True,
    help="Delete all that the lab has too: disks, keys, credentials, journal.",
)
@confirm_option
@pass_lab
def down(site: LabSite, wipe: bool, confirm: str | None) -> None:
    """Stop all servers and remove their network. Their disks stay, as a server's disk does.

    With --wipe the lab's name must be typed, and nothing waits for the servers to stop in order.
    """
    from keybuzz.lab import lab as whole

    name = site.settings.name
    if wipe:
        loss = f"all disks, keys, credentials and the journal of lab {name} would be deleted"
        require_typed(name, confirm, loss)
    with site.changing("lab down", site.servers):
        if wipe:
            whole.abandon(site.settings, say)
            whole.wipe(site.settings, say)
        else:
            whole.down(site.settings, say)
    click.echo(f"Lab {site.settings.name} is down{', and its disks are gone' if wipe else ''}.")


@lab.command()
@click.argument("hosts", nargs=-1, required=True, shell_complete=host_words)
@confirm_option
@pass_lab
def reset(site: LabSite, hosts: tuple[str, ...], confirm: str | None) -> None:
    """Make servers bare again: new disk, new host key, no container, no data. The lab's name must be typed."""
    from keybuzz.lab import lab as whole

    chosen = site.chosen(hosts)
    names = ", ".join(server.name for server in chosen)
    require_typed(site.settings.name, confirm, f"the disks of {names} would be deleted")
    with site.changing("lab reset", chosen):
        whole.reset(site.settings, chosen, say)


@lab.command()
@click.argument("host", shell_complete=host_words)
@confirm_option
@pass_lab
def replace(site: LabSite, host: str, confirm: str | None) -> None:
    """Put a new bare machine at a server's address. Its key is not pinned: `kbz hosts` does that."""
    from keybuzz.lab import lab as whole

    server = site.server(host)
    require_typed(site.settings.name, confirm, f"the disk of {server.name} would be deleted")
    with site.changing("lab replace", [server]):
        whole.replace(site.settings, server, say)


@lab.command()
@limit_option
@document_format
@pass_lab
def status(site: LabSite, limit: tuple[str, ...], form: str) -> None:
    """Show what each server, the registry and the load balancers are doing."""
    from keybuzz.cli.lab.lab_shown import status_document, status_text
    from keybuzz.lab.services import status as ask_services
    from keybuzz.lab.status import status as ask_servers

    servers = ask_servers(site.settings, site.chosen(limit))
    services = ask_services(site.settings, site.balancers())
    show_document(
        form,
        text=lambda: status_text(servers, services),
        document=lambda: status_document(servers, services),
    )


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("host", shell_complete=host_words)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_lab
def execute(site: LabSite, host: str, command: tuple[str, ...]) -> int:
    """Run a command in a server as root, without SSH: kbz lab exec HOST -- CMD..."""
    from keybuzz.lab.network import inside

    name = site.server(host).name
    # What follows the program's name may be anything, a password too.
    words = shlex.join(["kbz", "lab", "exec", name, "--", command[0]])
    with recorded("lab exec", site.state, site.overlay.parent, words):
        return inside.execute(site.settings, name, command)


@lab.command("images")
@document_format
@pass_lab
def show_images(site: LabSite, form: str) -> None:
    """Show which images stand in for the frozen ones, and what they really are."""
    from keybuzz.cli.lab.lab_shown import images_document, images_text
    from keybuzz.lab.supply import builder, mirror, registry
    from keybuzz.lab.supply.images import images

    settings = site.settings
    if not builder.running(settings):
        raise KbzError("the image builder does not run", where="lab", hint="kbz lab up")
    rows = images(settings)
    references = [row.reference for row in rows]
    held = mirror.held(settings, references) if registry.answers(settings) else frozenset()
    show_document(
        form,
        text=lambda: images_text(rows, held),
        document=lambda: images_document(rows, held),
    )


@lab.command()
@document_format
@pass_lab
def diff(site: LabSite, form: str) -> None:
    """Show what differs from production: what a green lab does not prove."""
    from keybuzz.cli.lab.lab_shown import diff_document, diff_text
    from keybuzz.lab.deviations import deviations

    values = site.overlay.read_text(encoding="utf-8")
    found = (str(site.overlay), values, deviations(site.settings))
    show_verbatim(form, text=lambda: diff_text(*found), document=lambda: diff_document(*found))


lab.add_command(fault)
lab.add_command(legacy)
