"""Tokens by their form, by the plugins of detect-secrets and a few more of the same make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from keybuzz.model.said.modules import by_modules
from keybuzz.model.said.spelling import Token
from keybuzz.model.said.tokens import TOKENS

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

_PLUGINS = (
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
"""Those whose forms are of one kind of token. Entropy and key words are judged by our own names and disorder."""
_MORE = (
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    *((token.what, token.pattern) for token in TOKENS),
)
_ALLOWED = re.compile(r"pragma:\s*allowlist[ -]secret", re.I)
_BEGINS = (
    r"BEGIN |AKIA|ASIA|ABIA|ACCA|A3T|AccountKey|gh[pousr]_|github_pat|gl\w{2,5}-|xox|hooks\.slack|_live_|_test_|whsec_"
    r"|AIza|SG\.|npm_|authToken|pypi-|dckr_|hv[sbr]\.|sk-|eyJ|AGE-|-us\d|sq0csp|\d:[\w-]{35}|AC[a-z0-9]{32}"
    r"|SK[a-z0-9]{32}|[MNO][A-Za-z\d_-]{23,25}\."
)
"""What one of these forms begins with: a line without it has none of them. A module says its own (`Token.begins`)."""


def tokens(line: str) -> Iterator[tuple[int, str, str]]:
    """Yield each token of a line: its offset, its text, and what it is. A line may be allowed by a pragma."""
    if not _begins().search(line) or _ALLOWED.search(line):
        return
    ends: list[tuple[int, int]] = []
    for what, pattern in _patterns():
        for match in pattern.finditer(line):
            if all(match.end() <= start or end <= match.start() for start, end in ends):
                ends.append(match.span())
                yield match.start(), match[0], what


def is_allowed(line: str) -> bool:
    """Return True for a line that says itself that its secret is none (detect-secrets' allow list)."""
    return "llowlist" in line and bool(_ALLOWED.search(line))


def _of_modules() -> list[Token]:
    return [token for module in by_modules() for token in module.tokens]


@cache
def _begins() -> re.Pattern[str]:
    return re.compile("|".join((_BEGINS, *(token.begins for token in _of_modules()))))


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    more = (*_MORE, *((token.what, token.pattern) for token in _of_modules()))
    found = [(what, re.compile(pattern)) for what, pattern in more]
    for module, name in _PLUGINS:
        plugin = _plugin(module, name)
        what = plugin.secret_type
        article = "an" if what[0] in "AEIOU" else "a"
        found += [(f"{article} {what}", pattern) for pattern in plugin.denylist]
    return tuple(found)


def _plugin(module: str, name: str) -> RegexBasedDetector:
    import importlib

    found: RegexBasedDetector = getattr(
        importlib.import_module(f"detect_secrets.plugins.{module}"), name
    )()
    return found
