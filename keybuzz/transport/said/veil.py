"""Secrets in what a host says, masked by rule: also those that are in no credential store.

The rule knows a secret by the name of its option, variable or setting, by its position behind a program or in a
statement, by a URL's user information, by the file that it is in, and by its form. It is applied to every text of a
host, and to what is described, so that both sides of a difference are masked alike. Marks have a keyed digest
(keybuzz.agent.guard.marks): a real change stays visible.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from hmac import compare_digest
from itertools import accumulate
from typing import Any

from keybuzz.agent.guard.marks import is_secret_file, mark
from keybuzz.transport.said.patterns import command_rules, rules

_ENDS = (
    "password",
    "passwd",
    "passphrase",
    "superpass",
    "userpass",
    "replpass",
    "rewindpass",
    "rootpass",
    "requirepass",
    "masterauth",
    "primaryauth",
    "secretkey",
    "secretaccesskey",
    "accesskey",
    "apikey",
    "privatekey",
    "keyhex",
    "authtoken",
    "secretkeybase",
    "keydata",
    "passwordhash",
    "motdepasse",
)
"""What the name of a secret ends with, whatever is before it."""
_WORDS = frozenset(
    {"pass", "pwd", "pw", "mdp", "secret", "token", "cookie", "credential", "credentials", "salt"}
)
"""Names of secrets, and last words of such names."""
_KEYS = frozenset(
    (
        *("secret", "private", "access", "api", "encryption", "signing", "master", "service"),
        *("role", "anon", "crypto", "app", "account", "session", "auth", "jwt", "hmac", "aes"),
        *("license", "storage", "fernet"),
    )
)
"""Words before `key` that make it a secret."""
_COLOUR = re.compile(r"(?:\x1b|\\u001b|\\x1b|\\033|\\e)\[[0-9;:?]{0,20}[A-Z]", re.I)
"""What colours a word of a log, as it is and as JSON or a shell writes it."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_REMEMBERED = 64
"""Characters of a name whose answer is remembered: names come from hosts, and may have any length."""


def is_secret_name(name: str) -> bool:
    """Return whether what has this name is a secret: its end tells, so `pgpass` and `password_encryption` are none."""
    return _known_name(name) if len(name) <= _REMEMBERED else _ends_as_a_secret(name)


@lru_cache(maxsize=4096)
def _known_name(name: str) -> bool:
    """Remember the answer: the same names come from every host."""
    return _ends_as_a_secret(name)


def _ends_as_a_secret(name: str) -> bool:
    words = _words(name)
    if not words:
        return False
    last = words[-1]
    return (
        last in _WORDS
        or "".join(words[-3:]).endswith(_ENDS)
        or (last == "key" and len(words) > 1 and words[-2] in _KEYS)
        or (last == "auth" and len(words) > 1)
    )


def _words(name: str) -> list[str]:
    spread = _CAMEL.sub(" ", name)
    return "".join(c if c.isalnum() else " " for c in spread).lower().split()


class Veil:
    """The rule, with the key of its marks; without one, every secret has the same mark."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes = b"") -> None:
        self._key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Veil) and compare_digest(self._key, other._key)

    def __hash__(self) -> int:
        return hash(Veil)

    def value(self, item: Any, name: str = "") -> Any:
        """Return a value of JSON, called by `name`, without secrets; its shape stays."""
        if isinstance(item, str):
            return self.seal(item) if name and is_secret_name(name) else self.word(item)
        if isinstance(item, dict):
            return {key: self.value(found, str(key)) for key, found in item.items()}
        if isinstance(item, list | tuple):
            if all(isinstance(word, str) for word in item):
                if name and is_secret_name(name):
                    return [self.seal(word) for word in item]
                return self.arguments(item)
            return [self.value(found, name) for found in item]
        return item

    def attribute(self, name: str, item: Any) -> Any:
        """Return an attribute of a resource without secrets; a tuple stays one."""
        found = self.value(item, name)
        return tuple(found) if isinstance(item, tuple) else found

    def arguments(self, words: Sequence[str]) -> list[str]:
        """Return the arguments of a program, or any list of texts; a secret is one by the words before it."""
        starts = self._secret_starts(words)
        shown = []
        for place, word in enumerate(words):
            before = words[place - 1] if place else ""
            start = starts.get(place)
            if _tells(before) and not word.startswith("--"):
                shown.append(self.seal(word))
            elif start == 0 or (start and (word.startswith("-") or " " not in word)):
                shown.append(word[:start] + self.seal(word[start:]))
            else:
                shown.append(self.word(word))
        return shown

    def _secret_starts(self, words: Sequence[str]) -> dict[int, int]:
        """Return where in which words a secret begins, as the rules for commands say of all of them together."""
        line = " ".join(words)
        small = line.lower()
        places = [
            match.start("v")
            for clues, pattern in command_rules()
            if any(clue in small for clue in clues)
            for match in pattern.finditer(line)
        ]
        if not places:
            return {}
        ends = list(accumulate(len(word) + 1 for word in words))
        found = {}
        for at in sorted(places, reverse=True):
            place = bisect_right(ends, at)
            found[place] = at - (ends[place - 1] if place else 0)
        return found

    def word(self, text: str) -> str:
        """Return one text; behind `NAME=` it is the whole rest that may be a secret, spaces too."""
        name, sign, rest = text.partition("=")
        plain = name.lstrip("-")
        if sign and "\n" not in text and _is_name(plain) and is_secret_name(plain):
            return f"{name}={self.seal(rest)}"
        return self.text(text)

    def file(self, path: str, text: str) -> str:
        """Return the text of a file; some files are secrets as a whole."""
        return self.seal(text) if is_secret_file(path) else self.text(text)

    def text(self, text: str) -> str:
        """Return a text of any number of lines with every secret that the rule knows masked."""
        if len(text) < 4:
            return text
        if "[" in text and (plain := _COLOUR.sub("", text)) != text:
            # A log colours the name and not the sign behind it: where that hides a secret, the colours go.
            shown = self._ruled(plain)
            return self._ruled(text) if shown == plain else shown
        return self._ruled(text)

    def _ruled(self, text: str) -> str:
        small = text.lower()
        for clues, pattern in rules():
            for clue in clues:  # a loop: a generator took most of the time of all masking
                if clue in small:
                    text = pattern.sub(self._masked, text)
                    break
        return text

    def seal(self, secret: str) -> str:
        """Return the mark of a secret; what is none, or is marked already, stays."""
        return mark(secret, self._key)

    def _masked(self, match: re.Match[str]) -> str:
        found = match.groupdict()
        name = found.get("n")
        if name is not None and not is_secret_name(name):
            return match[0]
        start, end = match.start("v") - match.start(), match.end("v") - match.start()
        whole, value = match[0], found["v"]
        quote = value[: len(value) - len(value.lstrip("\\")) + 1]
        quoted = quote[-1:] in ("'", '"') and len(value) > len(quote) and value.endswith(quote)
        quote = quote if quoted else ""
        inner = value.removeprefix(quote).removesuffix(quote)
        return f"{whole[:start]}{quote}{self.seal(inner)}{quote}{whole[end:]}"


def _tells(before: str) -> bool:
    """Return whether a word tells that the next one is a secret."""
    if before in ("requirepass", "masterauth", "primaryauth"):
        return True
    return before.startswith("-") and "=" not in before and is_secret_name(before.lstrip("-"))


def _is_name(text: str) -> bool:
    return bool(text) and text.replace(".", "_").replace("-", "_").isidentifier()
