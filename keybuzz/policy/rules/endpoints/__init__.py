"""EP-1: which hosts values connect to, and which of them are official."""

from keybuzz.policy.rules.endpoints.judge import ep_1

__all__ = ["ep_1"]
