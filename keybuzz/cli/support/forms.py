"""Which verb answers in which forms, read from its options: docs/reference/outputs.md is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from keybuzz.cli.main import VERBS, cli
from keybuzz.cli.support.output import FORMS

EVERY_FORM = (*FORMS, "sarif")
_MEANT_FOR = {
    "text": "people",
    "json": "programs; each has a schema, see [file formats](file-formats.md#json)",
    "junit": "the pages of a CI",
    "prometheus": "node_exporter's textfile collector",
    "nagios": "monitoring plugins: one line, and [exit codes of its own](exit-codes.md#of---format-nagios)",
    "sarif": "code scanning: a verdict about lines of files",
}


def forms_of(command: click.Command) -> tuple[str, ...]:
    """Return what `--format` of a verb takes; text alone where it has no such option, or writes for another program."""
    for parameter in command.params:
        if "--format" in parameter.opts and isinstance(parameter.type, click.Choice):
            choices = (str(choice) for choice in parameter.type.choices)
            return tuple(choice for choice in choices if choice in EVERY_FORM) or ("text",)
    return ("text",)


def takes_output(command: click.Command) -> bool:
    """True when a verb's answer can go to a file that is put in place in one step."""
    return any("--output" in parameter.opts for parameter in command.params)


def outputs_page() -> Iterator[str]:
    """Yield the lines of docs/reference/outputs.md."""
    yield "# Forms of each verb"
    yield ""
    yield "`--format FORM`; without it, text. With `--output FILE` the answer goes there, in one step, mode 644:"
    yield "a reader sees the old file or the new one, never half."
    yield ""
    yield "| form | for |"
    yield "|---|---|"
    yield from (f"| `{form}` | {_MEANT_FOR[form]} |" for form in EVERY_FORM)
    yield ""
    yield f"| verb | {' | '.join(EVERY_FORM)} | --output |"
    yield f"|---|{':-:|' * (len(EVERY_FORM) + 1)}"
    plain: list[str] = []
    for words, command in sorted(_leaves(VERBS, cli, "")):
        if forms_of(command) == ("text",):
            plain.append(f"`{words}`")
            continue
        cells = [form in forms_of(command) for form in EVERY_FORM]
        marks = " | ".join("✓" if cell else "" for cell in (*cells, takes_output(command)))
        anchor = f"kbz-{words.replace(' ', '-')}"
        yield f"| [{words}](commands.md#{anchor}) | {marks} |"
    yield ""
    yield f"In text only: {', '.join(plain)}."


def _leaves(
    names: Iterable[str], group: click.Group, before: str
) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in names:
        command = group.get_command(context, name)
        assert command is not None  # it is in the group's own list
        if isinstance(command, click.Group):
            yield from _leaves(command.commands, command, f"{before}{name} ")
        else:
            yield before + name, command
