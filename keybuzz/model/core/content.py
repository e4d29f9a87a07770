"""Texts that are written to hosts: plain, with secrets inside, or still to be rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keybuzz.model.core.secret import MASK, DigestKey, Secret, sha256


@dataclass(frozen=True, slots=True)
class QuotedSecret:
    """A secret that stands in a text as a JSON string, which YAML reads the same."""

    secret: Secret


Part = str | Secret | QuotedSecret

_GAP = "\ue002"
"""Stands for a secret in a text that is taken apart; a private character, like the tokens of templates."""
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON lets stand as it is, and YAML takes for a line break or refuses."""


def quoted(value: object) -> str:
    """Return a value as JSON that YAML reads the same.

    Characters beyond U+FFFF stay as they are: YAML would read JSON's pair of escapes as two broken characters.
    """
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@dataclass(frozen=True, slots=True)
class Content:
    """A text whose secrets stay objects until it travels."""

    parts: tuple[Part, ...]

    @classmethod
    def plain(cls, text: str) -> Content:
        """Return a content without secrets."""
        return cls((text,))

    @property
    def secret(self) -> bool:
        """True when any part of it must not be shown."""
        return any(not isinstance(part, str) for part in self.parts)

    def reveal(self) -> str:
        """Return the clear text: only for a frame to a host that needs it."""
        return "".join(_reveal(part) for part in self.parts)

    def masked(self) -> str:
        """Return the text as anyone may see it."""
        return "".join(part if isinstance(part, str) else MASK for part in self.parts)

    def marked(self, mark: Callable[[str], str]) -> str:
        """Return the text with `mark` of each secret in its place, as it is written: a host answers the same."""
        return "".join(p if isinstance(p, str) else mark(_reveal(p)) for p in self.parts)

    def secret_lines(self) -> tuple[tuple[str, ...], ...]:
        """Return what stands around the secrets of each line that holds any, so that its like can be masked."""
        text = "".join(part if isinstance(part, str) else _GAP for part in self.parts)
        lines = (tuple(line.split(_GAP)) for line in text.split("\n") if _GAP in line)
        return tuple(dict.fromkeys(lines))

    def digest(self, key: DigestKey) -> str:
        """Return the digest the agent answers with: keyed when the text holds a secret."""
        data = self.reveal().encode()
        return key.digest(data) if self.secret else sha256(data)


def _reveal(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Secret):
        return part.reveal()
    return quoted(part.secret.reveal())


@dataclass(frozen=True, slots=True)
class Template:
    """A text still to be rendered: a Jinja file of a module and a frozen dataclass with its values."""

    folder: Path
    name: str
    values: Any = field(hash=False)
    """A dataclass instance; each field is a name in the template. Secrets stay `Secret`."""
