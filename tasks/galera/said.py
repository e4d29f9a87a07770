"""Where the programs of MariaDB show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import GLUED, REST, ModuleSays, Spelling

SAYS = ModuleSays(
    commands=(
        Spelling(
            ("mysql", "mariadb"),
            rf"(?<![\w-])(?:mysql|mariadb)[\w-]*+{REST}-p(?![\"'][\s,\])])(?P<v>{GLUED})",
        ),
    ),
    texts=(
        Spelling(
            ("password",),
            r"(?i)\bset\s+password\b[^\n;=]{0,200}=\s*(?P<v>'(?:[^']|'')*'|\"[^\"\n]*\")",
        ),
        # what the scripts of a state transfer are called with
        Spelling(("--auth",), r"--auth[= ]\\*[\"']?[\w.-]{1,100}:(?P<v>[^\s\"'\\]+)"),
        # how the clients of Go are told
        Spelling(
            ("@tcp(", "@unix("),
            r"(?<![\w.-])[\w.-]{1,100}:(?P<v>[^\s\"'@]{1,200}(?:@[^\s\"'@]{1,200}){0,4}?)@(?:tcp|unix)\(",
        ),
        Spelling(
            ("identified",),
            r"(?i)\bidentified\s+(?:by(?:\s+password)?|via\s+\w+\s+(?:using|as))\s+(?P<v>\\*'(?:[^']|'')*'|\\*\"[^\"\n]*\")",
        ),
        Spelling(("password",), r"(?i)\bpassword\s*\(\s*(?P<v>'(?:[^']|'')*'|\"[^\"\n]*\")"),
    ),
)
