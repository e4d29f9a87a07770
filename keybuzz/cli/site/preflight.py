"""`kbz preflight`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import limit_option, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import KbzError

if TYPE_CHECKING:
    from keybuzz.engine.workspace import Workspace
    from keybuzz.model.reports.preflight import Obstacle
    from keybuzz.site.site import Site


@click.command()
@modules_argument()
@limit_option
@click.option(
    "--images/--no-images",
    default=True,
    show_default=True,
    help="Ask the registry for each frozen image, too.",
)
@document_format
def preflight(modules: tuple[str, ...], limit: tuple[str, ...], form: str, *, images: bool) -> int:
    """Look for what would stop the first run: on every host, and on this machine. Changes nothing.

    Each obstacle is told once, with where it is and what to do: host keys and logins, what a rollout would refuse
    (the system's release, ports that the firewall would close, data of another installation, ports that are
    taken), package sources, volumes, clock, disks and memory, load balancers, credentials, the SSH key, artefacts,
    images. Exit 0 when the first run would go through, 2 with an obstacle,
    4 when a host does not answer.
    """
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.preflight.preflight import described_without
    from keybuzz.engine.preflight.preflight import preflight as look
    from keybuzz.report.screen.preflight import preflight_document, preflight_text

    names = modules or ("all",)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        true_site = work.site
        filled = _filled(work, described_without(true_site))
        more = _images(true_site) if images else ()
        found = look(filled, true_site, chosen, work.select(named, limit), more)
    show_document(
        form,
        text=lambda: preflight_text(found, columns()),
        document=lambda: preflight_document(found),
    )
    return int(found.exit_code)


def _filled(work: Workspace, site: Site) -> Workspace:
    """Return the workspace with a site that can be described; Nornir's tasks see the same."""
    work.nornir.config.user_defined["site"] = site
    return replace(work, site=site)


def _images(site: Site) -> Iterator[Obstacle]:
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.images.registry import registry_of
    from keybuzz.engine.images.versions import Status, chosen, verify
    from keybuzz.model.reports.preflight import CONTROLLER, Obstacle
    from keybuzz.site.parameters.own import REGISTRY

    good = (Status.PRESENT, Status.BUILT, Status.NOT_HERE)
    try:
        registry = registry_of(REGISTRY.of(site), site.settings.builder_socket)
        verdicts = verify(site, all_modules(), registry, chosen(site, ()))
    except KbzError as error:
        yield Obstacle((CONTROLLER,), "images", error.what, error.hint or "kbz versions verify")
        return
    bad = [verdict for verdict in verdicts if verdict.status not in good]
    by_reason: dict[tuple[str, str], list[str]] = {}
    for verdict in bad:
        reason = verdict.what.replace(verdict.version.reference, "it") or verdict.status.value
        by_reason.setdefault((reason, verdict.hint), []).append(verdict.version.name)
    for (reason, hint), names in by_reason.items():
        what = f"{', '.join(names)}: {reason}"
        yield Obstacle((CONTROLLER,), "images", what, hint or "kbz versions verify")
