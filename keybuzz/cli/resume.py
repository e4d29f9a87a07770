"""`kbz resume`."""

from __future__ import annotations

import shlex

import click

from keybuzz.cli.context import pass_site
from keybuzz.model.errors import UsageError
from keybuzz.site.site import Site


@click.command()
@pass_site
@click.pass_context
def resume(context: click.Context, site: Site) -> int:
    """Repeat the newest run if it did not end well. It reads everything again: no old reading is used."""
    from keybuzz.cli.run import run
    from keybuzz.engine.journal import Journal

    runs = [
        r for r in Journal(site.settings.state / "journal.sqlite").runs(1000) if r.verb == "run"
    ]
    if not runs:
        raise UsageError("there is no run to resume", hint="kbz run MODULE starts one")
    newest = runs[0]
    if newest.exit_code == 0:
        click.echo(f"run {newest.number} ended well; there is nothing to resume")
        return 0
    arguments = shlex.split(newest.arguments[0])
    words = arguments[arguments.index("run") + 1 :] if "run" in arguments else list(newest.modules)
    click.echo(f"resuming run {newest.number}: {newest.arguments[0]}", err=True)
    with run.make_context("run", words, parent=context.parent) as child:
        result = run.invoke(child)
    return int(result or 0)
