"""The forms that the value of a parameter may have: each says itself in words, and parses a text or refuses it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
NONE = "none"
"""The word that says that a parameter has no value."""


class Form(Protocol[T_co]):
    """How the text of a parameter becomes a value."""

    @property
    def words(self) -> str:
        """What the value must be, as the end of the sentence `NAME must be …`."""
        ...

    def parse(self, text: str) -> T_co:
        """Return the value; ValueError when the text has another form."""
        ...


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number within bounds, both included."""

    lowest: int = 1
    highest: int = 9_999_999
    unit: str = ""

    @property
    def words(self) -> str:
        """What the value must be."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a whole number{unit} from {self.lowest} to {self.highest}"

    def parse(self, text: str) -> int:
        """Return the number."""
        if not re.fullmatch(r"0|[1-9][0-9]{0,11}", text, re.ASCII):
            raise ValueError(text)
        if not self.lowest <= int(text) <= self.highest:
            raise ValueError(text)
        return int(text)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or with a point, within bounds, both included."""

    lowest: float
    highest: float
    unit: str = ""

    @property
    def words(self) -> str:
        """What the value must be."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a number{unit} from {self.lowest:g} to {self.highest:g}"

    def parse(self, text: str) -> float:
        """Return the number."""
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text, re.ASCII):
            raise ValueError(text)
        if not self.lowest <= float(text) <= self.highest:
            raise ValueError(text)
        return float(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        """What the value must be."""
        return f"one of {', '.join(self.choices)}"

    def parse(self, text: str) -> str:
        """Return the word."""
        if text not in self.choices:
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class YesNo:
    """`yes` or `no`."""

    @property
    def words(self) -> str:
        """What the value must be."""
        return "one of yes, no"

    def parse(self, text: str) -> bool:
        """Return True for `yes`."""
        if text not in ("yes", "no"):
            raise ValueError(text)
        return text == "yes"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that matches a pattern; it stays as it is written."""

    pattern: str
    words: str

    def parse(self, text: str) -> str:
        """Return the text."""
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class Words:
    """Words separated by spaces, each of one pattern; `none` for no word."""

    pattern: str
    words: str

    def parse(self, text: str) -> tuple[str, ...]:
        """Return the words."""
        if text == NONE:
            return ()
        found = tuple(text.split())
        if not found or not all(re.fullmatch(self.pattern, word, re.ASCII) for word in found):
            raise ValueError(text)
        return found


@dataclass(frozen=True, slots=True)
class Maybe(Generic[T]):
    """Another form, or `none` for no value."""

    form: Form[T]

    @property
    def words(self) -> str:
        """What the value must be."""
        return f"{self.form.words}, or {NONE}"

    def parse(self, text: str) -> T | None:
        """Return the value, or None."""
        return None if text == NONE else self.form.parse(text)


SENTENCE = Text(r".*\S.*", "a text, or none")
PATH = Text(r"[^\s\0]+", "the path of a file or a folder")
HAPROXY_TIME = Text(r"[1-9][0-9]{0,5}(ms|s|m|h|d)", "a time with its unit, such as 1h")
