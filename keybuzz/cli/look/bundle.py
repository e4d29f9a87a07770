"""`kbz bundle`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import format_option, limit_option, workspace
from keybuzz.cli.support.modules import modules_argument
from keybuzz.cli.support.output import document_text, give_out
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import ExitCode

if TYPE_CHECKING:
    from keybuzz.report.bundle.archive import Packed

_LONGEST_NAME = 60
"""Characters of the names of modules in the name of the file."""


@click.command()
@modules_argument()
@limit_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The archive, a new file; else kbz-bundle-MODULES-TIME.tar.gz in this folder.",
)
@click.option(
    "--lines",
    type=click.IntRange(1, 5000),
    default=500,
    show_default=True,
    metavar="N",
    help="Of each log, at most.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1, max=1000),
    default=20,
    show_default=True,
    metavar="N",
    help="How many runs of the journal.",
)
@format_option
def bundle(
    modules: tuple[str, ...],
    limit: tuple[str, ...],
    out: Path | None,
    lines: int,
    last: int,
    form: str,
) -> int:
    """Write one archive for a colleague or an upstream: versions, plan, health, drift, files and logs, masked.

    It only looks. Mode 0600; a file that is there is never overwritten. manifest.json names what is in it, what is
    left out, and each host that did not answer; with one of those it exits with 4.
    """
    from keybuzz.engine.bundle.gather import Wish, gather
    from keybuzz.engine.catalogue import also, choose, named_only
    from keybuzz.report.bundle.archive import archive, pack, require_new, write_new
    from keybuzz.report.bundle.entries import entries
    from keybuzz.transport.link import hide_of

    names = modules or ("all",)
    place = out or Path(_name(names))
    require_new(place)
    with workspace(Access.LOOK, quiet=form != "text") as work:
        chosen, named = choose(names, also(work.site)), named_only(names, also(work.site))
        wish = Wish(chosen, named, work.select(named, limit), lines, last)
        gathered = gather(work, wish)
        kbz = _kbz()
        hide = hide_of(work.nornir.config.user_defined)
        packed = pack(gathered, entries(gathered, work.site, kbz, hide), kbz, hide)
    text = document_text(packed.manifest)
    folder = place.name.removesuffix(".gz").removesuffix(".tar")
    write_new(place, archive(packed, folder, gathered.moment, text.encode()))
    give_out(text if form == "json" else _said(place, packed))
    return int(ExitCode.UNREACHABLE if gathered.silent else ExitCode.GOOD)


def _name(modules: tuple[str, ...]) -> str:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return f"kbz-bundle-{'-'.join(modules)[:_LONGEST_NAME]}-{moment}.tar.gz"


def _kbz() -> dict[str, str]:
    from importlib.metadata import version

    from keybuzz.engine.memory.journal import revision

    return {"version": version("kbz"), "revision": revision(Path(__file__).resolve().parents[3])}


def _said(place: Path, packed: Packed) -> str:
    manifest = packed.manifest
    lines = [
        f"{item['host']} did not answer: {item['silent']}"
        for item in manifest["hosts"]
        if item["silent"]
    ]
    lines += [f"left out  {item['what']}: {item['why']}" for item in manifest["left_out"]]
    size = sum(item["bytes"] for item in manifest["files"])
    lines += [
        f"{place}: {len(manifest['files'])} files, {size} bytes before they are packed",
        manifest["masked"],
    ]
    return "".join(f"{line}\n" for line in lines)
