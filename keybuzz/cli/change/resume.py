"""`kbz resume`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.context import pass_inventory_site, set_command
from keybuzz.cli.support.offers import one_module_words
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from keybuzz.engine.memory.journal import Journal, RunRecord

_UPGRADE = "upgrade"


@click.command()
@click.option(
    "--lift-freeze",
    "lifted",
    multiple=True,
    metavar="MODULE",
    help="Lift the freeze again (FRZ-1): a lift is for one run, and is not repeated without this.",
    shell_complete=one_module_words,
)
@click.option("--reason", default="", metavar="TEXT", help="Why the freeze is lifted; recorded.")
@pass_inventory_site
@click.pass_context
def resume(context: click.Context, site: Site, lifted: tuple[str, ...], reason: str) -> int:
    """Go on with the newest run if it did not end well, on its hosts. It reads everything again.

    Its hosts are those that it began with, whatever its --limit would select now, and a saved plan must be the same
    file. A freeze that it lifted is not lifted again, unless --lift-freeze says so.
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
    if newest.at_work:
        raise RefusedError(
            f"run {newest.number} is still at work", hint="wait for its end; kbz history shows it"
        )
    root = context.find_root()
    assert isinstance(root.command, click.Group), "every verb is one of the group's"
    # From the group, which gives each verb the options that all have: they may have been typed.
    verb = _verb(newest)
    again = root.command.get_command(root, verb)
    assert again is not None, "only run, restart and upgrade are looked for"
    words = _with_lifts(newest, _words(journal, newest, verb), lifted, reason)
    line = shlex.join(["kbz", verb, *words])
    click.echo(f"resuming run {newest.number}: {line}", err=True)
    set_command(f"{line} # resumed from run {newest.number}")
    with again.make_context(verb, list(words), parent=context.parent) as child:
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


def _verb(record: RunRecord) -> str:
    """Return the verb that goes on: an upgrade is a run that more belongs to, such as the record of the way back."""
    typed = shlex.split(record.arguments[0], comments=True)
    found = (word for word in typed if word in (record.verb, _UPGRADE))
    return next(found, record.verb)


def _words(journal: Journal, record: RunRecord, verb: str) -> list[str]:
    """Return the words that go on with a run or a restart: on its hosts, with its plan, and with no other."""
    typed = shlex.split(record.arguments[0], comments=True)
    if verb == _UPGRADE:  # it finds by itself what it has begun
        return typed[typed.index(verb) + 1 :]
    since = ["--since", str(record.number)]
    if record.verb not in typed:  # an older kbz wrote only `kbz resume`
        return [*record.modules, *since]
    words = typed[typed.index(record.verb) + 1 :]
    if "--since" in words:
        place = words.index("--since")
        del words[place : place + 2]
    plan, others = _plan_and_others(words)
    if plan is None:
        return [*words, *since]
    scope = journal.scope(record.number)
    if scope is None:
        raise RefusedError(
            f"run {record.number} was of a saved plan, and the journal does not say what was in it",
            hint=f"{proposed('kbz', 'plan', *record.modules)} shows what is needed now",
        )
    # Its own folder counts, and not the one that this is typed in.
    return ["--plan", scope.plan, *others, *since]


def _plan_and_others(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the file of --plan, and all other words."""
    for index, word in enumerate(words):
        if word == "--plan":
            return words[index + 1], words[:index] + words[index + 2 :]
        if word.startswith("--plan="):
            return word.removeprefix("--plan="), words[:index] + words[index + 1 :]
    return None, words
