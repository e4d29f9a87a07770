"""`kbz render`."""

from __future__ import annotations

from pathlib import Path

import click

from keybuzz.cli.context import limit_option, workspace
from keybuzz.cli.offers import module_words


@click.command()
@click.argument("modules", nargs=-1, required=True, shell_complete=module_words)
@limit_option
@click.option(
    "--out",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder, one per host in it.",
)
def render(modules: tuple[str, ...], limit: tuple[str, ...], output: Path | None) -> None:
    """Write the files of the description, secrets masked, to stdout or into a folder. Asks no host."""
    from keybuzz.engine.catalogue import choose, named_only
    from keybuzz.engine.describe import describe_all
    from keybuzz.model.files import File

    named = named_only(modules)
    with workspace(quiet=True) as work:
        selected = work.select(named, limit)
        nornir = work.nornir.filter(filter_func=lambda host: host.name in selected)
        descriptions = describe_all(nornir, choose(modules))
    for host, description in sorted(descriptions.items()):
        for module in named:
            found = description.modules.get(module.name)
            files = [item for item in found.resources if isinstance(item, File)] if found else []
            for item in files:
                _write(host, item.path, item.text.masked(), output)


def _write(host: str, path: str, text: str, output: Path | None) -> None:
    if output is None:
        click.echo(f"# {host}:{path}\n{text}")
        return
    target = output / host / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    click.echo(str(target))
