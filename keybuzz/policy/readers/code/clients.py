"""What a command tells its program: the host, the port and the password that a client is given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from keybuzz.policy.document import Command, Setting, Word
from keybuzz.policy.modules import CLIENTS, packages
from keybuzz.policy.node import Place

_OPERATORS = frozenset(
    {"ssh", "scp", "sftp", "rsync", "ping", "kbz", "nc", "dig", "host", "nslookup"}
)
"""Programs of people who look after servers: the host that they name is no endpoint of an application."""
_SPOKEN = frozenset({"echo", "printf", "logger", "log", "info", "warn", "die", "fail"})
"""Programs that only say something."""
_PAIR = re.compile(r"(?P<key>--?[\w.-]+|[A-Za-z_][\w.-]*)=(?P<value>.*)", re.DOTALL)
_TEXT = re.compile(r"\s\w+=")
"""A connection's text, such as `host=a port=1`, is one value."""
_INSIDE = re.compile(r"[A-Za-z_][\w.-]*=")


@dataclass(frozen=True, slots=True)
class Client:
    """Options of a program that connects: their names, to what they mean."""

    options: dict[str, str] = field(default_factory=dict)
    attached: tuple[str, ...] = ()
    """Options whose value may follow without a space; the rest never has one."""
    only_attached: tuple[str, ...] = ()
    verbs: dict[str, int] = field(default_factory=dict)
    """Words of its command, to how far behind them a password stands."""


_HTTP = Client({"-u": "user", "--user": "user", "--proxy-user": "user"}, ("-u",))
_CLIENTS: dict[str, Client] = {
    "curl": _HTTP,
    "sshpass": Client({"-p": "password"}, ("-p",)),
    "docker": Client({}),
    "ldapsearch": Client({"-w": "password"}, ("-w",)),
}
_LOGIN = Client({"-p": "password", "--password": "password"}, ("-p",))


@cache
def clients() -> dict[str, Client]:
    """Return every program that is known: those here, and those of the modules' services."""
    of_modules = (getattr(package, CLIENTS, {}) for package in packages())
    return {**_CLIENTS, **{name: found for each in of_modules for name, found in each.items()}}


def command_settings(command: Command) -> Iterator[Setting]:
    """Yield what a command is given: options with their names, everything else without one."""
    name = command.name
    if name in _OPERATORS:
        return
    scope = command.words[0].place.scope
    taken: set[int] = set()
    for start, program, client in _programs(command):
        for position, setting in _options(command, start, program, client, scope):
            taken.add(position)
            yield setting
    yield from _plain(command, taken, scope, spoken=name in _SPOKEN)


def _programs(command: Command) -> Iterator[tuple[int, str, Client]]:
    """Yield the clients that a command runs, also those behind `docker exec` and the like, with their positions."""
    for position, word in enumerate(command.words):
        program = word.text.rpartition("/")[2]
        if program in ("docker", "podman", "helm", "nerdctl") and "login" in command.texts:
            yield position, program, _LOGIN
        elif program in clients():
            yield position, program, clients()[program]
        elif program == "mc" and position + 1 < len(command.words):
            yield position, program, Client({})


def _options(
    command: Command, start: int, program: str, client: Client, scope: int
) -> Iterator[tuple[int, Setting]]:
    words = command.words
    yield from _positional(command, start, program, client, scope)
    for position in range(start + 1, len(words)):
        text = words[position].text
        name, sign, _ = text.partition("=")
        attached = next(
            (
                o
                for o in (*client.attached, *client.only_attached)
                if text.startswith(o) and text != o
            ),
            "",
        )
        if sign and name in client.options:
            yield (
                position,
                _setting(program, client.options[name], words[position], len(name) + 1, scope),
            )
        elif text in client.options and position + 1 < len(words):
            yield (
                position + 1,
                _setting(program, client.options[text], words[position + 1], 0, scope),
            )
        elif attached and not text.startswith("--"):
            meaning = client.options.get(attached, "password")
            yield position, _setting(program, meaning, words[position], len(attached), scope)


def _setting(program: str, meaning: str, word: Word, skipped: int, scope: int) -> Setting:
    value = word.text[skipped:]
    if meaning == "user":  # of curl: NAME:PASSWORD
        name, _, value = value.partition(":")
        skipped += len(name) + 1
        meaning = "password"
    place = Place(word.place.line, word.place.column + skipped)
    return Setting((program, meaning), value, place, scope)


def _positional(
    command: Command, start: int, program: str, client: Client, scope: int
) -> Iterator[tuple[int, Setting]]:
    """Yield the passwords that are told by their position alone."""
    texts = command.texts
    wanted = [texts.index(verb) + place for verb, place in client.verbs.items() if verb in texts]
    if program == "mc" and texts[start + 1 : start + 3] == ("alias", "set"):
        wanted = [start + 6]
    for position in wanted:
        if position < len(texts) and len(texts[position]) > 1:
            yield (
                position,
                Setting(
                    (program, "password"), texts[position], command.words[position].place, scope
                ),
            )


def _plain(command: Command, taken: set[int], scope: int, spoken: bool) -> Iterator[Setting]:
    before = ""
    for position, word in enumerate(command.words):
        match = _PAIR.fullmatch(word.text)
        if position in taken:
            before = ""
            continue
        if match is not None and not spoken and not _TEXT.search(match["value"]):
            yield from _pair(match, word, scope)
        elif not word.text.startswith("-") and position:
            path = (before,) if before else ()
            yield Setting(path, word.text, word.place, 0 if spoken else scope)
        option = re.fullmatch(r"--?([A-Za-z][\w.-]*)|(requirepass|masterauth)", word.text)
        before = (option[1] or option[2]) if option else ""


def _pair(match: re.Match[str], word: Word, scope: int) -> Iterator[Setting]:
    """Yield `KEY=value`; of `--from-literal=KEY=value` the inner one."""
    key, value, skipped = match["key"].lstrip("-"), match["value"], len(match["key"]) + 1
    inner = _INSIDE.match(value)
    if inner is not None and key in ("from-literal", "set", "set-string", "env", "build-arg", "e"):
        key, skipped, value = inner[0][:-1], skipped + inner.end(), value[inner.end() :]
    bare = value.strip("\"'")
    skipped += len(value) - len(value.lstrip("\"'"))
    place = Place(word.place.line, word.place.column + skipped)
    yield Setting(tuple(key.split(".")), bare, place, scope)
