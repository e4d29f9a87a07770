"""SEC-2: what is a secret, by its name, its form, its disorder, or because the credential store has it."""

from keybuzz.policy.rules.secrets.judge import SEC_2

__all__ = ["SEC_2"]
