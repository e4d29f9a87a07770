"""Shell: commands as words, assignments and options as settings, here-documents as texts.

It is no shell: nothing is expanded. What is quoted wrongly is taken as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from keybuzz.policy.document import Bind, Command, Document, Image, Kind, Place, Setting, Word
from keybuzz.policy.readers.images import command_binds, command_images
from keybuzz.policy.readers.settings import binds_of, images_of, unquoted

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\\\n)|(?P<comment>(?<![^\s;|&(])\#[^\n]*)|(?P<end>\n|;|&&|\|\||\||&(?!>)|[(){}](?=\s|$))
    |(?P<here><<-?\s*(?P<quote>['"]?)(?P<tag>\w+)(?P=quote))|(?P<redirect>\d?&?[<>]+&?\s*[^\s;|&]*)|(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|[^\s;|&<>\\'"]|['"\\]|[<>](?=\w))+)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(r"(?P<key>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_OPERATORS = frozenset({"ssh", "scp", "sftp", "rsync", "ping", "kbz", "nc"})
"""Programs of people who look after servers: the host they name is no endpoint of an application."""
_PREFIXES = frozenset({"sudo", "exec", "time", "then", "do", "else", "if", "while", "!", "nohup"})


def read_shell(path: str, text: str) -> Document:
    """Return the commands of a script, and what they assign, run and listen on."""
    commands, settings = read_commands(text)
    return shell_document(path, Kind.SHELL, text, commands, settings)


def shell_document(
    path: str, kind: Kind, text: str, commands: tuple[Command, ...], settings: tuple[Setting, ...]
) -> Document:
    """Return the document of commands that stand in a script, a Dockerfile or a manifest."""
    for command in commands:
        settings += tuple(_arguments(command))
    images: tuple[Image, ...] = images_of(settings)
    binds: tuple[Bind, ...] = binds_of(settings)
    for command in commands:
        images += command_images(command)
        binds += command_binds(command)
    return Document(path, kind, text, settings, images, binds, commands)


def read_commands(
    text: str, first_line: int = 1
) -> tuple[tuple[Command, ...], tuple[Setting, ...]]:
    """Return the commands of a text and the assignments and here-documents between them."""
    commands: list[Command] = []
    settings: list[Setting] = []
    words: list[Word] = []
    for kind, token, place in _tokens(text, first_line):
        if kind == "word":
            _take(Word(token, place), words, settings)
        elif kind == "here":
            settings += [
                Setting("", line, Place(place.line + number))
                for number, line in enumerate(token.split("\n"))
                if not line.lstrip().startswith("#")
            ]
        elif words:
            commands.append(Command(tuple(words)))
            words = []
    if words:
        commands.append(Command(tuple(words)))
    return tuple(commands), tuple(settings)


def _take(word: Word, words: list[Word], settings: list[Setting]) -> None:
    """Add a word to its command, or what it assigns to the settings."""
    match = _ASSIGNMENT.fullmatch(word.text)
    if match is None or words:
        if words or word.text not in _PREFIXES:
            words.append(word)
        return
    value, skipped = unquoted(match["value"])
    place = Place(word.place.line, word.place.column + len(match["key"]) + 1 + skipped)
    settings.append(Setting(match["key"], value, place))


def _tokens(text: str, first_line: int) -> Iterator[tuple[str, str, Place]]:
    """Yield words without quotes, the bodies of here-documents, and the ends of commands."""
    position, line, begin = 0, first_line, 0
    waiting: list[str] = []
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            position += 1
            continue
        kind, place = match.lastgroup or "", Place(line, match.start() - begin + 1)
        position = match.end()
        if match["here"]:
            waiting.append(match["tag"])
        elif kind == "word":
            yield "word", _plain(match[0]), place
        elif kind == "end":
            yield "end", match[0], place
        line += match[0].count("\n")
        begin = match.start() + match[0].rfind("\n") + 1 if "\n" in match[0] else begin
        if waiting and kind == "end" and match[0] == "\n":
            end = _here_end(text, position, waiting.pop(0))
            yield "here", text[position:end], Place(line)
            line += text.count("\n", position, end)
            begin = text.rfind("\n", 0, end) + 1
            position = end


def _here_end(text: str, start: int, tag: str) -> int:
    match = re.compile(rf"^\s*{tag}\s*$", re.MULTILINE).search(text, start)
    return match.end() if match else len(text)


def _plain(token: str) -> str:
    """Return a word without its quotes; what is inside them stays."""
    return re.sub(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\\n""", lambda m: m[1] or m[2] or "", token)


def _arguments(command: Command) -> Iterator[Setting]:
    """Yield what a command is given: options with their names, everything else without one."""
    if command.name in _OPERATORS:
        return
    before = ""
    for word in command.words:
        match = re.fullmatch(
            r"(?P<key>--?[\w.-]+|[A-Za-z_]\w*)=(?P<value>.*)", word.text, re.DOTALL
        )
        if match is not None:
            place = Place(word.place.line, word.place.column + len(match["key"]) + 1)
            yield Setting(match["key"].lstrip("-"), unquoted(match["value"])[0], place)
        elif not word.text.startswith("-"):
            yield Setting(before, word.text, word.place)
        option = re.fullmatch(r"--?([A-Za-z][\w.-]*)|(requirepass|masterauth)", word.text)
        before = (option[1] or option[2]) if option else ""
