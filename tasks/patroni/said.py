"""Where the programs of PostgreSQL show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import ModuleSays, Spelling

SAYS = ModuleSays(
    texts=(
        Spelling(("scram-",), r"(?P<v>SCRAM-SHA-256\$\d+:[\w+/=$:]+)"),
        Spelling(("md5",), r"(?P<v>\bmd5[0-9a-f]{32}\b)"),
    ),
)
