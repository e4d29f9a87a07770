"""Where the programs of ProxySQL show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import ModuleSays, Spelling

SAYS = ModuleSays(
    texts=(
        Spelling(
            ("variable_value",),
            r"(?i)variable_value\s*=\s*(?P<v>'(?:[^']|'')*')[^\n;]{0,200}?variable_name\s*=\s*'(?P<n>[\w-]+)'",
        ),
    ),
)
