"""SEC-2: no secret in files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from keybuzz.model.core.secret import MASK
from keybuzz.policy.context import Context
from keybuzz.policy.document import Document, Kind, Manifest, Setting
from keybuzz.policy.node import Place
from keybuzz.policy.rules.secrets.disorder import is_disordered
from keybuzz.policy.rules.secrets.forms import is_allowed, tokens
from keybuzz.policy.rules.secrets.known import decoded, known_values
from keybuzz.policy.rules.secrets.names import Named, is_public, named
from keybuzz.policy.rules.secrets.values import is_default, is_generated, literal
from keybuzz.policy.violation import Found, Rule, each

_URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@'\"<>$]{0,80}:(?P<password>(?:\$\{[^}]*\}|[^\s/@'\"<>])+)@"
    r"(?=[\w$\[{<(%])",
    re.I,
)
_QUERY = re.compile(
    r"://[^\s\"'<>]*[?&](?:password|passwd|pwd|pass|secret|token|api_?key|(?<=[?&])p|(?<=[?&])auth(?!=(?:basic|bearer|digest|none|token)\b))=(?P<password>[^\s&\"'<>]+)",
    re.I,
)
_GO_DSN = re.compile(r"\b[\w.-]{1,60}:(?P<password>[^\s:/@'\"]{3,80})@(?:tcp|unix)\(")
_DSN_PASSWORD = re.compile(
    r"(?:^|[\s;,&?\"'])(?:\w{1,40}_)?(?:password|passwd|pwd|pass)\s?=\s?[\"']?(?P<password>[^\s;,&'\"]+)",
    re.I,
)
_SAID = re.compile(r"\b(?:password|identified\s+by)\s+[\"']?(?P<password>[^\s;,'\"]{3,80})", re.I)
"""What SQL and netrc say without a sign between."""
_PGPASS = re.compile(r"[^:#\s]+:(?:\d+|\*):[^:]+:[^:]+:(?P<password>\S+)")
_COMMENT = re.compile(
    r"\s*(?:#|//|;)\s*(?:export\s+)?(?P<key>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>\S+)\s*"
)
_TOLD = re.compile(
    r"(?:password|passwd|pwd|passphrase|api[ _-]?key|secret|token|mot de passe|mdp)\s*(?:is|est)?\s*[:=]\s*"
    r"[\"'`]?(?P<value>[^\s\"'`,;|<>]{6,80})",
    re.I,
)
"""What a sentence or a cell of a table says."""
_SAMPLE = re.compile(r"(?:^|[._-])(?:example|sample|template|dist|tmpl|tpl)(?:[._-]|$)", re.I)
_NAMELESS = re.compile(r"value|default|text|string|content")
_SEALED = re.compile(r"AAAB|v\d:|[A-Za-z0-9+/]{60,}")
"""Ciphertext of Pulumi or Travis, which its key says: `secure: …`."""
_LONGEST = 8000
_LONGEST_KNOWN = 100_000


def _judge(document: Document, context: Context) -> Iterator[Found]:
    allowed = {n for n, line in enumerate(document.text.split("\n"), 1) if is_allowed(line)}
    for found in _all(document, context):
        if found.place.line not in allowed:
            yield found


def _all(document: Document, context: Context) -> Iterator[Found]:
    is_prose = document.kind in (Kind.PROSE, Kind.MARKDOWN)
    is_sample = is_prose or bool(_SAMPLE.search(PurePosixPath(document.path).name))
    for number, line in enumerate(document.text.split("\n"), 1):
        if context.secrets is not None and len(line) <= _LONGEST_KNOWN:
            yield from _known(document.path, line, number, context)
        if len(line) > _LONGEST:
            continue
        for start, text, what in tokens(line):
            if literal(text):
                yield Found(document.path, Place(number, start + 1), MASK, f"holds {what}")
        yield from _in_url(document.path, line, number, is_sample=is_sample)
        yield from (
            _told(document.path, line, number)
            if is_prose
            else _commented(document.path, line, number)
        )
        if document.kind is Kind.UNKNOWN:
            yield from _said(document.path, line, number)
    for setting in document.settings:
        yield from _setting(document.path, setting, is_sample=is_sample)
    for manifest in document.manifests:
        if manifest.kind == "Secret":
            yield from _secret_object(document.path, manifest)


def _known(path: str, line: str, number: int, context: Context) -> Iterator[Found]:
    if context.secrets is None:
        return
    for start, name in known_values(line, context.secrets):
        message = f"holds the value of {name} of the credential store"
        instead = f"take it from the environment: ${name}; then rotate it, it was seen"
        yield Found(path, Place(number, start + 1), MASK, message, instead)


def _in_url(path: str, line: str, number: int, *, is_sample: bool) -> Iterator[Found]:
    if "@" in line and ":" in line:
        for pattern in (_URL_PASSWORD, _GO_DSN):
            yield from _matched(path, pattern, line, number, is_sample=is_sample)
    if "://" in line and "=" in line and not re.search(r"https?://[^\s]*[?&]p=", line):
        yield from _matched(path, _QUERY, line, number, is_sample=is_sample)


def _matched(
    path: str, pattern: re.Pattern[str], line: str, number: int, *, is_sample: bool
) -> Iterator[Found]:
    for match in pattern.finditer(line):
        value = literal(match["password"])
        if value and not (is_sample and not _looks_real(value)):
            column = match.start("password") + 1
            yield Found(path, Place(number, column), MASK, "holds a password inside a URL")


def _said(path: str, line: str, number: int) -> Iterator[Found]:
    for match in (*_SAID.finditer(line), *_PGPASS.finditer(line)):
        if literal(match["password"]) and _looks_real(match["password"]):
            place = Place(number, match.start("password") + 1)
            yield Found(path, place, MASK, "tells a password or a token")


def _looks_real(value: str) -> bool:
    """Return True for a value that no sample would have: with digits and letters, and not short."""
    mixed = bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value))
    return not is_default(value) and len(value) >= 8 and mixed


def _told(path: str, line: str, number: int) -> Iterator[Found]:
    for match in _TOLD.finditer(line):
        value = literal(match["value"])
        if value and _looks_real(value) and not re.search(r"[()]|\w\.\w+\.\w|/", value):
            place = Place(number, match.start("value") + 1)
            yield Found(path, place, MASK, "tells a password or a token")


def _commented(path: str, line: str, number: int) -> Iterator[Found]:
    match = _COMMENT.fullmatch(line)
    if match is not None:
        place = Place(number, match.start("value") + 1)
        setting = Setting((match["key"],), match["value"].strip("\"'"), place)
        if not is_default(setting.value):
            yield from _setting(path, setting, is_sample=True)


def _setting(path: str, setting: Setting, *, is_sample: bool) -> Iterator[Found]:
    if setting.tag in ("bool", "null", "argument", "secret", "vault") or setting.tag.startswith(
        "!"
    ):
        return
    raw = setting.value
    value = literal(raw)
    if not value or (setting.key == "secure" and _SEALED.match(value)):
        return
    name = _name(setting)
    says = named(name)
    start = raw.find(value)
    place = Place(setting.place.line, setting.place.column + max(start, 0))
    if says is not Named.NO and _is_secret(name, value, setting, says, is_sample=is_sample):
        yield Found(path, place, f"{name}={MASK}", f"{name} holds a secret in clear")
        return
    inside = _DSN_PASSWORD.search(raw) if "=" in raw else None
    if (
        inside is not None
        and literal(inside["password"])
        and not (is_sample and not _looks_real(inside["password"]))
    ):
        column = setting.place.column + inside.start("password")
        yield Found(
            path, Place(place.line, column), MASK, "holds a password inside a connection's text"
        )
    elif is_disordered(value, shortest=20) and not is_public(name):
        message = f"{name or 'a word'} looks like a generated key or token"
        yield Found(path, place, f"{name}={MASK}".lstrip("="), message)


def _name(setting: Setting) -> str:
    """Return the name that tells: `variable "db_password" { default = … }` is a password's."""
    for name in reversed(setting.path):
        if not _NAMELESS.fullmatch(name):
            return name
    return setting.key


def _is_secret(name: str, value: str, setting: Setting, says: Named, *, is_sample: bool) -> bool:
    if says is Named.MAYBE:
        return is_generated(value) or (
            is_default(value) and not is_sample and setting.tag == "str" and _is_upper(name)
        )
    if " " in value or (
        is_sample and not (_looks_real(value) or is_generated(value) or len(value) >= 12)
    ):
        return False
    if value == name or (value.lower() == name.lower() and value != value.lower()):
        return False  # a label, a field's own name
    return not (value.isalpha() and value.istitle() and name.islower())


def _is_upper(name: str) -> bool:
    return name.upper() == name


def _secret_object(path: str, manifest: Manifest) -> Iterator[Found]:
    for part in ("data", "stringData"):
        node = manifest.root.get(part)
        for key, value in node.entries if node is not None else ():
            text = value.text or ""
            clear = decoded(text) if part == "data" else text
            if text and (not clear or (clear and _is_clear(clear))) and not text.startswith("ENC["):
                message = f"the Secret {manifest.name} has the value of {key} in its manifest"
                yield Found(path, value.place, f"{key}: {MASK}", message)


def _is_clear(clear: str) -> bool:
    return len(clear) < 3 or bool(literal(clear)) or "\n" in clear


SEC_2 = Rule(
    id="SEC-2",
    title="No secret in a file of a repository",
    why="A repository is copied, kept for ever and read by many. A provider's token in eleven scripts is how the"
    " old installer leaked.",
    instead="give it to the container with -e VAR=, from the credential store; in a manifest, secretKeyRef to a"
    " Secret that is made at deployment. What was committed is rotated.",
    applies_to="every text file, comments too: values of the credential store (compared as keyed digests),"
    " tokens by their form (the plugins of detect-secrets), passwords in URLs and connection texts, every literal"
    " of a setting named password, also admin and 123456, literals of keys and tokens that look generated, and"
    " values in a manifest of kind Secret. References (${VAR}, secretKeyRef, ExternalSecret, SOPS, os.environ/…,"
    " …_FILE) and placeholders such as changeme or <password> are none, nor a line with the comment"
    " `pragma: allowlist secret`.",
    judge=each(_judge),
)
