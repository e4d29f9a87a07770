"""What the answer to a real login says. Pure."""

from __future__ import annotations

from keybuzz.model.core.reading import Answer


def refusal(answer: Answer) -> str:
    """Return why a real login was refused, by the answer of any reading that logs in; empty when it was not.

    A command says nothing when all is well.
    """
    if not answer.known:
        return answer.problem
    found = answer.value
    if "exit_code" in found:
        return str(found["stdout"] or found["stderr"]).strip()
    if "accepted" in found:
        return (
            "" if found["accepted"] else str(found["reason"] or "it was refused without a reason")
        )
    return str(found["denied"])
