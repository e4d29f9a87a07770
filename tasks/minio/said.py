"""Where the programs of MinIO's client show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import NEXT, REST, VALUE, WORD, ModuleSays, Spelling

SAYS = ModuleSays(
    commands=(
        Spelling(
            ("mc",),
            rf"\bmc\b{REST}(?:alias{NEXT}\\*[\"']?set|config{NEXT}host{NEXT}add){WORD}{WORD}{WORD}{NEXT}(?P<v>{VALUE})",
        ),
        Spelling(
            ("mc",),
            rf"\bmc\b{REST}admin{NEXT}\\*[\"']?user{NEXT}\\*[\"']?add{WORD}{WORD}{NEXT}(?P<v>{VALUE})",
        ),
    ),
)
