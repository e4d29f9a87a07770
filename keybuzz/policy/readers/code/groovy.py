"""Groovy, as Jenkinsfiles are written in it: literals with their names, and the lines that `sh` gives to a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keybuzz.policy.document import Command, Document, Image, Kind, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.readers.code.shell import read_commands, shell_document
from keybuzz.policy.readers.images import looks_like_image
from keybuzz.policy.readers.places import Places

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |'''(?P<raw>.*?)'''|\"\"\"(?P<filled>(?:\\.|.)*?)\"\"\"
    |'(?P<single>(?:\\.|[^'\\\n])*)'|"(?P<double>(?:\\.|[^"\\\n])*)\"""",
    re.VERBOSE | re.DOTALL,
)
_KINDS = ("raw", "filled", "single", "double")
_RUN = re.compile(r"\b(?:sh|bash)\s*\(?\s*(?:\[?[\w:\s,]*\bscript\s*:\s*)?$")
_IMAGE = re.compile(r"\b(?:image|withRun|inside)\s*[(:=]?\s*$")
_NAMED = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)[\"'\]]{0,2}\s*(?:(?<![=!<>])=(?!=)|:|\?:)\s*$")
_FALLBACK = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*(?:=|:).{0,80}(?:\?:|\|\|)\s*$")
_NAMING = re.compile(
    r"\b(?:credentials(?:Id)?|string|stage|label|env|get|getenv|property|withCredentials|variable"
    r"|passwordVariable|usernameVariable|keyFileVariable|name|description|id|url|key)\s*[(:\[]?\s*$|\[\s*$|==\s*$"
)
_PAIR = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_BEFORE = 120


@dataclass(frozen=True, slots=True)
class _Literal:
    """A text in quotes, and what its line says before it."""

    text: str
    place: Place
    before: str


def read_groovy(path: str, text: str) -> Document:
    """Return the settings, commands and images of a pipeline."""
    commands: tuple[Command, ...] = ()
    settings: tuple[Setting, ...] = ()
    images: list[Image] = []
    for literal in _literals(text):
        if _RUN.search(literal.before):
            run, given = read_commands(literal.text, literal.place)
            commands, settings = commands + run, settings + given
        elif _IMAGE.search(literal.before) and looks_like_image(literal.text):
            images.append(Image(literal.text, literal.place))
        else:
            settings += tuple(_setting(literal))
    found = shell_document(path, Kind.GROOVY, text, commands, settings)
    return found.joined(Document(path, Kind.GROOVY, text, images=tuple(images)))


def _literals(text: str) -> Iterator[_Literal]:
    places = Places(text)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in _KINDS:
            begin = max(places.start(match.start()), match.start() - _BEFORE)
            before = text[begin : match.start()]
            yield _Literal(match[kind], places.at(match.start(kind)), before)


def _setting(literal: _Literal) -> Iterator[Setting]:
    pair = _PAIR.fullmatch(literal.text)
    named = _NAMED.search(literal.before)
    if named is None and literal.before.rstrip().endswith(("?:", "||")):
        named = _FALLBACK.search(literal.before)
    if pair is not None and named is None:  # withEnv(["DB_HOST=…"])
        place = Place(literal.place.line, literal.place.column + pair.start("value"))
        yield Setting((pair["name"],), pair["value"], place)
    elif named is not None and not re.search(r"credentialsId|Variable$", named["name"]):
        name = named["name"].rpartition(".")[2]
        yield Setting((name,), literal.text, literal.place)
    elif not _NAMING.search(literal.before):
        yield Setting((), literal.text, literal.place)
