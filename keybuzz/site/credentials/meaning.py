"""What a shell would have made of a value: kbz takes it as it is, and older scripts did not (SEC-1)."""

from __future__ import annotations

import re

_FORMS = (
    (
        re.compile(r"""(?P<q>["']).*(?P=q)\s*"""),
        "is in quotes, which belong to the value here and did not in a shell",
        "take the quotes away, or rotate it",
    ),
    (
        re.compile(r"""[^"'].*\s#.*|["'].*["']\s+#.*"""),
        "has a comment behind it, which belongs to the value here and did not in a shell",
        "put the comment on a line of its own, above",
    ),
    (
        re.compile(r"\s.*|.*\s"),
        "begins or ends with a blank, which belongs to the value here and did not in a shell",
        "take the blank away",
    ),
    (
        re.compile(r".*\\[\"'$`\\ ].*"),
        "has a backslash that a shell would have dropped; kbz takes it as it is",
        "take the backslash away, or rotate it",
    ),
    (
        re.compile(r".*(?:\$\(|`|\$\{|\$[A-Za-z_]).*"),
        "has a $ or a backtick that a shell would have replaced; kbz takes it as it is",
        "put the value itself there, or rotate it",
    ),
)


def unlike_a_shell(clear: str) -> tuple[str, str] | None:
    """Return how a value differs from what a shell would have read, and what to do; None when it does not."""
    for pattern, what, hint in _FORMS:
        if pattern.fullmatch(clear):
            return what, hint
    return None
