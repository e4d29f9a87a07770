"""Whether the name of a setting says that its value is a secret."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from keybuzz.policy.services import words_of


class Named(Enum):
    """How surely a name says it."""

    PASSWORD = "password"
    """Every literal is one, also `admin`."""
    MAYBE = "key or token"
    """A literal is one when it looks generated or is a default that everybody knows."""
    NO = "no"


_PASSWORDS = frozenset(
    {
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "pass",
        "pw",
        "passwort",
        "requirepass",
        "masterauth",
        "superpass",
        "userpass",
        "dbpass",
        "rootpass",
        "apikey",
        "secretkey",
        "mdp",
    }
)
_GLUED = re.compile(r"\w*(?:password|passwd|passphrase)")
_SURE_KEYS = frozenset(
    {"secret", "private", "encryption", "master", "signing", "fernet", "hmac", "encrypt", "crypt"}
)
"""Words before `key` that make it one."""
_KEYS = frozenset({"key", "client", "jwt", "api", "access"})
_MAYBE = frozenset(
    {"secret", "token", "cookie", "credential", "credentials", "salt", "auth", "key", "dsn"}
)
_NEVER = frozenset(
    {
        "public",
        "existing",
        "pub",
        "id",
        "fingerprint",
        "ref",
        "max",
        "cache",
        "primary",
        "foreign",
        "sort",
        "translation",
    }
)
"""Words that make a key or a token no secret."""
_OPEN = frozenset(
    {
        "public",
        "pub",
        "fingerprint",
        "checksum",
        "digest",
        "hash",
        "integrity",
        "sha",
        "commit",
        "certificate",
        "cert",
        "ca",
    }
)
_PROXIES = re.compile(r"(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass")
_UPPER = re.compile(r"[A-Z][A-Z0-9_]+")


@lru_cache(maxsize=4096)
def named(key: str) -> Named:
    """Return what a name says. It is its end that counts: PASSWORD_FILE and PASSWORD_MIN_LENGTH are no passwords."""
    words = words_of(key)
    if not words or _PROXIES.fullmatch(key):
        return Named.NO
    last = words[-1]
    if last in _PASSWORDS or _GLUED.fullmatch(last) or words[-2:] in (("key", "base"),):
        return Named.NO if "existing" in words else Named.PASSWORD
    if _NEVER.intersection(words):
        return Named.NO
    if words[-3:] == ("secret", "access", "key"):
        return Named.PASSWORD  # S3's
    if last == "secret" and _KEYS.intersection(words[:-1]):
        return Named.PASSWORD  # `s3-key-secret`, `client_secret`
    before = words[-2] if len(words) > 1 else ""
    if last == "key" and (before in _SURE_KEYS or before == "api"):
        # `secretKey: password` names a key in manifests; SECRET_KEY is one.
        return (
            Named.PASSWORD
            if _UPPER.fullmatch(key) or before in ("encryption", "master", "private")
            else Named.MAYBE
        )
    if (
        last in ("secret", "token")
        and _UPPER.fullmatch(key)
        and not {"tls", "pull", "image"} & set(words)
    ):
        return Named.PASSWORD
    return Named.MAYBE if last in _MAYBE else Named.NO


def is_public(key: str) -> bool:
    """Return True for a name that says that everybody may see its value, whatever it looks like."""
    return not _OPEN.isdisjoint(words_of(key))
