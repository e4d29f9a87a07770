"""`kbz lb`: the provider's load balancers, which are set by hand."""

from __future__ import annotations

import click

from keybuzz.cli.support.context import pass_inventory_site, workspace
from keybuzz.cli.support.output import document_format, report_format, show_answer, show_document
from keybuzz.model.core.access import Access
from keybuzz.site.site import Site


@click.group()
def lb() -> None:
    """The provider's load balancers: kbz has no access there, so it says and verifies."""


@lb.command("show")
@document_format
@pass_inventory_site
def show_settings(site: Site, form: str) -> None:
    """Print what to set at the provider: services, targets and health checks."""
    from keybuzz.engine.look.load_balancer import balancers
    from keybuzz.report.text.load_balancer import settings_document, settings_text

    found = balancers(site)
    show_document(
        form,
        text=lambda: settings_text(found) + "\n",
        document=lambda: settings_document(found),
    )


@lb.command()
@report_format
def check(form: str) -> int:
    """Ask every service at each target and through its load balancer, by real logins. Exit 2 when one is bad."""
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.look.load_balancer import check as look
    from keybuzz.engine.look.load_balancer import exit_code
    from keybuzz.report.page.sheets import sheet_of_probes
    from keybuzz.report.text.load_balancer import check_document, check_text

    with workspace(Access.LOOK, quiet=True) as work:
        probes = look(work.site, all_modules(), work.absent)
    return show_answer(
        form,
        text=lambda: check_text(probes) + "\n",
        document=lambda: check_document(probes),
        sheet=lambda: sheet_of_probes(probes, int(exit_code(probes))),
    )
