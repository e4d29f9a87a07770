"""Configurations whose sections are in angle brackets: Apache's and Fluentd's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keybuzz.policy.document import Bind, Document, Kind, Route, Setting, Word
from keybuzz.policy.node import Place

SECTION_END = re.compile(r"^[ \t]*</[A-Za-z_]\w*>[ \t]*$", re.MULTILINE)
"""What every file of this form has."""
_OPEN = re.compile(r"<(?P<name>[A-Za-z_]\w*)(?P<words>[^<>]*)>")
_WORD = re.compile(r'"(?P<double>(?:\\.|[^"\\])*)"|\'(?P<single>[^\']*)\'|(?P<bare>[^\s>]+)')
_NAMED = frozenset({"setenv", "define", "requestheader", "header"})
"""Directives whose last word but one is the name of the last."""
_PASSES = frozenset({"proxypass", "proxypassmatch"})
_NAMING = frozenset(
    {"@type", "balancermember", "proxypassreverse", "serveradmin", "serveralias", "servername"}
    | {"rewriterule", "tag"}
    | _PASSES
)
"""Directives that choose and name, or whose addresses are routes."""
_LISTEN = re.compile(r"(?:(?P<address>[\d.]+|\*|\[[^\]]*\]):)?(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class _Section:
    """A section that is open."""

    name: str
    words: tuple[Word, ...]
    line: int
    listens: tuple[str, ...]
    """Addresses of the virtual host that it is in; empty outside of one."""


def read_tagged(path: str, text: str) -> Document:
    """Return the settings of all sections, what listens, and where it is sent on."""
    reader = _Reader()
    for number, line in _logical(text):
        reader.take(line, number)
    settings, binds, routes = tuple(reader.settings), tuple(reader.binds), tuple(reader.routes())
    return Document(path, Kind.TAGGED, text, settings, binds=binds, routes=routes)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something; a line that ends in a backslash goes on in the next one."""
    before, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\\"):
            before, first = f"{before}{line[:-1]} ", first or number
            continue
        joined = (before + line).strip()
        if joined and not joined.startswith("#"):
            yield first or number, before + line
        before, first = "", 0


class _Reader:
    """Follows the sections of one file."""

    def __init__(self) -> None:
        self.settings: list[Setting] = []
        self.binds: list[Bind] = []
        self._open = [_Section("", (), 0, ())]
        self._passed: list[tuple[Word, tuple[str, ...]]] = []
        self._members: dict[str, list[str]] = {}

    def take(self, line: str, number: int) -> None:
        """Read one line."""
        bare = line.strip()
        head = _OPEN.fullmatch(bare)
        if bare.startswith("</"):
            self._open = self._open[:-1] if len(self._open) > 1 else self._open
        elif head is not None:
            self._section(head["name"], _words(line, number)[1:], number)
        elif words := _words(line, number):
            self._directive(words[0].text.lower(), words[1:])
            self._set(words[0].text, words[1:])

    def _section(self, name: str, words: tuple[Word, ...], number: int) -> None:
        listens = self._open[-1].listens
        if name.lower() == "virtualhost":
            found = [bind for word in words for bind in _binds(word)]
            self.binds += found
            listens = tuple(bind.address for bind in found) or ("*",)
        self._open.append(_Section(name, words, number, listens))

    def _directive(self, name: str, words: tuple[Word, ...]) -> None:
        """Note what a directive says of traffic."""
        if name == "listen" and words:
            self.binds += _binds(words[0])
        elif name in _PASSES or (name == "rewriterule" and _is_proxied(words)):
            self._passed += [(w, self._open[-1].listens) for w in words if "://" in w.text]
        elif name == "balancermember" and words:
            for word in self._open[-1].words:
                self._members.setdefault(word.text, []).append(words[0].text)

    def _set(self, name: str, words: tuple[Word, ...]) -> None:
        lower = name.lower()
        if lower in _NAMING:
            return
        path = (*(section.name for section in self._open[1:]), name)
        if lower in _NAMED and len(words) > 1:
            path, words = (*path[:-1], words[-2].text), words[-1:]
        scope = self._open[-1].line
        self.settings += [Setting(path, word.text, word.place, scope) for word in words]

    def routes(self) -> Iterator[Route]:
        """Yield where requests are sent; a balancer sends them to its members."""
        for word, listens in self._passed:
            for target in self._members.get(word.text.rstrip("/"), [word.text]):
                yield Route(re.sub(r"^\w+://", "", target).partition("/")[0], word.place, listens)


def _binds(word: Word) -> Iterator[Bind]:
    found = _LISTEN.fullmatch(word.text)
    if found is not None:
        yield Bind((found["address"] or "").strip("[]"), found["port"], word.place)


def _is_proxied(words: tuple[Word, ...]) -> bool:
    return bool(words) and bool(re.fullmatch(r"\[(?:.*,)?P(?:,.*)?\]", words[-1].text))


def _words(line: str, number: int) -> tuple[Word, ...]:
    found = []
    for match in _WORD.finditer(line):
        kind = next(k for k in ("double", "single", "bare") if match[k] is not None)
        found.append(Word(match[kind], Place(number, match.start(kind) + 1)))
    return tuple(found)
