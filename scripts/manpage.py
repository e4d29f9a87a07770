"""The man page, kbz(1), written from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from keybuzz.cli.main import VERBS, cli
from keybuzz.cli.support.groups import SECTIONS


def page() -> str:
    """Return kbz.1 in the macros of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Written by scripts/docs from the code. Do not edit: run it.'
    yield '.TH KBZ 1 "" "kbz" "KeyBuzz"'
    yield ".SH NAME"
    yield "kbz \\- install, check and maintain the KeyBuzz infrastructure"
    yield ".SH SYNOPSIS"
    yield ".B kbz\n[\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]..."
    yield ".SH OPTIONS"
    yield from _options(cli)
    for section in SECTIONS:
        yield f".SH {_escaped(section.title.upper())}"
        for verb in section.verbs:
            yield f".TP\n.B {verb}\n{_escaped(VERBS[verb])}"
        yield ".PP\nExamples:\n.RS\n.nf"
        yield from map(_escaped, section.examples)
        yield ".fi\n.RE"
    yield ".SH VERBS"
    context = click.Context(cli, info_name="kbz")
    for name in VERBS:
        command = cli.get_command(context, name)
        assert command is not None  # it is in the list of verbs
        yield from _verb(f"kbz {name}", command)
    yield ".SH FILES\n.TP\n.B $KBZ_CONFIG, ./nornir_config.yaml, /etc/kbz/nornir_config.yaml"
    yield "Where the site is, in this order, without --config."


def _verb(words: str, command: click.Command) -> Iterator[str]:
    yield f".SS {_escaped(words)}"
    text = (command.help or "").replace("\b", "").strip()
    yield from (_escaped(line.strip()) if line.strip() else ".PP" for line in text.split("\n"))
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _verb(f"{words} {name}", child)
    else:
        yield from _options(command)


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=command.name)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield f".TP\n.B {_escaped(record[0])}\n{_escaped(record[1])}"


def _escaped(text: str) -> str:
    """Return a text that no macro reads: a line that begins with a point or a quote gets a mark of no width."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain[:1] in (".", "'") else plain
