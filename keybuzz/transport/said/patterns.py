"""Where a secret is in a text: by a name, a URL, an option, a statement, a place in a file, or a form. Data only.

Each pattern has the secret as its group `v`, and where a name decides, the name as `n`. Quotes may be escaped, as in
JSON within JSON, and a list may go over lines, as in compose files.
"""

from __future__ import annotations

import re
from functools import cache

_NAME = (
    r"(?:[A-Za-z_][\w.-]*)?"
    r"(?i:pass|password|passwd|passphrase|pwd?|secret|token|cookie|credentials?|auth|salt|key|keyhex|key_base)"
)
"""What may be the name of a secret; `is_secret_name` decides."""
_BARE = r"(?:[^\s\"',;}\])\\]|\\(?![\"'n]))+"
_VALUE = (
    r"''[^'\n]+''|\"(?:\\.|[^\"\\\n])*\"|'(?:[^'\n]|'')*'"
    rf"|\\+\"[^\"\\\n]*\\+\"|\\+'[^'\\\n]*\\+'|{_BARE}"
)
_GLUED = r"'[^'\n]+'|\"[^\"\n]+\"|[^\s\"',\\]+"
"""A value right behind its option; `-p\", \"-h` has none."""
_NEXT = r"\\*[\"']?(?:[\s,]|\\+n|\\+\n)+(?:-[ \t]+)?"
"""From one argument to the next: a space, the next item of a list in JSON or YAML, a continued line."""
_REST = r"(?:[^\n|;]|[,\\]?\n[ \t]*(?:-[ \t]+|[\"'-])){0,150}?(?<=[\s\"'])"
"""Arguments between a program and its option."""
_WORD = rf"{_NEXT}\\*[\"']?[^\s\"',\\]+"
_NAMED = ("pass", "pw", "secret", "token", "cookie", "credential", "auth", "key", "salt")
_LOGIN = r"(?:docker|podman|nerdctl|helm|oc)[ \t]+(?:registry[ \t]+)?login"
_SCHEME = r"(?:bearer|basic|token|digest|apikey)"
_IS = r"\\*[\"']?[ \t]*[:=][ \t]*"
_SAID = r"(?!(?:is|and|not|failed|does|differs)\b)"
"""Behind a word of a configuration that a sentence is about, there is no value."""
_NO_ADDRESS = r"(?!(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f.]{0,15}(?:[/%\s\"',]|$))"
"""Not a MAC or IPv6 address, whose parts stand as those of a line of pgpass do."""
_MYSQL = r"\b(?:mysql|mariadb)[\w-]*"

COMMANDS: tuple[tuple[tuple[str, ...], str], ...] = (
    # programs whose options or positions tell
    (
        ("redis-", "valkey-"),
        rf"\b(?:redis|valkey)-(?:cli|benchmark)\b{_REST}-a(?:{_NEXT})(?P<v>{_VALUE})",
    ),
    (
        ("redis-cli", "valkey-cli"),
        rf"\b(?:redis|valkey)-cli\b{_REST}(?i:auth)(?:{_NEXT})(?P<v>{_VALUE})",
    ),
    (("mysql", "mariadb"), rf"{_MYSQL}\b{_REST}-p(?![\"'][\s,\])])(?P<v>{_GLUED})"),
    (
        ("sshpass", "rabbitmqadmin", "mongo", "login"),
        rf"\b(?:sshpass|rabbitmqadmin|mongo\w*|{_LOGIN})\b{_REST}-p(?:{_NEXT})?(?P<v>{_VALUE})",
    ),
    (("ldap",), rf"\bldap\w+\b{_REST}-w(?:{_NEXT})?(?P<v>{_VALUE})"),
    (("smb",), rf"\bsmb\w+\b{_REST}-U(?:{_NEXT})?\\*[\"']?[^\s%\"']+%(?P<v>[^\s\"']+)"),
    (("htpasswd",), rf"\bhtpasswd\b{_REST}-\w*b\w*{_WORD}{_WORD}{_NEXT}(?P<v>{_VALUE})"),
    (("vault",), rf"\bvault[ \t]+login(?:{_NEXT})(?!-)(?P<v>{_VALUE})"),
    (
        ("--password-stdin",),
        rf"\becho[ \t]+(?:-n[ \t]+)?(?P<v>{_VALUE})[ \t]*\|[^\n]*--password-stdin",
    ),
    (
        ("curl",),
        rf"\bcurl\b{_REST}(?:-[A-Za-z]*u[\s\"',]*|--(?:proxy-)?user(?:=|[\s\"',]+))[^\s:\"']+:(?P<v>[^\s\"']+)",
    ),
    (
        ("mc",),
        rf"\bmc\b{_REST}(?:alias{_NEXT}\\*[\"']?set|config{_NEXT}host{_NEXT}add){_WORD}{_WORD}{_WORD}{_NEXT}(?P<v>{_VALUE})",
    ),
    (
        ("mc",),
        rf"\bmc\b{_REST}admin{_NEXT}\\*[\"']?user{_NEXT}\\*[\"']?add{_WORD}{_WORD}{_NEXT}(?P<v>{_VALUE})",
    ),
    (
        ("rabbitmqctl",),
        rf"\brabbitmqctl\b{_REST}(?:add_user|change_password|authenticate_user){_WORD}{_NEXT}(?P<v>{_VALUE})",
    ),
    (("auth-pass",), rf"auth-pass{_WORD}{_NEXT}(?P<v>{_VALUE})"),
    (("auth-pass",), rf"(?i:\bset){_WORD}{_NEXT}\\*[\"']?auth-pass{_NEXT}(?P<v>{_VALUE})"),
    (
        ("user",),
        r"(?i:\b(?:set)?user)[ \t]+\S+[ \t][^\n]{0,200}?(?<=[ \t])(?P<v>[>#]\S+(?:[^\n]*[ \t][>#]\S+)?)",
    ),
)
"""Patterns for a command too, whose arguments are put behind one another."""

_OTHERS: tuple[tuple[tuple[str, ...], str], ...] = (
    # a URL with user information; a search that began at its scheme would begin at each letter of a long word
    (("://",), r"://[^\s:/@\"']*:(?P<v>(?:(?!://)[^\s\"'])+)@"),
    (("://",), r"\bhttps?://(?P<v>[^\s:/@\"']{8,})@"),
    (("?", "&"), rf"[?&](?P<n>{_NAME})=(?P<v>[^\s\"'&]+)"),
    # name: with its value on the next line
    (
        _NAMED,
        rf"(?m)(?<![\w‹.-])(?P<n>{_NAME})[\"']?[ \t]*:[ \t]*[|>][+-]?[ \t]*(?:\n|\\n)[ \t]+(?P<v>\S[^\n]*)",
    ),
    # --option value, --option=value; in a list the two may be on lines of their own
    (
        _NAMED,
        rf"(?<![\w-])--?(?=[\w.-]++(?:[=\s\"',\\]))(?P<n>{_NAME})(?:=|{_NEXT})(?P<v>(?!-){_VALUE})",
    ),
    # name: value, NAME=value, "name": "value"
    (
        _NAMED,
        rf"(?<![\w‹.-])(?=[\w.-]++\\*[\"']?[ \t]*+[:=])(?P<n>{_NAME})\\*[\"']?[ \t]*(?:=(?!>)|:)[ \t]*(?P<v>{_VALUE})",
    ),
    # $name = value, 'name' => 'value', ["name"] = "value", define('NAME', 'value')
    (_NAMED, rf"[\"'](?P<n>{_NAME})\\*[\"'](?:[ \t]*=>|\][ \t]*=)[ \t]*(?P<v>{_VALUE})"),
    (("define",), rf"\bdefine\([ \t]*[\"'](?P<n>{_NAME})[\"'][ \t]*,[ \t]*(?P<v>{_VALUE})"),
    # a name and a value, each with a name of its own
    (
        ("name",),
        rf"\bname{_IS}\\*[\"']?(?P<n>{_NAME})\\*[\"']?(?:[\s,]|\\n)+\\*[\"']?value{_IS}(?P<v>{_VALUE})",
    ),
    (("</",), r"<(?P<n>[\w.:-]+)>(?P<v>[^<\n]+)</"),
    (('"auth',), r"\"auth\\*\"[ \t]*:[ \t]*\\*\"(?P<v>[^\"\\]{8,})\\*\""),
    # a line of a configuration file with a name and a value
    (
        _NAMED,
        rf"(?m)^[ \t]*(?=[\w.-]++[ \t])(?P<n>{_NAME})[ \t]+(?P<v>\"[^\"\n]*\"|'[^'\n]*'|\S+)[ \t]*;?\r?$",
    ),
    # statements and files whose positions tell
    (
        (
            "requirepass",
            "masterauth",
            "primaryauth",
            "insecure-password",
            "sentinel-pass",
            "setcookie",
        ),
        rf"(?:requirepass|masterauth|primaryauth|insecure-password|sentinel-pass|setcookie){_NEXT}{_SAID}(?P<v>{_VALUE})",
    ),
    (
        ("identified",),
        r"(?i)\bidentified\s+(?:by(?:\s+password)?|via\s+\w+\s+(?:using|as))\s+(?P<v>\\*'(?:[^']|'')*'|\\*\"[^\"\n]*\")",
    ),
    (("password",), r"(?i)\bpassword\s+(?P<v>'(?:[^']|'')*')"),
    (("password",), r"(?i)\bpassword\s*\(\s*(?P<v>'(?:[^']|'')*'|\"[^\"\n]*\")"),
    (("password",), r"\b(?:login|user)[ \t]+\S+[ \t]+password[ \t]+(?P<v>\S+)"),
    (
        ("variable_value",),
        r"(?i)variable_value\s*=\s*(?P<v>'(?:[^']|'')*')[^\n;]{0,200}?variable_name\s*=\s*'(?P<n>[\w-]+)'",
    ),
    (
        ("insert",),
        r"(?i)\binsert\b[^\n;(]{0,200}\([^\n;)]{0,400}?password[^\n;)]{0,400}\)\s*values\s*(?P<v>\([^\n]+\))",
    ),
    (("auth",), rf"\bAUTH(?:\\?[ \t])+{_SAID}(?P<v>[^\s\"\\]+)"),
    (("stats",), r"\bstats[ \t]+auth[ \t]+[^\s:]+:(?P<v>\S+)"),
    (
        ("authorization",),
        rf"(?i)\bauthorization(?:{_IS}[\"']?(?:{_SCHEME}[ \t]+)?|:?\\*[ \t]+{_SCHEME}\\*[ \t]+)(?P<v>[^\s\"'\\]+)",
    ),
    (('"',), r"(?m)^[ \t]*\"[^\"\n]+\"[ \t]+(?P<v>\"[^\"\n]+\")[ \t]*$"),
    (('\\"',), r"\\+\"[^\"\\\n]+\\+\"[ \t]+(?P<v>\\+\"[^\"\\\n]+\\+\")"),
    (
        (":*:", *(f":{digit}" for digit in range(10))),
        rf"(?m)(?:^|(?<=[\"'])|(?<=\\n)){_NO_ADDRESS}[^\s:#\"']+:(?:\d{{3,}}|\*):[^\s:\"']+:[^\s:\"']+:(?P<v>[^\n\"]+)",
    ),
    # forms
    (("scram-",), r"(?P<v>SCRAM-SHA-256\$\d+:[\w+/=$:]+)"),
    (("md5",), r"(?P<v>\bmd5[0-9a-f]{32}\b)"),
    (("k10",), r"(?P<v>\bK10[0-9a-f]{16,}::[\w-]+:\S+)"),
    (
        ("private key",),
        r"(?P<v>-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
    ),
)
"""Patterns, each behind what every text that it matches has in it, in small letters: most texts have none of these.

A name ends where its word ends: what follows the word is looked at once, before any beginning of it may be a name.
"""

Rules = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


@cache
def rules() -> Rules:
    """Return the patterns, each with its clues: one of them is in every text that the pattern matches."""
    return _compiled((*_OTHERS, *COMMANDS))


@cache
def command_rules() -> Rules:
    """Return those of `rules` that also hold for the arguments of a program."""
    return _compiled(COMMANDS)


def _compiled(patterns: tuple[tuple[tuple[str, ...], str], ...]) -> Rules:
    return tuple((clues, re.compile(pattern)) for clues, pattern in patterns)
