"""What systemd says of units: one question for all that a request names."""

from __future__ import annotations

from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from keybuzz.agent.runtime.context import Context

KINDS = frozenset({"service", "systemd-unit"})
"""The kinds of resources whose names are units."""
_ASKED = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
_SECONDS = 30


def unit(name: str, context: Context) -> dict[str, str]:
    """Return the properties of a unit; systemd answers for one that does not exist, too.

    AgentError when systemd does not answer: that is not "it is not there", and would look like drift.
    """
    named = context.named(KINDS)
    if name not in named:
        return _shown((name,))[name]
    return context.once("units", lambda: _shown(named))[name]


def _shown(names: Sequence[str]) -> dict[str, dict[str, str]]:
    words = ["systemctl", "show", f"--property={_ASKED}", *names]
    done = run_child(words, timeout=_SECONDS)
    if done.exit_code != 0:
        reason = "no answer in time" if done.timed_out else done.stderr.decode(errors="replace")
        raise AgentError(f"systemctl show {' '.join(names)} failed: {reason.strip()}", "")
    blocks = done.stdout.decode(errors="replace").strip().split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    if len(found) != len(names):
        raise AgentError(f"systemctl show told of {len(found)} units instead of {len(names)}", "")
    return dict(zip(names, found, strict=True))
