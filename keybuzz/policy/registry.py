"""All rules, in the order in which they are explained: those here, and those of the modules (tasks/<module>/policy)."""

from __future__ import annotations

from functools import cache

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.modules import RULES, packages
from keybuzz.policy.rules.dockerfiles import KBZ_2
from keybuzz.policy.rules.endpoints import ep_1
from keybuzz.policy.rules.exposure import LB_3
from keybuzz.policy.rules.form import KBZ_1, KBZ_3
from keybuzz.policy.rules.secrets import SEC_2
from keybuzz.policy.rules.versions import VER_1, VER_2
from keybuzz.policy.violation import Rule
from keybuzz.site.files.problems import Problems, nearest
from keybuzz.site.policies import Policies

_NEVER_WAIVED = frozenset({KBZ_3.id})


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules."""
    of_modules = [found for package in packages() for found in getattr(package, RULES, ())]
    return (ep_1(), VER_1, VER_2, *of_modules, LB_3, SEC_2, KBZ_1, KBZ_2, KBZ_3)


def ids() -> tuple[str, ...]:
    """Return the ids of all rules."""
    return tuple(rule.id for rule in rules())


def rule(name: str) -> Rule:
    """Return the rule of that id, in any case of letters; UsageError lists the ids when there is none."""
    for found in rules():
        if found.id == name.upper():
            return found
    raise UsageError(f"no rule has the id {name}", hint=nearest(name.upper(), ids()))


def check_waivers(policies: Policies) -> None:
    """Raise InputError with file:line for each waiver of a rule that does not exist, or that has no waiver."""
    problems = Problems(policies.source)
    known = ids()
    for waiver in policies.waivers:
        if waiver.rule not in known:
            what = f"no rule has the id {waiver.rule}"
            problems.add(waiver.line, what, nearest(waiver.rule, known))
        elif waiver.rule in _NEVER_WAIVED:
            problems.add(
                waiver.line, f"{waiver.rule} cannot be waived", "give the waiver a new date"
            )
    problems.raise_if_any()
