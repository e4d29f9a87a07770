"""`kbz render`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from keybuzz.cli.support.context import limit_option, workspace_without_hosts
from keybuzz.cli.support.offers import module_words
from keybuzz.cli.support.output import document_format, give_out, show_verbatim
from keybuzz.model.core.errors import UsageError
from keybuzz.site.files.below import own_folder, put_below


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file of a host's description, secrets masked."""

    host: str
    module: str
    path: str
    text: str


@click.command()
@click.argument("modules", nargs=-1, required=True, shell_complete=module_words)
@limit_option
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder, one per host in it.",
)
@document_format
def render(
    modules: tuple[str, ...], limit: tuple[str, ...], folder: Path | None, form: str
) -> None:
    """Write the files of the description, secrets masked, to stdout or into a folder. Asks no host."""
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.engine.look.describe import describe_all
    from keybuzz.model.host.files import File

    if folder is not None and form == "json":
        raise UsageError("--out and --format json exclude each other", hint="leave one out")
    with workspace_without_hosts() as work:
        named = named_only(modules, also(work.site))
        selected = work.select(named, limit)
        nornir = work.nornir.filter(filter_func=lambda host: host.name in selected)
        descriptions = describe_all(nornir, choose(modules, also(work.site)))
    found = [
        Rendered(host, module.name, item.path, item.text.masked())
        for host, description in sorted(descriptions.items())
        for module in named
        if module.name in description.modules
        for item in description.modules[module.name].resources
        if isinstance(item, File)
    ]
    if folder is None:
        show_verbatim(form, text=lambda: _text(found), document=lambda: _document(found))
    else:
        give_out("".join(f"{path}\n" for path in _written(found, folder)))


def _text(files: Iterable[Rendered]) -> str:
    return "".join(f"# {item.host}:{item.path}\n{item.text}\n" for item in files)


def _document(files: Iterable[Rendered]) -> dict[str, Any]:
    return {
        "format_version": 1,
        "verb": "render",
        "files": [
            {"host": item.host, "module": item.module, "path": item.path, "text": item.text}
            for item in files
        ],
    }


def _written(files: Iterable[Rendered], folder: Path) -> Iterator[Path]:
    own = own_folder(folder)
    for item in files:
        yield put_below(own, f"{item.host}/{item.path.lstrip('/')}", item.text)
