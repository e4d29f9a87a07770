"""Names in applications.yaml: their forms, those that are taken, and that each belongs to one application."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from keybuzz.site.files.problems import Problems, shown
from keybuzz.site.files.yaml_tree import Scalar


@dataclass(frozen=True, slots=True)
class NameKind:
    """What a name stands for."""

    title: str
    """How a message calls it."""
    form: re.Pattern[str] | None = None
    """Its form; None for one that is checked elsewhere."""
    words: str = ""
    """The form, in words."""
    once: bool = False
    """An application names each only once."""


SQL = (
    re.compile(r"[a-z_][a-z0-9_]{0,30}"),
    "up to 31 small letters, digits and _; no digit first",
)
"""Small letters only: the name is in a statement, in an URL, and in the name of a variable of the store."""
APPLICATION = NameKind(
    "application", re.compile(r"[a-z][a-z0-9-]{0,40}"), "small letters, digits and -"
)
_TAKEN = frozenset({"admin", "keybuzz", "none", "root", "test"})
"""Accounts and databases of any program, and the platform; what a module adds is `Offer.taken`."""
_OURS = ("kb_", "kbz", "pg_")
"""How the platform's own names begin, those of drills, and those that PostgreSQL keeps for itself."""


class Names:
    """Collects the names of a file; a name that cannot be given is noted as a problem."""

    def __init__(self, problems: Problems, taken: Iterable[str] = ()) -> None:
        self._problems = problems
        self._taken = _TAKEN | frozenset(taken)
        self._known: dict[tuple[NameKind, str], tuple[str, int, str]] = {}

    def take(self, kind: NameKind, name: Scalar, owner: str) -> str:
        """Return the name after noting what is wrong with it: its form, or that another application has it."""
        text = name.text
        if kind.form is not None and not kind.form.fullmatch(text):
            self._problems.add(
                name.line, f"{shown(text)} is not a valid {kind.title} name", f"use {kind.words}"
            )
        elif kind is APPLICATION:
            return text
        elif text in self._taken or text.startswith(_OURS):
            what = f"{kind.title} {text} is the platform's own, or the program's"
            self._problems.add(name.line, what, "choose another name, or write `shared`")
        elif text:
            self._once(kind, name, owner)
        return text

    def _once(self, kind: NameKind, name: Scalar, owner: str) -> None:
        # Names of variables have no dash: both spellings would be one variable of the environment.
        key = (kind, name.text.replace("-", "_"))
        before, line, spelled = self._known.get(key, ("", 0, name.text))
        self._known.setdefault(key, (owner, name.line, name.text))
        if before and before != owner:
            what = f"{kind.title} {name.text} belongs to application {before} (line {line})"
            self._problems.add(name.line, what, "give each application its own")
        elif spelled != name.text:
            what = f"{kind.title} {name.text} and {spelled} (line {line}) give the same variables"
            self._problems.add(name.line, what, "choose names that differ in more than - and _")
        elif before and kind.once:
            self._problems.add(name.line, f"{kind.title} {name.text} is there twice", "keep one")
