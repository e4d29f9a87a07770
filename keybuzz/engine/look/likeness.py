"""Compares what members hold that must hold the same: `kbz health --deep`, and the end of `kbz recover`.

Clients write meanwhile, so two readings that differ prove nothing. Members that never agree on a part while none of
them changes it hold different data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keybuzz.engine.look.asking import ask_each
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.finding import Finding, Level
from keybuzz.site.module import Likeness, Module

_ROUNDS = 4
_PAUSE = 0.5
"""Seconds between two rounds."""
_TIMEOUT = 90.0
"""Seconds for one member's answer."""
_NAMED = 5

Round = Mapping[str, Mapping[str, str]]
"""What each member holds: digests by name."""


def compared(workspace: Workspace, module: Module) -> tuple[Finding, ...]:
    """Ask all members of a module until they agree, or are known to differ, and judge."""
    likeness = module.likeness
    assert likeness is not None  # only such modules come here
    hosts = [server.name for server in workspace.site.members(module.group)]
    rounds: list[Round] = []
    while True:
        answers = ask_each(workspace.nornir, hosts, likeness.ask, _TIMEOUT)
        alone = tuple(
            finding for host in answers for finding in likeness.alone(host, answers[host])
        )
        held: dict[str, Mapping[str, str]] = {}
        for host, answer in answers.items():
            try:
                held[host] = likeness.contents(answer)
            except ValueError as error:
                return (*alone, _silent(likeness, host, str(error)))
        rounds.append(held)
        if not unsettled(rounds) or len(rounds) == _ROUNDS:
            return (*alone, judged(likeness, rounds))
        workspace.stop.wait(_PAUSE)


def _silent(likeness: Likeness, host: str, why: str) -> Finding:
    return likeness.say(Level.UNKNOWN, f"its data was not compared: {why}", host, "")


def unsettled(rounds: Sequence[Round]) -> frozenset[str]:
    """Return the names on which the members have agreed in no round."""
    names = {name for held in rounds for each in held.values() for name in each}
    return frozenset(
        name
        for name in names
        if all(len({each.get(name) for each in held.values()}) > 1 for held in rounds)
    )


def different(rounds: Sequence[Round]) -> frozenset[str]:
    """Return the names on which the members differ while each of them says the same again."""
    if len(rounds) < 2:
        return frozenset()
    before, last = rounds[-2:]
    return frozenset(
        name
        for name in unsettled(rounds)
        if all(before[host].get(name) == last[host].get(name) for host in last)
    )


def judged(likeness: Likeness, rounds: Sequence[Round]) -> Finding:
    """Judge the readings of all rounds."""
    names = {name for each in rounds[-1].values() for name in each}
    wrong, left = different(rounds), unsettled(rounds)
    members = len(rounds[-1])
    if wrong:
        text = f"{members} members hold different data in {_listed(wrong)}: {_sides(rounds[-1], min(wrong))}"
        hint = "stop what writes; the owner decides whose rows stay, see the runbook"
        return likeness.say(Level.CRITICAL, text, "", hint)
    if left:
        text = f"{_listed(left)} changed at every look, and could not be compared"
        return likeness.say(Level.WARN, text, "", "look again when less is written")
    return likeness.say(Level.OK, f"{len(names)} tables are the same on {members} members", "", "")


def _listed(names: frozenset[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _sides(held: Round, name: str) -> str:
    """Return who agrees with whom on one name."""
    sides: dict[str | None, list[str]] = {}
    for host, each in sorted(held.items()):
        sides.setdefault(each.get(name), []).append(host)
    return " / ".join(" = ".join(side) for side in sides.values())
