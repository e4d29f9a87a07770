"""Where the programs of K3s show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import NEXT, REST, VALUE, ModuleSays, Spelling, Token

SAYS = ModuleSays(
    commands=(
        Spelling(("k3s",), rf"\bk3s[ \t]+(?:server|agent)\b{REST}-t(?:{NEXT})(?P<v>{VALUE})"),
    ),
    texts=(Spelling(("k10",), r"(?P<v>\bK10[0-9a-f]{16,}::[\w-]+:\S+)"),),
    tokens=(Token("a K3s token", r"\bK10[0-9a-f]{40,}::\w+:\S+", "K10"),),
    programs=("k3s",),
)
