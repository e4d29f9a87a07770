"""Checks over what hosts say, whatever they say: a host whose answers cannot be judged is like one that is silent.

Answers have the shapes that readings name, and checks expect any content. This is for what both have missed: one
member's words never end a look at the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from keybuzz.model.core.errors import sentence_of
from keybuzz.model.core.finding import Finding
from keybuzz.model.core.live import Live, Topology
from keybuzz.site.module import Module


def judged(module: Module, live: Live) -> tuple[Live, tuple[Finding, ...]]:
    """Return the findings of a module, and the live state without the hosts that cannot be judged."""
    try:
        return live, module.checks(live)
    except Exception:
        kept = _without(live, _misleading(module, live))
    try:
        return kept, module.checks(kept)
    except Exception as error:  # only together: then no member is believed
        nothing = _without(live, dict.fromkeys(live.hosts, _why(error)))
        return nothing, module.checks(nothing)


def stopping(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what stops a gate or a drill: verdicts first, because what is not known may follow from one."""
    found = [finding for finding in findings if not finding.good]
    yield from sorted(found, key=lambda finding: -finding.level)


def topology_of(module: Module, live: Live) -> Topology | None:
    """Return who does what in a module's cluster; None where it has none, or where that cannot be told."""
    if module.topology is None:
        return None
    try:
        return module.topology(live)
    except Exception:
        return None  # the findings say which host it is


def _misleading(module: Module, live: Live) -> dict[str, str]:
    """Return the hosts whose words alone are more than a check can judge, and why."""
    found: dict[str, str] = {}
    for host, view in live.hosts.items():
        others = {name: "was left out" for name in live.hosts if name != host}
        try:
            module.checks(
                replace(live, hosts={host: view}, unreachable={**live.unreachable, **others})
            )
        except Exception as error:
            found[host] = _why(error)
    return found


def _without(live: Live, reasons: dict[str, str]) -> Live:
    hosts = {host: view for host, view in live.hosts.items() if host not in reasons}
    return replace(live, hosts=hosts, unreachable={**live.unreachable, **reasons})


def _why(error: Exception) -> str:
    return f"what it says cannot be judged: {sentence_of(error)}"
