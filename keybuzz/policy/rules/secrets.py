"""SEC-2: no secret in files, known by digest, by form, by name or by disorder."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

from keybuzz.model.core.secret import MASK
from keybuzz.policy.context import Context, KnownSecrets
from keybuzz.policy.document import Document, Kind, Manifest, Place, Setting
from keybuzz.policy.rules.disorder import is_disordered
from keybuzz.policy.violation import Found, Rule, each

_TOKENS = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})")),
    ("a GitLab token", re.compile(r"\bgl(?:pat|dt|rt|cbt|ptt)-[\w-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abposr]-[\w-]{10,}")),
    ("a Stripe key", re.compile(r"\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}")),
    ("a SendGrid key", re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("a PyPI token", re.compile(r"\bpypi-AgEI[\w-]{30,}")),
    ("a Docker Hub token", re.compile(r"\bdckr_(?:pat|oat)_[\w-]{20,}")),
    ("a Vault token", re.compile(r"\bhv[sbr]\.[\w-]{24,}")),
    ("a K3s token", re.compile(r"\bK10[0-9a-f]{40,}::\w+:\S+")),
    ("an AI provider's key", re.compile(r"\bsk-(?:ant-|proj-)?[\w-]{32,}")),
    ("a signed token (JWT)", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
)
_URL_PASSWORD = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@'\"<>]*:(?P<password>[^\s/@'\"]+)@", re.I
)
_PASSWORD_KEY = re.compile(
    r"(?:^|[_.-])(?:password|passwd|passphrase|pwd|pass|superpass|requirepass|masterauth"
    r"|(?:api|access|secret|private|encryption|signing|auth)[_-]?key)$"
)
_TOKEN_KEY = re.compile(r"(?:^|[_.-])(?:secret|token|cookie|credentials?|key[_-]?base)$")
_COMMENT = re.compile(
    r"\s*(?:#|//|;)\s*(?:export\s+)?(?P<key>[A-Za-z_][\w.-]*)\s*[=:]\s*(?P<value>\S+)\s*"
)
_PLACEHOLDER = re.compile(
    r"change[-_ ]?(?:me|it)|example|placeholder|dummy|redacted|replace|insert|your[-_ ]|to[-_ ]?be[-_ ]|todo|fixme"
    r"|x{3,}|\*{3,}|\.{3}|…|^<.*>$|^\[.*\]$|^(?:null|none|nil|true|false|yes|no|on|off)$",
    re.I,
)
_NO_LITERAL = re.compile(r"[$%]\{?\w|\$\(|\{\{|^@|^(?:https?|file|vault)://|^[./~]|^\d+\w?$|^`")
_SHORTEST = 6
_EDGE = re.compile(r"[\s\"'`=:@/,;&|<>()\[\]{}]")


def _judge(document: Document, context: Context) -> Iterator[Found]:
    for number, line in enumerate(document.text.split("\n"), 1):
        if context.secrets is not None:
            yield from _known(document.path, line, number, context.secrets)
        yield from _tokens(document.path, line, number)
        if document.kind not in (Kind.TEXT, Kind.MARKDOWN):
            yield from _commented(document.path, line, number)
    for setting in document.settings:
        yield from _setting(document.path, setting)
    for manifest in document.manifests:
        if manifest.kind == "Secret":
            yield from _secret_object(document.path, manifest)


def _known(path: str, line: str, number: int, known: KnownSecrets) -> Iterator[Found]:
    """Yield the credentials of the store that stand in a line: as they are, in a URL, or in base64."""
    for start, word in _candidates(line, known):
        for form in (word, unquote(word), _decoded(word)):
            name = known.name(form) if form else None
            if name is not None:
                message = f"holds the value of {name} of the credential store"
                instead = f"take it from the environment: ${name}; then rotate it, it was seen"
                yield Found(path, Place(number, start + 1), MASK, message, instead)
                break


def _candidates(line: str, known: KnownSecrets) -> Iterator[tuple[int, str]]:
    """Yield the words of a line, and the stretches with edges inside that are as long as a known value."""
    edges = [-1, *(match.start() for match in _EDGE.finditer(line)), len(line)]
    ends = set(edges)
    shortest = min(known.names)
    for left, right in pairwise(edges):
        if right - left - 1 >= shortest:
            yield left + 1, line[left + 1 : right]
        for length in known.names:
            end = left + 1 + length
            if end > right and end in ends:
                yield left + 1, line[left + 1 : end]


def _decoded(word: str) -> str:
    try:
        return (
            base64.b64decode(word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4), validate=True)
            .decode("utf-8")
            .strip("\n")
        )
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _tokens(path: str, line: str, number: int) -> Iterator[Found]:
    for what, pattern in _TOKENS:
        for match in pattern.finditer(line):
            if not _PLACEHOLDER.search(match[0]):
                yield Found(path, Place(number, match.start() + 1), MASK, f"holds {what}")
    for match in _URL_PASSWORD.finditer(line):
        if _is_literal(match["password"]):
            column = match.start("password") + 1
            yield Found(path, Place(number, column), MASK, "holds a password inside a URL")


def _commented(path: str, line: str, number: int) -> Iterator[Found]:
    match = _COMMENT.fullmatch(line)
    if match is not None:
        place = Place(number, match.start("value") + 1)
        yield from _setting(path, Setting(match["key"], match["value"].strip("\"'"), place))


def _setting(path: str, setting: Setting) -> Iterator[Found]:
    if not _is_literal(setting.value) or "\n" in setting.value:
        return
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", setting.key).lower()
    named = _PASSWORD_KEY.search(key) and " " not in setting.value
    looks = _TOKEN_KEY.search(key) and is_disordered(setting.value, shortest=12)
    if named or looks:
        message = f"{setting.key} holds a secret in clear"
        yield Found(path, setting.place, f"{setting.key}={MASK}", message)
    elif is_disordered(setting.value, shortest=20):
        message = f"{setting.key or 'a word'} looks like a generated key or token"
        yield Found(path, setting.place, f"{setting.key}={MASK}".lstrip("="), message)


def _is_literal(value: str) -> bool:
    """Say whether a value is a text of its own: no variable, reference, path, number or placeholder."""
    long_enough = len(value) >= _SHORTEST
    return long_enough and not (_NO_LITERAL.search(value) or _PLACEHOLDER.search(value))


def _secret_object(path: str, manifest: Manifest) -> Iterator[Found]:
    for part in ("data", "stringData"):
        node = manifest.root.get(part)
        for key, value in node.entries if node is not None else ():
            clear = _decoded(value.text or "") if part == "data" else value.text or ""
            if value.text and not (clear and (_PLACEHOLDER.search(clear) or clear.startswith("$"))):
                message = f"the Secret {manifest.name} has the value of {key} in its manifest"
                yield Found(path, value.place, f"{key}: {MASK}", message)


SEC_2 = Rule(
    id="SEC-2",
    title="No secret in a file of a repository",
    why="A repository is copied, kept for ever and read by many. A provider's token in eleven scripts is how the"
    " old installer leaked.",
    instead="give it to the container with -e VAR=, from the credential store; in a manifest, secretKeyRef to a"
    " Secret that is made at deployment. What was committed is rotated.",
    applies_to="every text file, comments too: values of the credential store (compared as keyed digests),"
    " tokens by their form, passwords in URLs, literal values of settings named password, key or token, words"
    " that look generated, and values in a manifest of kind Secret. Placeholders such as changeme, <password>"
    " or ${VAR} are none.",
    judge=each(_judge),
)
