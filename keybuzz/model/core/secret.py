"""Values that must never be shown (SEC-2), and the keyed digest that compares them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

MASK = "‹secret›"


class Secret:
    """A secret text. It has no readable repr, str, format or JSON form; `reveal` is the only way out.

    Equality is constant in time and only defined between secrets.
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> str:
        """Return the clear text: only for a frame that travels to the secret's consumer."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self.name))

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(f"{self!r} cannot be pickled or copied into a message")


@dataclass(frozen=True, slots=True, repr=False)
class DigestKey:
    """Key for digests of secret content. Its holder can test guesses, so it is kept like a secret."""

    key: bytes

    def digest(self, content: bytes) -> str:
        """Return `hmac-sha256:<hex>`; only comparable with digests made under the same key."""
        return "hmac-sha256:" + hmac.new(self.key, content, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "DigestKey()"


def sha256(content: bytes) -> str:
    """Return `sha256:<hex>` of content that may be shown."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
