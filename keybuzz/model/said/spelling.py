"""A spelling of a secret: the pieces that patterns are made of, and what a module says of its own programs. Data only.

Each pattern has the secret as its group `v`, and where a name decides, the name as `n`. Quotes may be escaped, as in
JSON within JSON, and a list may go over lines, as in compose files.
"""

from __future__ import annotations

from dataclasses import dataclass

BARE = r"(?!\[\])(?:[^\s\"',;}\])\\]|\\(?![\"'n]))+"
_QUOTED = (
    r"''[^'\n]+''|\"(?:\\.|[^\"\\\n])*\"|'(?:[^'\n]|'')*'"
    r"|\\+\"[^\"\\\n]*\\+\"|\\+'[^'\\\n]*\\+'"
)
_LIST = r"\[[^\]]{1,2000}\]"
VALUE = rf"\"\"\"[\s\S]{{1,4000}}?\"\"\"|(?:<<|[bBrRuUeE])(?:{_QUOTED})|{_QUOTED}|{_LIST}|{BARE}"
"""A value as programs write it: of TOML, of Erlang, Python or SQL, quoted, several in a list, or a bare word."""
GLUED = r"'[^'\n]+'|\"[^\"\n]+\"|[^\s\"',\\]+"
"""A value right behind its option; `-p\", \"-h` has none."""
NEXT = r"\\*[\"']?(?:[\s,]|\\+n|\\+\n)+(?:-[ \t]+)?"
"""From one argument to the next: a space, the next item of a list in JSON or YAML, a continued line."""
REST = r"(?:[^\n|;]|[,\\]?\n[ \t]*(?:-[ \t]+|[\"'-])){0,150}?(?<=[\s\"'])"
"""Arguments between a program and its option."""
WORD = rf"{NEXT}\\*[\"']?[^\s\"',\\]+"
SAID = r"(?!(?:is|and|not|failed|does|differs)\b)"
"""Behind a word of a configuration that a sentence is about, there is no value."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One pattern, and its clues: in every text that it matches is one of them, in small letters."""

    clues: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True)
class Token:
    """A form by which a token is known wherever it is: what it is, its pattern, and what each of them has in it."""

    what: str
    pattern: str
    begins: str
    """Plain texts with `|` between; one of them is in each token."""


@dataclass(frozen=True, slots=True)
class ModuleSays:
    """What a module knows of the words of its own programs. Each is applied to every text, of any host."""

    commands: tuple[Spelling, ...] = ()
    """Secrets among the arguments of a program; they also hold for arguments that are put behind one another."""
    texts: tuple[Spelling, ...] = ()
    """Secrets in statements, settings and files."""
    tokens: tuple[Token, ...] = ()
    programs: tuple[str, ...] = ()
    """Programs that its hints propose: a screen does not break such a command."""
