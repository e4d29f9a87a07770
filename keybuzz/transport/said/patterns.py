"""Where a secret is in a text: by a name, a URL, an option, a statement, a place in a file, or a form. Data only.

What the programs of a service show is said by its module (tasks/<module>/said.py). keybuzz.model.said.spelling says how
a pattern is written, and has the pieces.
"""

from __future__ import annotations

import re
from functools import cache

from keybuzz.model.said.modules import by_modules
from keybuzz.model.said.spelling import NEXT, REST, SAID, VALUE, WORD, Spelling
from keybuzz.model.said.tokens import HASHES, TOKENS

_NAME = (
    r"(?:[A-Za-z_][\w.-]*)?"
    r"(?i:pass|password|passwd|passphrase|passe|mdp|pwd?|secret|token|cookie|credentials?|auth|salt|key|keyhex|key_base"
    r"|key-?data|password_?hash)"
)
"""What may be the name of a secret; `is_secret_name` decides."""
_NAMED = ("pass", "pw", "mdp", "secret", "token", "cookie", "credential", "auth", "key", "salt")
_LOGIN = r"(?:docker|podman|nerdctl|helm|oc)[ \t]+(?:registry[ \t]+)?login"
_SCHEME = r"(?:bearer|basic|token|digest|apikey)"
_IS = r"\\*[\"']?[ \t]*[:=][ \t]*"
_NO_ADDRESS = r"(?!(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f.]{0,15}(?:[/%\s\"',]|$))"
"""Not a MAC or IPv6 address, whose parts stand as those of a line of pgpass do."""

_COMMANDS = (
    # programs whose options or positions tell
    Spelling(
        ("sshpass", "mongo", "login"),
        rf"\b(?:sshpass|mongo\w*|{_LOGIN})\b{REST}-p(?:{NEXT})?(?P<v>{VALUE})",
    ),
    Spelling(("ldap",), rf"\bldap\w+\b{REST}-w(?:{NEXT})?(?P<v>{VALUE})"),
    Spelling(("smb",), rf"\bsmb\w+\b{REST}-U(?:{NEXT})?\\*[\"']?[^\s%\"']+%(?P<v>[^\s\"']+)"),
    Spelling(("htpasswd",), rf"\bhtpasswd\b{REST}-\w*b\w*{WORD}{WORD}{NEXT}(?P<v>{VALUE})"),
    Spelling(("vault",), rf"\bvault[ \t]+login(?:{NEXT})(?!-)(?P<v>{VALUE})"),
    Spelling(
        ("--password-stdin",),
        rf"\becho[ \t]+(?:-n[ \t]+)?(?P<v>{VALUE})[ \t]*\|[^\n]*--password-stdin",
    ),
    Spelling(
        ("curl",),
        rf"\bcurl\b{REST}(?:-[A-Za-z]*u[\s\"',]*|--(?:proxy-)?user(?:=|[\s\"',]+))[^\s:\"']+:(?P<v>[^\s\"']+)",
    ),
)
"""Patterns for a command too, whose arguments are put behind one another."""

_OTHERS = (
    # a URL with user information; a search that began at its scheme would begin at each letter of a long word
    Spelling(("://",), r"://[^\s:/@\"']*:(?P<v>(?:(?!://)[^\s\"'])+)@"),
    Spelling(("://",), r"\bhttps?://(?P<v>[^\s:/@\"']{8,})@"),
    Spelling(("?", "&"), rf"[?&](?P<n>{_NAME})=(?P<v>[^\s\"'&]+)"),
    Spelling(("%3d",), rf"%(?:26|3[Ff])(?P<n>{_NAME})%3[Dd](?P<v>(?:(?!%26)[^\s\"'&])+)"),
    Spelling(("signature=", "sig="), r"[?&](?:[\w-]*-)?(?i:signature|sig)=(?P<v>[^\s\"'&]+)"),
    # all cookies of a header
    Spelling(
        ("cookie",),
        r"(?i)(?<![\w-])(?:set-)?cookie\\*[\"']?[ \t]*:[ \t]*\[?\\*[\"']?(?P<v>[^\"'\n\\=;]{1,100}=[^\"'\n\\]+)",
    ),
    # name: with its value on the next lines
    Spelling(
        _NAMED,
        rf"(?m)(?<![\w‹.-])(?P<n>{_NAME})[\"']?[ \t]*:[ \t]*[|>][+-]?[ \t]*(?:\n|\\n)(?P<i>[ \t]+)"
        r"(?P<v>\S[^\n]*(?:\n(?P=i)[^\n]*)*)",
    ),
    # --option value, --option=value; in a list the two may be on lines of their own
    Spelling(
        _NAMED,
        rf"(?<![\w-])--?(?=[\w.-]++(?:[=\s\"',\\]))(?P<n>{_NAME})(?:=|{NEXT})(?P<v>(?!-){VALUE})",
    ),
    # name: value, NAME=value, "name": "value"
    Spelling(
        _NAMED,
        rf"(?<![\w‹.-])(?=[\w.-]++\\*[\"']?[ \t]*+[:=])(?P<n>{_NAME})\\*[\"']?[ \t]*(?:=(?!>)|:)[ \t]*(?P<v>{VALUE})",
    ),
    # a term of Erlang, or what Ruby shows of one: {name, value}, name => value
    Spelling(_NAMED, rf"\{{[ \t]*(?P<n>{_NAME})[ \t]*,[ \t]*(?P<v>{VALUE})"),
    Spelling(
        _NAMED, rf"(?<![\w‹.-])(?=[\w.-]++[ \t]*=>)(?P<n>{_NAME})[ \t]*=>[ \t]*(?P<v>{VALUE})"
    ),
    # $name = value, 'name' => 'value', ["name"] = "value", define('NAME', 'value')
    Spelling(_NAMED, rf"[\"'](?P<n>{_NAME})\\*[\"'](?:[ \t]*=>|\][ \t]*=)[ \t]*(?P<v>{VALUE})"),
    Spelling(("define",), rf"\bdefine\([ \t]*[\"'](?P<n>{_NAME})[\"'][ \t]*,[ \t]*(?P<v>{VALUE})"),
    # a name and a value, each with a name of its own
    Spelling(
        ("name", "key"),
        rf"\b(?:name|key){_IS}\\*[\"']?(?P<n>{_NAME})\\*[\"']?(?:[\s,]|\\n)+\\*[\"']?value{_IS}(?P<v>{VALUE})",
    ),
    Spelling(("</",), r"<(?P<n>[\w.:-]+)>(?P<v>[^<\n]+)</"),
    Spelling(('"auth',), r"\"auth\\*\"[ \t]*:[ \t]*\\*\"(?P<v>[^\"\\]{8,})\\*\""),
    # a line of a configuration file with a name and a value
    Spelling(
        _NAMED,
        rf"(?m)^[ \t]*(?=[\w.-]++[ \t])(?P<n>{_NAME})[ \t]+(?P<v>\"[^\"\n]*\"|'[^'\n]*'|\S+)[ \t]*;?\r?$",
    ),
    # statements and files whose positions tell
    Spelling(("insecure-password",), rf"insecure-password{NEXT}{SAID}(?P<v>{VALUE})"),
    Spelling(
        ("password",),
        r"(?i)\bpassword\s+(?P<v>(?:e|u&)?'(?:[^']|'')*'|\$(?P<d>\w{0,60})\$[^$]{1,2000}\$(?P=d)\$)",
    ),
    Spelling(("password",), r"\b(?:login|user)[ \t]+\S+[ \t]+password[ \t]+(?P<v>\S+)"),
    Spelling(
        ("insert",),
        r"(?i)\binsert\b[^\n;(]{0,200}\([^\n;)]{0,400}?password[^\n;)]{0,400}\)\s*values\s*(?P<v>\([^\n]+\))",
    ),
    Spelling(("stats",), r"\bstats[ \t]+auth[ \t]+[^\s:]+:(?P<v>\S+)"),
    Spelling(
        ("authorization",),
        rf"(?i)\bauthorization(?:{_IS}\[?\\*[\"']?(?:{_SCHEME}[ \t]+)?|:?\\*[ \t]+{_SCHEME}\\*[ \t]+"
        rf"|\\*[\"'][ \t]*,\s*\\*[\"']{_SCHEME}[ \t]+)(?P<v>[^\s\"'\\]+)",
    ),
    Spelling(("bearer",), r"(?i)\bbearer[ \t]+(?=[^\s\"']*\d)(?P<v>[\w.~+/-]{12,}=*)"),
    Spelling(('"',), r"(?m)^[ \t]*\"[^\"\n]+\"[ \t]+(?P<v>\"[^\"\n]+\")[ \t]*$"),
    Spelling(('\\"',), r"(?<!\\)\\++\"[^\"\\\n]+\\+\"[ \t]+(?P<v>\\+\"[^\"\\\n]+\\+\")"),
    Spelling(
        (":*:", *(f":{digit}" for digit in range(10))),
        rf"(?m)(?:^|(?<=[\"'])|(?<=\\n)){_NO_ADDRESS}[^\s:#\"']+:(?:\d{{3,}}|\*):[^\s:\"']+:[^\s:\"']+:(?P<v>[^\n\"]+)",
    ),
    # forms
    Spelling(
        ("private key",),
        r"(?P<v>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
        r"[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z))",
    ),
    Spelling(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"(?P<v>\bgh[pousr]_[A-Za-z0-9]{36,})"),
    Spelling(("gl",), r"(?P<v>\bgl[a-z]{2,5}-[\w-]{20,})"),
    Spelling(("hooks.slack",), r"\bhooks\.slack\.com/\w+/(?P<v>[^\s\"'\\]+)"),
    *(
        Spelling(tuple(form.begins.lower().split("|")), rf"(?P<v>{form.pattern})")
        for form in (*TOKENS, *HASHES)
    ),
)
"""Patterns, each behind what every text that it matches has in it, in small letters: most texts have none of these.

A name ends where its word ends: what follows the word is looked at once, before any beginning of it may be a name.
"""

Rules = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


@cache
def rules() -> Rules:
    """Return the patterns, each with its clues: one of them is in every text that the pattern matches."""
    of_modules = (spelling for module in by_modules() for spelling in module.texts)
    return (*_compiled(*_OTHERS, *of_modules), *command_rules())


@cache
def command_rules() -> Rules:
    """Return those of `rules` that also hold for the arguments of a program."""
    of_modules = (spelling for module in by_modules() for spelling in module.commands)
    return _compiled(*_COMMANDS, *of_modules)


def _compiled(*spellings: Spelling) -> Rules:
    return tuple((each.clues, re.compile(each.pattern)) for each in spellings)
