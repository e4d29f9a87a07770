"""The parsers that a check needs: an extra, which an installation without policy checks may leave out."""

from __future__ import annotations

from importlib.util import find_spec

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.readers.code.syntax import GRAMMARS

_OTHERS = ("tree_sitter", "dotenv", "yaml", "detect_secrets")


def require_parsers() -> None:
    """Raise UsageError with the command that installs what is missing."""
    missing = missing_parsers()
    if missing:
        raise UsageError(
            f"the parsers of policy checks are not installed: {', '.join(missing)}",
            hint="run `scripts/setup`, or install the extra: pip install '.[policy]' in the checkout of kbz",
        )


def missing_parsers() -> tuple[str, ...]:
    """Return the packages of the extra `policy` that are not there."""
    modules = sorted({*_OTHERS, *(module for module, _ in GRAMMARS.values())})
    return tuple(module for module in modules if find_spec(module) is None)
