"""`kbz history`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from keybuzz.cli.context import format_option, pass_inventory_site, print_document
from keybuzz.model.errors import UsageError

if TYPE_CHECKING:
    from keybuzz.engine.journal import RunRecord
    from keybuzz.site.site import Site


@click.command()
@click.argument("number", required=False, type=int)
@click.option("--last", default=20, show_default=True, metavar="N", help="How many runs.")
@format_option
@pass_inventory_site
def history(site: Site, number: int | None, last: int, form: str) -> None:
    """Show earlier runs, newest first, or one run with its hosts and plan."""
    from keybuzz.engine.journal import Journal

    journal = Journal(site.settings.state / "journal.sqlite")
    runs = journal.runs(last if number is None else 1_000_000)
    if number is not None:
        runs = tuple(record for record in runs if record.number == number)
        if not runs:
            raise UsageError(f"there is no run {number}", hint="kbz history lists them")
    hosts = journal.hosts(number) if number is not None else ()
    plan = journal.plan(number) if number is not None else ""
    if form == "json":
        document = {"format_version": 1, "runs": [_document(record) for record in runs]}
        if number is not None:
            document["hosts"] = [
                {"host": h.host, "outcome": h.outcome.value, "changes": h.changes, "what": h.what}
                for h in hosts
            ]
            document["plan"] = json.loads(plan) if plan else None
        print_document(document)
        return
    for record in runs:
        click.echo(_line(record))
    for item in hosts:
        click.echo(
            f"  {item.outcome.value:<11} {item.host}  {item.changes} changes  {item.what}".rstrip()
        )
    for change in json.loads(plan)["changes"] if plan else ():
        click.echo(f"  {change['action']:<7} {change['host']}  {change['resource']}")


def _line(record: RunRecord) -> str:
    started = datetime.fromtimestamp(record.started, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    end = "cut off or still at work" if record.ended is None else f"exit {record.exit_code}"
    took = "" if record.ended is None else f" after {record.ended - record.started:.1f} s"
    command = " ".join(record.arguments)
    note = f"\n      {record.note.splitlines()[0]}" if record.note else ""
    return f"{record.number:>4}  {started}  {record.owner}  {command}  {end}{took}  {record.revision}{note}"


def _document(record: RunRecord) -> dict[str, object]:
    return {
        "run": record.number,
        "verb": record.verb,
        "command": " ".join(record.arguments),
        "modules": list(record.modules),
        "owner": record.owner,
        "revision": record.revision,
        "started": record.started,
        "ended": record.ended,
        "exit_code": record.exit_code,
        "note": record.note or None,
    }
