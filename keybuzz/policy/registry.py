"""All rules, in the order in which they are explained."""

from __future__ import annotations

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.rules.dockerfiles import KBZ_2, PG_2
from keybuzz.policy.rules.endpoints import EP_1
from keybuzz.policy.rules.exposure import LB_3, MIN_5
from keybuzz.policy.rules.form import KBZ_1, KBZ_3
from keybuzz.policy.rules.kubernetes import K3S_3
from keybuzz.policy.rules.secrets import SEC_2
from keybuzz.policy.rules.traffic import MIN_4
from keybuzz.policy.rules.versions import VER_1, VER_2
from keybuzz.policy.violation import Rule
from keybuzz.site.files.problems import Problems, nearest
from keybuzz.site.policies import Policies

RULES = (EP_1, VER_1, VER_2, K3S_3, MIN_4, MIN_5, LB_3, SEC_2, PG_2, KBZ_1, KBZ_2, KBZ_3)
IDS = tuple(rule.id for rule in RULES)
_NEVER_WAIVED = frozenset({KBZ_3.id})


def rule(name: str) -> Rule:
    """Return the rule of that id, in any case of letters; UsageError lists the ids when there is none."""
    for found in RULES:
        if found.id == name.upper():
            return found
    raise UsageError(f"no rule has the id {name}", hint=nearest(name.upper(), IDS))


def check_waivers(policies: Policies) -> None:
    """Raise InputError with file:line for each waiver of a rule that does not exist, or that has no waiver."""
    problems = Problems(policies.source)
    for waiver in policies.waivers:
        if waiver.rule not in IDS:
            what = f"no rule has the id {waiver.rule}"
            problems.add(waiver.line, what, nearest(waiver.rule, IDS))
        elif waiver.rule in _NEVER_WAIVED:
            problems.add(
                waiver.line, f"{waiver.rule} cannot be waived", "give the waiver a new date"
            )
    problems.raise_if_any()
