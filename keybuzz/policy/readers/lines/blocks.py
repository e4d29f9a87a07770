"""Configurations of words in braces: nginx, whose directives end in a semicolon, and Caddy, whose end with the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from keybuzz.policy.document import Bind, Document, Kind, Route, Setting, Word
from keybuzz.policy.node import Place

_TOKEN = re.compile(
    r"""(?P<comment>(?<!\S)\#[^\n]*)|(?P<line>\n)|(?P<space>[^\S\n]+|\\\n)|(?P<sign>\{(?![$\w.][^{}\s;]*\})|[};])
    |(?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\$?\{[$\w.][^{}\s;]*\}|\\.|[^\s{};"'])+|["'])""",
    re.VERBOSE | re.DOTALL,
)
_PROXIES = re.compile(r"(?:proxy|grpc|fastcgi|uwsgi|scgi)_pass|reverse_proxy")
_SERVERS = ("server", "to", "dynamic")
_LISTEN = re.compile(r"(?:(?P<address>[\d.]+|\*|\[[^\]]*\]|localhost):)?(?P<port>\d+)?")
_MOST_DEPTH = 40


@dataclass(slots=True)
class Directive:
    """A directive with its words and, where it has one, its block."""

    words: list[Word]
    block: list[Directive] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].text if self.words else ""


def read_blocks(path: str, text: str, *, ends_with_line: bool) -> Document:
    """Return the settings of all directives, what listens, and where it is sent on."""
    top = _directives(text, ends_with_line)
    settings = tuple(_settings(top, ()))
    upstreams = {
        d.words[1].text: [s.words[1] for s in d.block if s.name == "server" and len(s.words) > 1]
        for d in _all(top)
        if d.name == "upstream" and len(d.words) > 1
    }
    binds, routes = [], []
    for server in _servers(top):
        listens = tuple(_listens(server))
        binds += [Bind(a, "", server.words[0].place) for a in listens]
        routes += list(_routes(server, listens, upstreams))
    return Document(path, Kind.BLOCKS, text, settings, binds=tuple(binds), routes=tuple(routes))


def _directives(text: str, ends_with_line: bool) -> list[Directive]:
    top: list[Directive] = []
    stack = [top]
    words: list[Word] = []
    for sign, token, place in _tokens(text):
        if sign == "word":
            bare = token[1:-1] if token[:1] in "\"'" and len(token) > 1 else token
            words.append(
                Word(bare, Place(place.line, place.column + (bare is not token and bare != token)))
            )
        elif sign == "line" and not ends_with_line:
            continue
        elif token == "{" and len(stack) < _MOST_DEPTH:
            directive = Directive(words or [Word("", place)])
            stack[-1].append(directive)
            stack.append(directive.block)
            words = []
        else:
            if words:
                stack[-1].append(Directive(words))
            words = []
            if token == "}" and len(stack) > 1:
                stack.pop()
    if words:
        stack[-1].append(Directive(words))
    return top


def _tokens(text: str) -> Iterator[tuple[str, str, Place]]:
    line, begin = 1, 0
    for match in _TOKEN.finditer(text):
        if match.lastgroup in ("word", "sign", "line"):
            yield match.lastgroup, match[0], Place(line, match.start() - begin + 1)
        if "\n" in match[0]:
            line += match[0].count("\n")
            begin = match.start() + match[0].rfind("\n") + 1


def _all(directives: list[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        yield from _all(directive.block)


def _settings(directives: list[Directive], path: tuple[str, ...]) -> Iterator[Setting]:
    for directive in directives:
        if directive.name in ("server_name", "map", "log_format"):
            continue
        for word in directive.words[1:]:
            yield Setting((*path, directive.name), word.text, word.place, word.place.scope)
        yield from _settings(directive.block, (*path, directive.name))


def _servers(top: list[Directive]) -> list[Directive]:
    """Return the blocks of servers; at the top of a Caddyfile every block is one."""
    named = [d for d in _all(top) if d.name == "server" and d.block]
    return named or [d for d in top if d.block]


def _listens(server: Directive) -> Iterator[str]:
    """Yield the addresses on which a server listens; "" is every one."""
    found = [
        d.words[1].text for d in server.block if d.name in ("listen", "bind") and len(d.words) > 1
    ]
    if not found and server.name != "server":
        found = [re.sub(r"^\w+://", "", w.text.rstrip(",")) for w in server.words]
    for text in found:
        match = _LISTEN.fullmatch(text)
        yield (match["address"] or "" if match else text if _is_address(text) else "").strip("[]")


def _is_address(text: str) -> bool:
    return bool(re.fullmatch(r"[\d.]+", text))


def _routes(
    server: Directive, listens: tuple[str, ...], upstreams: dict[str, list[Word]]
) -> Iterator[Route]:
    for directive in _all(server.block):
        if not _PROXIES.fullmatch(directive.name):
            continue
        inner = [w for d in directive.block if d.name in _SERVERS for w in d.words[1:]]
        for word in (*directive.words[1:], *inner):
            host = re.sub(r"^\w+://", "", word.text).partition("/")[0]
            yield Route(host, word.place, listens)
            for behind in upstreams.get(host, ()):
                yield Route(behind.text, word.place, listens)
