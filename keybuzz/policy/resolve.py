"""Variables: what a value means where the file, or the `.env` next to a compose file, says what fills it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from keybuzz.policy.document import Document, Kind, Setting

_REFERENCE = re.compile(
    r"\$\{(?P<braced>[A-Za-z_]\w*)(?:(?P<sign>:?[-=?+]|:(?=[^}]))(?P<rest>(?:[^{}]|\$\{[^{}]*\})*))?\}"
    r"|\$\((?P<round>[A-Z_][A-Z0-9_]*)\)|\$(?P<plain>[A-Za-z_]\w*)"
)
_DEEPEST = 5
Variables = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text with its variables filled, and where each character comes from."""

    text: str
    at: tuple[int, ...]
    """For each character its offset in the raw text; that of the reference when a variable brought it."""
    origins: tuple[Setting | None, ...]
    """For each character the setting that brought it; None for what is written there."""


def expanded(raw: str, variables: Variables) -> Expanded:
    """Return a value as its program will see it; a reference that nothing fills stays as it is."""
    if "$" not in raw:
        return Expanded(raw, tuple(range(len(raw))), (None,) * len(raw))
    pieces = list(_pieces(raw, 0, variables, 0))
    return Expanded(
        "".join(text for text, _, _ in pieces),
        tuple(n for text, start, origin in pieces for n in _offsets(text, start, origin)),
        tuple(origin for text, _, origin in pieces for _ in text),
    )


def _offsets(text: str, start: int, origin: Setting | None) -> Iterator[int]:
    for number in range(len(text)):
        yield start if origin is not None else start + number


def _pieces(
    raw: str, start: int, variables: Variables, depth: int
) -> Iterator[tuple[str, int, Setting | None]]:
    position = 0
    for match in _REFERENCE.finditer(raw):
        yield raw[position : match.start()], start + position, None
        position = match.end()
        name = match["braced"] or match["round"] or match["plain"]
        setting = variables.get(name)
        if setting is not None and depth < _DEEPEST:
            inner = expanded_text(setting.value, variables, depth + 1)
            yield inner, start + match.start(), setting
        elif match["sign"] in (":-", "-", ":=", "=", ":") and depth < _DEEPEST:
            yield from _pieces(match["rest"], start + match.start("rest"), variables, depth + 1)
        else:
            yield match[0], start + match.start(), None
    yield raw[position:], start + position, None


def expanded_text(raw: str, variables: Variables, depth: int = 0) -> str:
    """Return the text of a value with its variables filled."""
    return "".join(text for text, _, _ in _pieces(raw, 0, variables, depth)) if "$" in raw else raw


class Resolution:
    """What fills the variables of each document of a check."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._beside = {
            str(PurePosixPath(document.path).parent): _table(document.variables, last=True)
            for document in documents
            if document.kind is Kind.ENVIRONMENT and PurePosixPath(document.path).name == ".env"
        }
        self._own: dict[str, Variables] = {}

    def of(self, document: Document) -> Variables:
        """Return the variables that a document's values may refer to."""
        found = self._own.get(document.path)
        if found is None:
            found = _table(document.variables, last=document.kind is Kind.ENVIRONMENT)
            if document.is_compose:
                found = {**found, **self._beside.get(str(PurePosixPath(document.path).parent), {})}
            self._own[document.path] = found
        return found


def _table(variables: Sequence[Setting], *, last: bool) -> Variables:
    """Return the variables by name. One that has two values in a program has none that is known."""
    found: dict[str, Setting] = {}
    doubtful: set[str] = set()
    for setting in variables:
        before = found.get(setting.key)
        if before is not None and before.value != setting.value and not last:
            doubtful.add(setting.key)
        if setting.key not in setting.value or "$" not in setting.value:
            found[setting.key] = setting
    return {name: setting for name, setting in found.items() if name not in doubtful}
