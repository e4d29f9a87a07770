"""`kbz versions`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keybuzz.cli.support.context import (
    enter_lab,
    format_option,
    holding,
    limit_option,
    load_site,
    show,
    stoppable_workspace,
)
from keybuzz.cli.support.offers import host_words, image_words
from keybuzz.cli.support.output import report_format, show_answer

if TYPE_CHECKING:
    from keybuzz.engine.images.versions import ImageVerdict
    from keybuzz.site.site import Site


@click.group()
def versions() -> None:
    """The frozen images of versions.yaml (VER-1): the only place where a tag may stand."""


def _config() -> str:
    given: str = click.get_current_context().find_root().obj
    return given


@versions.command()
@report_format
def check(form: str) -> int:
    """Refuse latest, partial tags, overrides without a reason, and images that are not listed. Exit 3.

    It warns of images without a digest, and of those whose upstream is gone, archived or frozen. It reads files only.
    """
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.report.page.sheets import sheet_of_list

    problems, warnings = _judged()
    code = ExitCode.REFUSED if problems else ExitCode.GOOD
    told = (*problems, *(f"warning: {warning}" for warning in warnings))
    last = f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}"
    return show_answer(
        form,
        text=lambda: "".join(f"{line}\n" for line in (*told, last)),
        document=lambda: {
            "format_version": 1,
            "verb": "versions check",
            "problems": problems,
            "warnings": warnings,
        },
        sheet=lambda: sheet_of_list(problems, int(code), warnings),
    )


def _count(found: list[str], word: str) -> str:
    return f"{len(found)} {word}{'s' * (len(found) != 1)}"


def _judged() -> tuple[list[str], list[str]]:
    """Return the problems and the warnings; a file that cannot be read is a problem, and leaves no warnings."""
    import tasks
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.images.image_lint import unlisted
    from keybuzz.engine.images.supply import supply_warnings
    from keybuzz.model.core.errors import InputError

    folders = [Path(folder) for folder in tasks.__path__]
    try:
        site = load_site(_config())
        problems = [
            f"{item.where}: {item.reference} is not listed in versions.yaml → add it with its tag"
            for item in unlisted(site, all_modules(), folders)
        ]
        return problems, list(supply_warnings(site, all_modules()))
    except InputError as error:
        lines = str(error).replace("\n  →", " →").split("\n")
        return [" ".join(line.split()) for line in lines], []


images_argument = click.argument(
    "images", nargs=-1, metavar="[IMAGE]...", shell_complete=image_words
)


def _ask(site: Site, images: tuple[str, ...]) -> tuple[ImageVerdict, ...]:
    """Ask the site's registry about these images, or all."""
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.images.registry import registry_of
    from keybuzz.engine.images.versions import chosen
    from keybuzz.engine.images.versions import verify as verify_images

    wanted = chosen(site, images)
    from keybuzz.site.parameters.own import REGISTRY

    registry = registry_of(REGISTRY.of(site), site.settings.builder_socket)
    return verify_images(site, all_modules(), registry, wanted)


@versions.command()
@images_argument
@report_format
def verify(images: tuple[str, ...], form: str) -> int:
    """Ask the registry for each image. Exit 3 when a tag is missing or has moved; nothing is taken instead.

    IMAGE is a name in versions.yaml; without one, all are asked for.
    """
    from keybuzz.engine.images.versions import exit_code
    from keybuzz.report.page.sheets import sheet_of_images

    site = load_site(_config())
    enter_lab(site)
    verdicts = _ask(site, images)
    return show_answer(
        form,
        text=lambda: _text(verdicts),
        document=lambda: _document(verdicts),
        sheet=lambda: sheet_of_images(verdicts, int(exit_code(verdicts))),
    )


def _text(verdicts: tuple[ImageVerdict, ...]) -> str:
    lines: list[str] = []
    width = max((len(verdict.version.reference) for verdict in verdicts), default=0)
    for verdict in verdicts:
        end = verdict.what or verdict.digest[:19]
        lines.append(f"{verdict.status.value:<12} {verdict.version.reference:<{width}}  {end}")
        if verdict.hint:
            lines.append(f"             → {verdict.hint}")
        if verdict.version.reason:
            frozen = verdict.version.frozen
            lines.append(f"             instead of {frozen}: {verdict.version.reason}")
    return "".join(f"{line}\n" for line in lines)


def _document(verdicts: tuple[ImageVerdict, ...]) -> dict[str, Any]:
    return {
        "format_version": 1,
        "verb": "versions verify",
        "images": {
            verdict.version.name: {
                "reference": verdict.version.reference,
                "frozen": verdict.version.frozen,
                "reason": verdict.version.reason or None,
                "status": verdict.status.value,
                "digest": verdict.digest or None,
                "locked": verdict.version.digest or None,
                "message": verdict.what or None,
                "hint": verdict.hint or None,
            }
            for verdict in verdicts
        },
    }


@versions.command()
@images_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the locked file there; by default into versions.yaml.",
)
@click.option("--moved", is_flag=True, help="Accept tags that are other images than before.")
def lock(images: tuple[str, ...], out: Path | None, *, moved: bool) -> int:
    """Write the digest of each image into versions.yaml; refuse when one is missing, moved or unknown.

    IMAGE is a name in versions.yaml; without one, all are locked.
    """
    from keybuzz.model.core.errors import RefusedError

    site = load_site(_config())
    from keybuzz.site.parameters.own import NO_DIGESTS

    reason = NO_DIGESTS.of(site)
    if reason != "none" and out is None:
        raise RefusedError(
            f"versions.yaml is not locked here: {reason}",
            where="versions.yaml",
            hint="--out FILE writes a locked copy for this site",
        )
    enter_lab(site)
    with holding("versions lock", site.settings.state, site.root, site.servers, site.sources):
        return _lock(site, images, out, moved=moved)


def _lock(site: Site, images: tuple[str, ...], out: Path | None, *, moved: bool) -> int:
    from keybuzz.engine.images.versions import Status, exit_code
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.site.load import read_configuration
    from keybuzz.site.versions import lock_file

    verdicts = _ask(site, images)
    good = (Status.PRESENT, Status.BUILT, Status.NOT_HERE, *((Status.MOVED,) if moved else ()))
    bad = tuple(verdict for verdict in verdicts if verdict.status not in good)
    if bad:
        click.echo(_text(bad), nl=False)
        click.echo("nothing was written")
        return int(exit_code(bad))
    digests = {item.version.name: item.digest for item in verdicts if item.digest}
    source = read_configuration(Path(_config())).versions
    lock_file(source, out or source, digests)
    click.echo(f"{out or source}: {len(digests)} digests")
    return ExitCode.GOOD


@versions.command()
@images_argument
@click.option(
    "--from",
    "source",
    metavar="HOST",
    default="",
    shell_complete=host_words,
    help="Take the images from this host, which holds them, instead of pulling them on the builder.",
)
@click.option(
    "--record/--no-record",
    default=True,
    show_default=True,
    help="Write the digest of each image that has none into versions.yaml, where the site compares digests.",
)
@limit_option
@format_option
def mirror(
    images: tuple[str, ...], source: str, limit: tuple[str, ...], form: str, *, record: bool
) -> int:
    """Hand each frozen image to the hosts that need it and do not hold it; pulled once, by the builder.

    With --from it comes from a host that holds it: no registry is asked. No container is changed. Holds the leases.

    \b
    Example: kbz versions mirror --from haproxy-01 --limit haproxy-02 haproxy
    """
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.images.mirror import MirrorRequest
    from keybuzz.engine.images.mirror import mirror as mirror_images
    from keybuzz.engine.images.versions import chosen

    with stoppable_workspace(quiet=form == "json") as work:
        modules = tuple(all_modules())
        names = tuple(version.name for version in chosen(work.site, images)) if images else ()
        request = MirrorRequest(
            modules,
            work.select(modules, limit),
            names,
            work.site.server(source).name if source else "",
            _record if record else lambda digests: None,
        )
        return show(mirror_images(work, request), form)


def _record(digests: Mapping[str, str]) -> None:
    """Write digests into versions.yaml, and say so."""
    from keybuzz.site.load import read_configuration
    from keybuzz.site.versions import lock_file

    if digests:
        source = read_configuration(Path(_config())).versions
        lock_file(source, source, digests)
        click.echo(f"{source}: {len(digests)} digests were recorded", err=True)
