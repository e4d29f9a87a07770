"""Secrets in what a host says, masked by rule: also those that are in no credential store.

The rule knows a secret by the name of its option, variable or setting, by its position behind a program or in a
statement, by a URL's user information, by the file that it is in, and by its form. It is applied to every text of a
host, and to what is described, so that both sides of a difference are masked alike. Marks have a keyed digest
(keybuzz.agent.guard.marks): a real change stays visible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from hmac import compare_digest
from pathlib import PurePosixPath
from typing import Any

from keybuzz.agent.guard.marks import is_secret_file, mark

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
)
"""What the name of a secret ends with, whatever is before it."""
_WORDS = frozenset({"pass", "pwd", "secret", "token", "cookie", "credential", "credentials"})
"""Names of secrets, and last words of such names."""
_KEYS = frozenset({"secret", "private", "access", "api", "encryption", "signing"})
"""Words before `key` that make it a secret."""
_LETTERS = {"redis-cli": "-a", "redis-benchmark": "-a", "sshpass": "-p", "rabbitmqadmin": "-p"}
"""Options whose next argument is a secret."""
_GLUED = dict.fromkeys(("mysql", "mysqladmin", "mysqldump", "mariadb", "mariadb-admin"), "-p")
"""Options that are followed by a secret in the same argument."""
_REMEMBERED = 64
"""Characters of a name whose answer is remembered: names come from hosts, and may have any length."""
_PROGRAM_WITHIN = 6
"""Arguments among which the program is: one may start another."""
_NAME = (
    r"(?:[A-Za-z_][\w.-]*)?"
    r"(?i:pass|password|passwd|passphrase|pwd|secret|token|cookie|credentials?|(?:master|primary)auth|key|keyhex)"
)
"""What may be the name of a secret; `is_secret_name` decides."""
_VALUE = r"\"(?:\\.|[^\"\\\n])*\"|'(?:[^'\n]|'')*'|[^\s\"',;}\])]+"
_NAMED = ("pass", "pwd", "secret", "token", "cookie", "credential", "auth", "key")
_PATTERNS: tuple[tuple[tuple[str, ...], str], ...] = (
    # a URL with user information
    (("://",), r"[A-Za-z][\w+.-]*://[^\s:/@\"']*:(?P<v>[^\s\"'@]+)@"),
    # --option value, --option=value; in JSON the two may be on lines of their own
    (
        _NAMED,
        rf"(?<![\w-])--?(?=[\w.-]++[=\s\"',])(?P<n>{_NAME})(?:=|[\s\"',]+)(?P<v>(?!-){_VALUE})",
    ),
    # name: value, NAME=value, "name": "value"
    (
        _NAMED,
        rf"(?<![\w‹.-])(?=[\w.-]++[\"']?[ \t]*+[:=])(?P<n>{_NAME})[\"']?[ \t]*[:=][ \t]*(?P<v>{_VALUE})",
    ),
    # a line of a configuration file with a name and a value
    (
        _NAMED,
        rf"(?m)^[ \t]*(?=[\w.-]++[ \t])(?P<n>{_NAME})[ \t]+(?P<v>\"[^\"\n]*\"|'[^'\n]*'|\S+)[ \t]*;?\r?$",
    ),
    # statements and files whose positions tell
    (
        ("requirepass", "masterauth", "primaryauth", "insecure-password"),
        rf"(?:requirepass|masterauth|primaryauth|insecure-password)[\"',]*[ \t]+(?P<v>{_VALUE})",
    ),
    (("auth-pass",), rf"auth-pass[\"',]*[ \t]+\S+[ \t]+(?P<v>{_VALUE})"),
    (
        ("identified",),
        r"(?i)\bidentified\s+(?:by(?:\s+password)?|via\s+\w+\s+(?:using|as))\s+(?P<v>'(?:[^']|'')*')",
    ),
    (("password",), r"(?i)\bpassword\s+(?P<v>'(?:[^']|'')*')"),
    (("auth",), r"\bAUTH(?:\\?[ \t])+(?P<v>[^\s\"\\]+)"),
    (("stats",), r"\bstats[ \t]+auth[ \t]+[^\s:]+:(?P<v>\S+)"),
    (("authorization",), r"(?i)\bauthorization:?[ \t]+(?:bearer|basic|token)[ \t]+(?P<v>\S+)"),
    (('"',), r"(?m)^[ \t]*\"[^\"\n]+\"[ \t]+(?P<v>\"[^\"\n]+\")[ \t]*$"),
    (
        (":*:", *(f":{digit}" for digit in range(10))),
        r"(?m)^[^\s:#]+:(?:\d+|\*):[^\s:]+:[^\s:]+:(?P<v>[^\n]+)$",
    ),
    (("user",), r"\buser[ \t]+\S+[ \t][^\n]*?(?P<v>[>#][^\s~&+]+)"),
    # options of one letter
    (("redis-",), r"\b(?:redis-cli|redis-benchmark)\b[^\n|;]*?\s-a[\s\"',]+(?P<v>[^\s\"',]+)"),
    (
        ("mysql", "mariadb"),
        r"\b(?:mysql|mysqladmin|mysqldump|mariadb|mariadb-admin|mariadb-dump)\b[^\n|;]*?\s-p(?P<v>[^\s\"',]+)",
    ),
    (
        ("sshpass", "rabbitmqadmin"),
        r"\b(?:sshpass|rabbitmqadmin)\b[^\n|;]*?\s-p[\s\"',]*(?P<v>[^\s\"',]+)",
    ),
    (("curl",), r"\bcurl\b[^\n|;]*?\s(?:-u|--user)[\s\"',]+[^\s:\"']+:(?P<v>[^\s\"',]+)"),
    (
        ("mc",),
        r"\bmc\s+(?:alias\s+set|config\s+host\s+add)\s+\S+\s+\S+\s+\S+\s+(?P<v>\S+)",
    ),
    (
        ("rabbitmqctl",),
        r"\brabbitmqctl\b[^\n|;]*?\s(?:add_user|change_password|authenticate_user)\s+\S+\s+(?P<v>\S+)",
    ),
    # forms
    (("scram-",), r"(?P<v>SCRAM-SHA-256\$\d+:[\w+/=$:]+)"),
    (("md5",), r"(?P<v>\bmd5[0-9a-f]{32}\b)"),
    (("k10",), r"(?P<v>\bK10[0-9a-f]{16,}::[\w-]+:\S+)"),
    (
        ("private key",),
        r"(?P<v>-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
    ),
)
"""Patterns, each behind what every text that it matches has in it, in small letters: most texts have none of these.

A name ends where its word ends: what follows the word is looked at once, before any beginning of it may be a name.
"""


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
    )


def _words(name: str) -> list[str]:
    spread = "".join(f" {c}" if c.isupper() and not name.isupper() else c for c in name)
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
                return self.arguments(item)
            return [self.value(found) for found in item]
        return item

    def attribute(self, name: str, item: Any) -> Any:
        """Return an attribute of a resource without secrets; a tuple stays one."""
        found = self.value(item, name)
        return tuple(found) if isinstance(item, tuple) else found

    def arguments(self, words: Sequence[str]) -> list[str]:
        """Return the arguments of a program, or any list of texts; a secret is one by the word before it."""
        programs = [PurePosixPath(word).name for word in words[:_PROGRAM_WITHIN]]
        letter = next((_LETTERS[name] for name in programs if name in _LETTERS), "\0")
        glued = next((_GLUED[name] for name in programs if name in _GLUED), "\0")
        shown = []
        for place, word in enumerate(words):
            before = words[place - 1] if place else ""
            named = place > 1 and words[place - 2] == "auth-pass"
            if word.startswith(glued) and len(word) > len(glued):
                shown.append(glued + self.seal(word[len(glued) :]))
            elif (before == letter or _tells(before) or named) and not word.startswith("--"):
                shown.append(self.seal(word))
            else:
                shown.append(self.word(word))
        return shown

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
        quote = value[0] if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0] else ""
        inner = value[1:-1] if quote else value
        return f"{whole[:start]}{quote}{self.seal(inner)}{quote}{whole[end:]}"


def _tells(before: str) -> bool:
    """Return whether a word tells that the next one is a secret."""
    if before in ("requirepass", "masterauth", "primaryauth"):
        return True
    return before.startswith("-") and "=" not in before and is_secret_name(before.lstrip("-"))


def _is_name(text: str) -> bool:
    return bool(text) and text.replace(".", "_").replace("-", "_").isidentifier()


@cache
def rules() -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    """Return the patterns, each with its clues: one of them is in every text that the pattern matches."""
    return tuple((clues, re.compile(pattern)) for clues, pattern in _PATTERNS)
