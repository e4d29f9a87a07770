"""Where the programs of MariaDB show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import GLUED, REST, ModuleSays, Spelling

SAYS = ModuleSays(
    commands=(
        Spelling(
            ("mysql", "mariadb"),
            rf"\b(?:mysql|mariadb)[\w-]*\b{REST}-p(?![\"'][\s,\])])(?P<v>{GLUED})",
        ),
    ),
    texts=(
        Spelling(
            ("identified",),
            r"(?i)\bidentified\s+(?:by(?:\s+password)?|via\s+\w+\s+(?:using|as))\s+(?P<v>\\*'(?:[^']|'')*'|\\*\"[^\"\n]*\")",
        ),
        Spelling(("password",), r"(?i)\bpassword\s*\(\s*(?P<v>'(?:[^']|'')*'|\"[^\"\n]*\")"),
    ),
)
