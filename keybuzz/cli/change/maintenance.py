"""`kbz maintenance`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.change.pacing import confirmed
from keybuzz.cli.look.edits import difference, put_unchanged
from keybuzz.cli.support.common import SPAN, WAIT, columns, error_columns
from keybuzz.cli.support.context import (
    format_option,
    show,
    stoppable_workspace,
    workspace_without_hosts,
)
from keybuzz.cli.support.default_group import default_group
from keybuzz.cli.support.offers import host_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.inventory.maintenance import Maintenance

if TYPE_CHECKING:
    from keybuzz.engine.change.guard import Cluster
    from keybuzz.engine.workspace import Workspace

_HOST = click.argument("host", shell_complete=host_words)
_YES = click.option("--yes", is_flag=True, help="Hand over and drain without a question.")
_WAIT = click.option(
    "--wait", type=WAIT, default=0.0, metavar="SECONDS", help="Wait for another run's lease."
)
_TIMEOUT = click.option(
    "--timeout",
    type=SPAN,
    default=1800.0,
    show_default=True,
    metavar="SECONDS",
    help="For all of it.",
)


@click.group(cls=default_group("list"))
def maintenance() -> None:
    """Take a host out of service for planned work, for as long as was said.

    `kbz maintenance` is short for `kbz maintenance list`.
    """


@maintenance.command()
@_HOST
@click.option("--reason", required=True, metavar="TEXT", help="What is done there; recorded.")
@click.option(
    "--until",
    required=True,
    metavar="TIME",
    help="When it ends by itself: 2027-03-31T04:00Z, or from now on 90m, 4h, 2d.",
)
@_YES
@_WAIT
@_TIMEOUT
@format_option
def on(
    host: str, reason: str, until: str, yes: bool, wait: float, timeout: float, form: str
) -> int:
    """Hand over what HOST leads, drain it, and expect it to be away.

    Refused where a cluster of the host has no spare without it. Health, drift, status and what is told of them show it
    as in maintenance and count nothing of it as a fault; kbz run and kbz restart leave it out unless --limit names it.
    The entry is in policies.yaml: commit it, so that others know. After --until it is a finding. Nothing is stopped
    on the host.
    """
    from keybuzz.engine.maintain.maintenance import OnRequest, put_on
    from keybuzz.site.files.maintenance import with_entry

    now = datetime.now(UTC)
    entry = Maintenance(host, _reason(reason), now, _until(until, now))
    with stoppable_workspace(quiet=form == "json") as work:
        _require_known(work, host)
        edit = _Edit(work, lambda before, path: with_entry(before, path, entry))

        def consent(name: str, clusters: tuple[Cluster, ...]) -> None:
            click.echo(_clusters_text(name, clusters), err=True)
            click.echo(edit.text, err=True, nl=False)
            if not yes:
                confirmed(f"This takes {name} out of service until {until}")

        report = put_on(work, OnRequest(entry, edit.write, consent, wait, timeout))
    return show(report, form)


@maintenance.command()
@_HOST
@_WAIT
@_TIMEOUT
@format_option
def off(host: str, wait: float, timeout: float, form: str) -> int:
    """Put HOST back into service: it takes work again, and counts again.

    A host that does not answer is counted as the fault that it is from then on.
    """
    from keybuzz.engine.maintain.maintenance import OffRequest, take_off
    from keybuzz.site.files.maintenance import without_entry

    with stoppable_workspace(quiet=form == "json") as work:
        _require_known(work, host)
        if host not in {entry.host for entry in work.site.policies.maintenance}:
            raise UsageError(f"{host} is not in maintenance", hint="kbz maintenance lists who is")
        edit = _Edit(work, lambda before, path: without_entry(before, path, host))
        click.echo(edit.text, err=True, nl=False)
        report = take_off(work, OffRequest(host, edit.write, wait, timeout))
    return show(report, form)


@maintenance.command("list")
@document_format
def list_hosts(form: str) -> int:
    """Show which hosts are in maintenance, until when and why. Exit 2 when one is past its end. Asks no host."""
    from keybuzz.engine.maintain.maintenance import listed
    from keybuzz.report.screen.maintenance import listed_document, listed_text

    with workspace_without_hosts() as work:
        found = listed(work)
    width = columns()
    show_document(
        form, text=lambda: listed_text(found, width), document=lambda: listed_document(found)
    )
    return 0 if all(counts for _, counts in found) else 2


class _Edit:
    """The change of policies.yaml, made and judged before anything else is."""

    def __init__(self, work: Workspace, change: Callable[[bytes, str], bytes]) -> None:
        from keybuzz.site.files.problems import read_file
        from keybuzz.site.load import LIMIT, read_configuration
        from keybuzz.site.policies import parse_policies

        root = Path(click.get_current_context().find_root().obj)
        self.path = read_configuration(root).policies
        self.before = read_file(self.path, LIMIT)
        self.after = change(self.before, str(self.path))
        parse_policies(self.after, str(self.path), {g.name for g in work.site.catalogue.groups})
        self.text = difference(self.before, self.after, self.path)

    def write(self) -> None:
        """Put it in place; RefusedError when the file has changed meanwhile."""
        put_unchanged(self.path, self.before, self.after)
        click.echo(f"commit {self.path.name}, so that others know", err=True)


def _require_known(work: Workspace, host: str) -> None:
    from keybuzz.site.files.problems import nearest

    names = [server.name for server in work.site.servers]
    if host not in names:
        raise UsageError(f"there is no host {host}", hint=nearest(host, names))


def _reason(text: str) -> str:
    from keybuzz.site.accepted import SHORTEST_REASON

    if len(text.strip()) < SHORTEST_REASON:
        raise UsageError("--reason explains nothing", hint="write a sentence: what is done there")
    return text.strip()


def _until(text: str, now: datetime) -> datetime:
    from keybuzz.engine.maintain.maintenance import until_of

    try:
        found = until_of(text, now)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--until {text!r} is no time",
            hint="2027-03-31T04:00Z, or a span from now on such as 4h",
        ) from None
    if found <= now:
        raise UsageError(f"--until {text} is past", hint="name a time to come")
    return found


def _clusters_text(host: str, clusters: tuple[Cluster, ...]) -> str:
    from keybuzz.report.screen.fit import fit

    told = [
        f"{cluster.name}: {len(cluster.lasting)} of {len(cluster.members)} members are up, it needs {cluster.majority}"
        for cluster in clusters
    ]
    if not told:
        told = ["it is a member of no cluster"]
    lines = [f"{host} is taken out of service:", *(f"  {line}" for line in told)]
    lines.append(
        f"what it leads is handed over first; {proposed('kbz', 'maintenance', 'off', host)} ends it"
    )
    return "\n".join(fit(line, error_columns()) for line in lines)
