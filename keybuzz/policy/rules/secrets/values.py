"""Whether a value is a text of its own, or refers to one, or keeps a place for one."""

from __future__ import annotations

import re

from keybuzz.policy.rules.secrets.disorder import is_disordered, is_salt
from keybuzz.site.credentials.schema import is_delivered

_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|it|this)|example|placeholder|dummy|redacted|replace|insert|your[-_ ]|to[-_ ]?be[-_ ]|todo|fixme"
    r"|x{3,}|\*{3,}|\.{3}|…|‹|^<.*>$|^\[.*\]$|^(?:null|none|nil|undefined|true|false|yes|no|on|off|required)$",
    re.I,
)
_REFERENCE = re.compile(
    r"[$%#]\{|[$%]\(|\$\[|\{\{|<%|^@|^`|^\{\w*(?:://.*)?\}$|^!\w"
    r"|(?<!\w)\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+\d{0,2}|[a-z]+(?:[A-Z][a-z]+)+\d{0,2})(?!\w)"
    r"|%[A-Za-z_]\w*%|(?<!\w)%[sdvqr](?!\w)|^%\w+$"
    r"|^(?:os\.)?env(?:iron)?[./:]|^(?:https?|file|vault|op|ssm|awssm|gcpsm|akv|sm|keyring|secretref|secretRef)://?"
    r"|^(?:ref\+)?\w{1,40}\+?\w{0,40}://|^(?:vault|secret|arn|sops|env|file|pass|ssm|secrets?)[:/]|^ENC\["
    r"|^-----BEGIN (?:PUBLIC|CERTIFICATE|PGP MESSAGE|AGE)|^age1|^projects/|^process\.env|^(?:ENV|env)\["
    r"|^var\.|^local\.|^data\.|^module\.|^secrets\.|^[./~]"
)
_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""The name of a variable or of a key, such as POSTGRES_PASSWORD."""
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")
_BASE64 = re.compile(r"base64:[A-Za-z0-9+/=]{16,}")
_SHORT = re.compile(
    r"(?=.{8,11}$)(?=.*[a-z].*[a-z])(?=.*[A-Z].*[A-Z])(?=.*\d.*\d)(?![A-Z][a-z]+\d+$)[A-Za-z0-9]{8,11}"
)
"""Capitals, small letters and digits, two of each at least: no name is written so."""
_CODE = re.compile(r"^[\w.]+\(.*\)$|^[\w$.]+\[|^(?:self|this|args|config|settings|options)\.")
_ENDS = re.compile(r"^\$\{[\w.]+(?::?-|:?=|:(?![?+]))(?P<rest>.*)\}$")
"""A reference with its default: of a shell, or as Spring writes it."""
_DEFAULTS = frozenset(
    {
        "admin",
        "administrator",
        "default",
        "guest",
        "mysql",
        "password",
        "passw0rd",
        "postgres",
        "root",
        "secret",
        "test",
        "user",
        "pass",
        "letmein",
        "qwerty",
        "welcome",
        "superset",
        "airflow",
        "chatwoot",
        "keybuzz",
        "baserow",
        "nocodb",
        "temporal",
        "n8n",
        "mysecret",
        "supersecret",
        "admin123",
        "password123",
        "erpnext",
        "frappe",
        "toor",
        "master",
        "changeit",
        "development",
        "dev",
        "demo",
        "1234",
        "12345",
        "123456",
        "12345678",
        "123456789",
    }
)
"""What programs are delivered with, and what people write for the moment."""
_SHORTEST = 3
_LONGEST = 4000


def literal(value: str) -> str:
    """Return the literal that a value is or falls back to, or "" when it refers to one or keeps its place."""
    value = value.strip()
    default = _ENDS.fullmatch(value)
    if default is not None:
        return literal(default["rest"])
    if not _SHORTEST <= len(value) <= _LONGEST or "\n" in value:
        return ""
    if is_salt(value):
        return value
    if _REFERENCE.search(value) or _PLACEHOLDER.search(value) or _CODE.search(value):
        return ""
    return "" if _NAME.fullmatch(value) else value


def is_default(value: str) -> bool:
    """Return True for a value that everybody tries first."""
    return value.lower() in _DEFAULTS or is_delivered(value)


def is_generated(value: str) -> bool:
    """Return True for a value that a generator made, also in hexadecimal digits."""
    is_form = _HEXADECIMAL.fullmatch(value) or _BASE64.fullmatch(value) or _SHORT.fullmatch(value)
    return bool(is_form) or is_salt(value) or is_disordered(value, shortest=12)
