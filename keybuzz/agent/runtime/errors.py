"""The error that a step on a host expects: it becomes an answer, not a traceback."""

from __future__ import annotations


class AgentError(Exception):
    """A step did not work for a reason that an operator can understand; `hint` says what to do.

    `outcome` is the word of keybuzz.model.core.outcome for the step: failed, or refused.
    """

    def __init__(self, what: str, hint: str = "", outcome: str = "failed") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.outcome = outcome


def proposed(*words: str) -> str:
    """Return a command line that can be pasted, whatever is in its words."""
    from shlex import join  # only errors need it, and it loads `re`

    return join(words)


def os_error_text(error: OSError) -> str:
    """Return what the system said, and about which file; a timeout has neither number nor name."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}" if error.filename else reason
