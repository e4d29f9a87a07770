"""`kbz history`."""

from __future__ import annotations

import json
import re

import click

from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import pass_inventory_site
from keybuzz.cli.support.default_group import DefaultGroup
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.model.core.errors import UsageError
from keybuzz.site.site import Site

_LOOKS = 200
"""Looks that may be one row of the list: a week by the hour."""
_FLAGS = ("--failed", "--every", "--json", "--verbose", "--quiet")


class HistoryGroup(DefaultGroup):
    """`kbz history 7` is `kbz history show 7`, and without a number it is `kbz history list`."""

    default = "list"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # The number may come after an option: `kbz history --format json 7`.
        known = args and args[0] in self.commands
        if not known and any(
            word.isdecimal() and (at == 0 or not _takes_a_value(args[at - 1]))
            for at, word in enumerate(args)
        ):
            args = ["show", *args]
        return super().parse_args(ctx, args)


def _takes_a_value(word: str) -> bool:
    return word.startswith("--") and "=" not in word and word not in _FLAGS


@click.group(cls=HistoryGroup)
def history() -> None:
    """Show earlier runs. `kbz history` is short for `kbz history list`, `kbz history 7` for `kbz history show 7`."""


@history.command("list")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many runs; looks in a row that ended alike count as one.",
)
@click.option("--every", is_flag=True, help="Show each look, also those that ended alike.")
@click.option("--verb", default="", metavar="VERB", help="Only runs of this verb.")
@click.option("--host", default="", metavar="HOST", help="Only runs that were for this host.")
@click.option("--failed", is_flag=True, help="Only runs that did not end well, or not at all.")
@document_format
@pass_inventory_site
def list_runs(
    site: Site, last: int, every: bool, verb: str, host: str, failed: bool, form: str
) -> None:
    """List earlier runs, newest first."""
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.report.text.history import folded_text, runs_document, runs_text

    if host:
        site.server(host)
    journal = Journal(site.settings.state / "journal.sqlite")
    folds = form == "text" and not every
    runs = journal.find(last * _LOOKS if folds else last, verb=verb, host=host, failed=failed)
    shown = folded_text(runs, last, columns()) if folds else runs_text(runs, columns())
    show_document(
        form,
        text=lambda: f"{shown}\n",
        document=lambda: runs_document(runs),
    )


@history.command("show")
@click.argument("number", type=click.IntRange(min=1))
@document_format
@pass_inventory_site
def show_run(site: Site, number: int, form: str) -> None:
    """Show one run: its hosts, its plan, and what a drift run found."""
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.report.text.history import one_run_document, one_run_text

    journal = Journal(site.settings.state / "journal.sqlite")
    record = journal.run(number)
    if record is None:
        raise UsageError(f"there is no run {number}", hint="kbz history lists them")
    text = journal.plan(number)
    plan = json.loads(text) if text else None
    hosts, drift = journal.hosts(number), journal.drift(number)
    show_document(
        form,
        text=lambda: one_run_text(record, hosts, plan, drift, columns()) + "\n",
        document=lambda: one_run_document(record, hosts, plan, drift),
    )


@history.command()
@click.option(
    "--head",
    default="",
    metavar="DIGEST",
    help="Also prove that the chain holds this digest, as an earlier verify printed it.",
)
@document_format
@pass_inventory_site
def verify(site: Site, head: str, form: str) -> int:
    """Prove that no row of the journal was changed, added or removed. Exit 1 when one was.

    Each entry holds the digest of the one before. A program that can write the file can make a new chain: keep the
    printed head elsewhere, and give it to --head later.
    """
    from keybuzz.engine.memory.journal import Journal
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.report.text.history import verdict_document, verdict_text

    if head and not re.fullmatch("[0-9a-f]{16,64}", head):
        raise UsageError(
            f"{head} is no digest", hint="16 to 64 digits, as kbz history verify prints"
        )
    found = Journal(site.settings.state / "journal.sqlite").verify(head)
    show_document(form, text=lambda: verdict_text(found), document=lambda: verdict_document(found))
    return int(ExitCode.FAILED if found.problems else ExitCode.GOOD)
