"""Where values name hosts of the platform: with the port and the scheme that belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PORT = re.compile(r"[\])]?(?::|,\s?)(?P<port>\d{1,5})(?![\d.])")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://[^\s\"'<>]*$")
_NETWORK = re.compile(r"/\d{1,2}(?![\d])(?=$|[\s,;\"')])")
_DSN_PORT = re.compile(r"\bport\s*[=:]\s*[\"']?(?P<port>\d{2,5})\b", re.I)
_JOINED_BEFORE = re.compile(r"(?://|[@=,;(\[\"'`|<])\s?$|^$", re.I)
_NAMED_BEFORE = re.compile(
    r"\b(?:host|server|hostaddr|addr|address|data source)\s?[=:]\s?[\"']?$", re.I
)
_JOINED_AFTER = re.compile(r":\d|:\$|[/,;)\]\"'`|>]|$")
_SERVED = re.compile(r"[\w.-]+(?::\d+)?")
_MOST = 4000


@dataclass(frozen=True, slots=True)
class Mention:
    """A host in a value."""

    host: str
    start: int
    end: int
    """Behind the port, when there is one right behind the host."""
    port: int | None
    scheme: str


def mentions(text: str, hosts: re.Pattern[str]) -> Iterator[Mention]:
    """Yield the hosts that a value connects to. A sentence that speaks of a host connects to none."""
    if len(text) > _MOST:
        return
    for match in hosts.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        scheme = _SCHEME.search(before)
        if scheme is None and _NETWORK.match(after):
            continue  # a network, in a list of who may come
        if not _connects(text, before, after):
            continue
        port = _PORT.match(after) if not (after.startswith(",") and scheme) else None
        beside = port or _DSN_PORT.search(text)
        yield Mention(
            match[0],
            match.start(),
            match.end() + (port.end() if port is not None and after[0] in ":])" else 0),
            int(beside["port"]) if beside is not None else None,
            scheme["scheme"].lower() if scheme is not None else "",
        )


def _connects(text: str, before: str, after: str) -> bool:
    if not re.search(r"\s", text.strip()):
        return True
    if _JOINED_BEFORE.search(before) and _JOINED_AFTER.match(after):
        return True
    if re.match(r":\d", after) or _NAMED_BEFORE.search(before):
        return True
    return all(_is_host(word) for word in re.split(r"[\s,;]+", text.strip()))


def _is_host(word: str) -> bool:
    """Return True for a word that may be a host of a list: it has a digit or a dot, or a port behind it."""
    return bool(_SERVED.fullmatch(word)) and bool(re.search(r"\d", word))
