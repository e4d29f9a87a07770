"""Dockerfiles: instructions with the commands inside them, and the images that they build upon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from keybuzz.policy.document import (
    Build,
    Command,
    Document,
    Image,
    Instruction,
    Kind,
    Setting,
    Word,
)
from keybuzz.policy.node import Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.lines.quoted import unquoted

_INSTRUCTION = re.compile(r"\s*(?P<name>[A-Za-z]+)\s+(?P<text>.*)", re.DOTALL)
_PAIR = re.compile(r"""(?P<key>[\w.-]+)=(?P<value>"(?:\\.|[^"])*"|'[^']*'|[^\s]*)""")
_RUNS = frozenset({"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"})


def read_dockerfile(path: str, text: str) -> Document:
    """Return the instructions; ENV, ARG and LABEL values are settings."""
    instructions = tuple(_instructions(text))
    settings: tuple[Setting, ...] = ()
    commands: tuple[Command, ...] = ()
    for item in instructions:
        if item.name in ("ENV", "ARG"):
            settings += tuple(_pairs(item))
        elif item.name in _RUNS:
            commands += item.commands
            settings += read_commands(_body(item), Place(item.place.line))[1]
    found = shell_document(path, Kind.DOCKERFILE, text, commands, settings)
    part = Document(
        path, Kind.DOCKERFILE, text, images=_bases(instructions), builds=(Build(instructions),)
    )
    return found.joined(part)


def _instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions; continued lines belong together, comments between them do not."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first = number
        gathered = [lines[number]]
        while _continues(gathered[-1]) and number + 1 < len(lines):
            number += 1
            gathered.append(lines[number])
        number += 1
        tags = re.findall(r"<<-?\s*['\"]?(\w+)['\"]?", gathered[-1])
        while tags and number < len(lines):
            gathered.append(lines[number])
            if lines[number].strip() == tags[0]:
                tags.pop(0)
            number += 1
        whole = "\n".join("\\" if _is_comment(line) else line for line in gathered)
        match = _INSTRUCTION.fullmatch(whole)
        if match is not None and not _is_comment(gathered[0]):
            yield _instruction(match, first + 1)


def _continues(line: str) -> bool:
    return line.rstrip().endswith("\\")


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _instruction(match: re.Match[str], line: int) -> Instruction:
    name = match["name"].upper()
    place = Place(line, match.start("name") + 1)
    item = Instruction(name, match["text"].strip(), place)
    if name not in _RUNS:
        return item
    words = _exec_form(item)
    if words is not None:
        return Instruction(name, item.text, place, (Command(words),) if words else ())
    return Instruction(name, item.text, place, read_commands(_body(item), Place(line))[0])


def _body(item: Instruction) -> str:
    """Return the shell's part of an instruction, in the columns where it stands."""
    flags = re.match(r"(?:--\w[\w-]*(?:=\S*)?\s+)*(?:CMD\s+)?", item.text)
    skipped = flags.end() if flags else 0
    return " " * (len(item.name) + 1 + skipped) + item.text[skipped:]


def _exec_form(item: Instruction) -> tuple[Word, ...] | None:
    """Return the words of `["program", "argument"]`, or None when it is a line for the shell."""
    text = _body(item).strip()
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text.replace("\\\n", ""))
    except ValueError:
        return None
    return tuple(Word(str(word), item.place) for word in words)


def _pairs(item: Instruction) -> Iterator[Setting]:
    pairs = list(_PAIR.finditer(item.text))
    if not pairs and " " in item.text:  # the old form: ENV NAME value
        key, _, value = item.text.partition(" ")
        yield Setting((key,), value.strip(), item.place)
    for match in pairs:
        before = item.text.count("\n", 0, match.start())
        column = match.start("value") - item.text.rfind("\n", 0, match.start("value"))
        column += 0 if before else item.place.column + len(item.name)
        value, skipped = unquoted(match["value"])
        yield Setting((match["key"],), value, Place(item.place.line + before, column + skipped))


def _bases(instructions: tuple[Instruction, ...]) -> tuple[Image, ...]:
    """Return what FROM and `COPY --from` name, without the stages of the same file."""
    stages = {"scratch"}
    found = []
    for item in instructions:
        words = [word for word in item.text.split() if not word.startswith("--")]
        reference = ""
        if item.name == "FROM" and words:
            reference = words[0]
        elif item.name == "COPY":
            source = re.search(r"--from=(\S+)", item.text)
            reference = source[1] if source and not source[1].isdigit() else ""
        if reference and reference.lower() not in stages:
            column = item.place.column + len(item.name) + 1 + item.text.index(reference)
            found.append(Image(reference, Place(item.place.line, column)))
        if item.name == "FROM" and len(words) > 2 and words[1].upper() == "AS":
            stages.add(words[2].lower())
    return tuple(found)
