"""`kbz resume`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import pass_inventory_site, set_command
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.proposed import proposed
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import Journal, RunRecord


@click.command()
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    help="Lift the freeze again (FRZ-1): a lift is for one run, and is not repeated without this.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the freeze is lifted; recorded.")
@pass_inventory_site
@click.pass_context
def resume(context: click.Context, site: Site, lifted: tuple[str, ...], reason: str) -> int:
    """Repeat the newest run if it did not end well. It reads everything again: no old reading is used.

    A freeze that it lifted is not lifted again, unless --lift-freeze says so.
    """
    from keybuzz.engine.memory.journal import Journal

    journal = Journal(site.settings.state / "journal.sqlite")
    found = [*journal.find(1, verb="run"), *journal.find(1, verb="restart")]
    if not found:
        raise UsageError("there is no run to resume", hint="kbz run MODULE starts one")
    newest = max(found, key=lambda record: record.number)
    if newest.exit_code == 0:
        click.echo(f"run {newest.number} ended well; there is nothing to resume")
        return 0
    root = context.find_root()
    assert isinstance(root.command, click.Group), "every verb is one of the group's"
    # From the group, which gives each verb the options that all have: they may have been typed.
    again = root.command.get_command(root, newest.verb)
    assert again is not None, "only run and restart are looked for"
    words = _since(newest) if newest.verb == "restart" else _words(journal, newest)
    words = _with_lifts(newest, words, lifted, reason)
    line = shlex.join(["kbz", newest.verb, *words])
    click.echo(f"resuming run {newest.number}: {line}", err=True)
    set_command(f"{line} # resumed from run {newest.number}")
    with again.make_context(newest.verb, list(words), parent=context.parent) as child:
        result = again.invoke(child)
    return int(result or 0)


def _with_lifts(
    record: RunRecord, words: list[str], lifted: tuple[str, ...], reason: str
) -> list[str]:
    """Return the words with these lifts in place of the run's own; RefusedError when it had some and none is given."""
    kept, before = _without_lifts(words)
    if before and not lifted:
        again = [word for name in before for word in ("--lift-freeze", name)]
        raise RefusedError(
            f"run {record.number} lifted the freeze of {', '.join(before)}, and a lift is for one run (FRZ-1)",
            hint=f"to lift it again: {proposed('kbz', 'resume', *again)} --reason 'who decided it, and why'",
        )
    given = [word for name in lifted for word in ("--lift-freeze", name)]
    return [*kept, *given, *(["--reason", reason] if reason else [])]


def _without_lifts(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words without lifts and their reason, and the modules that were lifted."""
    kept: list[str] = []
    lifted: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in ("--lift-freeze", "--reason"):
            kept.append(word)
            continue
        value = value if equals else next(rest, "")
        if name == "--lift-freeze":
            lifted.append(value)
    return kept, lifted


def _since(record: RunRecord) -> list[str]:
    """Return the words after `kbz restart` that go on with a restart: what it has done is not repeated."""
    typed = shlex.split(record.arguments[0], comments=True)
    words = typed[typed.index("restart") + 1 :]
    if "--since" in words:
        place = words.index("--since")
        del words[place : place + 2]
    return [*words, "--since", str(record.number)]


def _words(journal: Journal, record: RunRecord) -> list[str]:
    """Return the words after `kbz run` that go on with a run."""
    typed = shlex.split(record.arguments[0], comments=True)
    if "run" not in typed:
        return _by_hosts(record, {item.host for item in journal.hosts(record.number)})
    words = typed[typed.index("run") + 1 :]
    plan, others = _plan_and_others(words)
    if plan is None:
        return words
    hosts = journal.hosts(record.number)
    if record.exit_code == ExitCode.REFUSED and not any(item.changes for item in hosts):
        # It did not begin, so that the plan is still what was agreed to.
        return words
    return [*_by_hosts(record, {item.host for item in hosts} or _hosts_of(plan)), *others]


def _plan_and_others(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the file of --plan, and all other words."""
    for index, word in enumerate(words):
        if word == "--plan":
            return words[index + 1], words[:index] + words[index + 2 :]
        if word.startswith("--plan="):
            return word.removeprefix("--plan="), words[:index] + words[index + 1 :]
    return None, words


def _hosts_of(plan: str) -> set[str]:
    """Return the hosts of a saved plan: a run that was cut off has none in the journal."""
    from keybuzz.engine.change.saved_plan import load

    return set(load(Path(plan)).hosts)


def _by_hosts(record: RunRecord, hosts: set[str]) -> list[str]:
    """Return the words that name a run's modules and hosts; its saved plan fits no more, for the hosts have moved."""
    if not hosts:
        raise RefusedError(
            f"the journal does not say which hosts run {record.number} was for",
            hint="kbz run MODULE --limit TERMS",
        )
    return [*record.modules, "--limit", ",".join(sorted(hosts))]
