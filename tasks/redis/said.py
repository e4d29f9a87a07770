"""Where the programs of Redis show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import NEXT, REST, SAID, VALUE, WORD, ModuleSays, Spelling

SAYS = ModuleSays(
    commands=(
        Spelling(
            ("redis-", "valkey-"),
            rf"\b(?:redis|valkey)-(?:cli|benchmark)\b{REST}-a(?:{NEXT})(?P<v>{VALUE})",
        ),
        Spelling(
            ("redis-cli", "valkey-cli"),
            rf"\b(?:redis|valkey)-cli\b{REST}(?i:auth)(?:{NEXT})(?P<v>{VALUE})",
        ),
        Spelling(("auth-pass",), rf"auth-pass{WORD}{NEXT}(?P<v>{VALUE})"),
        Spelling(("auth-pass",), rf"(?i:\bset){WORD}{NEXT}\\*[\"']?auth-pass{NEXT}(?P<v>{VALUE})"),
        Spelling(
            ("user",),
            r"(?i:\b(?:set)?user)[ \t]+\S+[ \t][^\n]{0,200}?(?<=[ \t])(?P<v>[>#]\S+(?:[^\n]*[ \t][>#]\S+)?)",
        ),
    ),
    texts=(
        Spelling(
            ("requirepass", "masterauth", "primaryauth", "sentinel-pass"),
            rf"(?:requirepass|masterauth|primaryauth|sentinel-pass){NEXT}{SAID}(?P<v>{VALUE})",
        ),
        # AUTH user password, also within HELLO; what MONITOR and SLOWLOG show of it
        Spelling(
            ("auth",),
            rf"(?m)\bAUTH[ \t]+{SAID}[^\s\"'\\]+[ \t]+{SAID}(?P<v>[^\s\"'\\]+)(?=[\"' \t\r]*(?:$|SETNAME\b))",
        ),
        Spelling(
            ("auth",),
            r"(?i)\"auth\\*\"[ \t]+(?P<v>\\*\"[^\"\n]*\"(?:[ \t]+\\*\"[^\"\n]*\")?)",
        ),
        Spelling(("auth",), rf"\bAUTH(?:\\?[ \t])+{SAID}(?P<v>[^\s\"\\]+)"),
    ),
)
