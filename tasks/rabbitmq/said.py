"""Where the programs of RabbitMQ show a secret (keybuzz.model.said). Data only."""

from __future__ import annotations

from keybuzz.model.said.spelling import NEXT, REST, SAID, VALUE, WORD, ModuleSays, Spelling

SAYS = ModuleSays(
    commands=(
        Spelling(
            ("rabbitmqadmin",),
            rf"\brabbitmqadmin\b{REST}-p(?:{NEXT})?(?P<v>{VALUE})",
        ),
        Spelling(
            ("rabbitmqctl",),
            rf"\brabbitmqctl\b{REST}(?:add_user|change_password|authenticate_user){WORD}{NEXT}(?P<v>{VALUE})",
        ),
    ),
    texts=(Spelling(("setcookie",), rf"setcookie{NEXT}{SAID}(?P<v>{VALUE})"),),
)
