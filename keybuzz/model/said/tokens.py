"""Tokens that are known by their form, whatever is beside them: in files that are checked, and in what hosts say."""

from __future__ import annotations

from keybuzz.model.said.spelling import Token

TOKENS = (
    Token("a Slack token", r"\bxox[abposr]-[\w-]{10,}", "xox"),
    Token(
        "a Stripe key",
        r"\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}",
        "_live_|_test_|whsec_",
    ),
    Token("a GitHub token", r"\bgithub_pat_\w{40,}", "github_pat"),
    Token("a Google API key", r"\bAIza[\w-]{35}", "AIza"),
    Token("an npm token", r"\bnpm_[A-Za-z0-9]{36}", "npm_"),
    Token("a Docker Hub token", r"\bdckr_(?:pat|oat)_[\w-]{20,}", "dckr_"),
    Token("a Vault token", r"\bhv[sbr]\.[\w-]{24,}", "hvs.|hvb.|hvr."),
    Token("an AI provider's key", r"\bsk-(?:ant-|proj-)?[\w-]{32,}", "sk-"),
    Token("a signed token (JWT)", r"(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]{10,}", "eyJ"),
    Token("an age key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}", "AGE-"),
)

HASHES = (
    Token(
        "a hash of crypt",
        r"\$(?:[1567y]|gy|sha1|apr1|2[abxy]|argon2[id]{1,2})\$(?:[\w./=,+-]{1,64}\$){0,3}[\w./+]{20,}=*",
        "$1$|$5$|$6$|$7$|$y$|$gy$|$sha1$|$apr1$|$2a$|$2b$|$2x$|$2y$|$argon2",
    ),
    Token("a hash of htpasswd or LDAP", r"\{S?SHA(?:256|512)?\}[\w+/]{20,}=*", "{sha|{ssha"),
)
"""Hashes that can be tried against lists of passwords. A file may well have them; who reads a bundle need not."""
