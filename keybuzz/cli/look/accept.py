"""`kbz drift accept`."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

import click

from keybuzz.cli.look.edits import difference, put_unchanged
from keybuzz.cli.support.context import holding, load_inventory, workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import UsageError
from keybuzz.site.accepted import Accepted
from keybuzz.site.site import Site


@click.command()
@click.argument("differences", metavar="DIFFERENCE...", nargs=-1, required=True)
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why it stays, and who decided; recorded."
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="The last day on which it counts, such as 2027-03-31.",
)
@click.option("--show", "only_show", is_flag=True, help="Print what would be written.")
def accept(
    differences: tuple[str, ...], reason: str, until: datetime | None, only_show: bool
) -> int:
    """Accept differences as they are now: drift counts them, and tells them no more.

    DIFFERENCE is an id that `kbz drift` prints, such as drift/haproxy-01/container:haproxy, or a pattern in quotes,
    such as 'drift/haproxy-*/container:haproxy'. The hosts are asked, and what is there is written into policies.yaml
    as a digest: another state than this one is drift again. Of a stray, which no description explains, only what
    drift prints about it is compared, and not the content of a file. Nothing is changed on any host. To take it
    back, delete the entry.
    """
    from keybuzz.engine.catalogue import all_modules
    from keybuzz.engine.drift.accepting import AcceptWords, accepting
    from keybuzz.site.load import read_configuration

    today = datetime.now(UTC).date()
    words = AcceptWords(differences, reason, today, _last_day(until, today))
    site = load_inventory()
    path = read_configuration(Path(click.get_current_context().find_root().obj)).policies
    with workspace(Access.LOOK, quiet=False) as work:
        # The workspace comes first: it enters the lab's network, before any thread starts.
        held = holding(
            "drift accept", site.settings.state, site.root, site.members("controller"), site.sources
        )
        with nullcontext() if only_show else held:
            entries = accepting(work, words, all_modules())
            before, after = _edited(path, entries, site)
            click.echo(difference(before, after, path), nl=False)
            if only_show:
                return 0
            put_unchanged(path, before, after)
    click.echo(f"{len(entries)} accepted; commit {path.name}, so that others know")
    return 0


def _edited(path: Path, entries: tuple[Accepted, ...], site: Site) -> tuple[bytes, bytes]:
    """Return policies.yaml as it is and as it would be; InputError when that would not be read again."""
    from keybuzz.site.accepting import with_accepted
    from keybuzz.site.files.problems import read_file
    from keybuzz.site.load import LIMIT
    from keybuzz.site.policies import parse_policies

    before = read_file(path, LIMIT)
    after = with_accepted(before, str(path), entries)
    parse_policies(after, str(path), {group.name for group in site.catalogue.groups})
    return before, after


def _last_day(until: datetime | None, today: date) -> date | None:
    if until is None:
        return None
    if until.date() < today:
        raise UsageError(
            f"--until {until.date()} is past", hint="name a day to come, or leave it out"
        )
    return until.date()
