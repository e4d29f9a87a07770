"""Alert rules for Prometheus, from the metrics that kbz exports. Pure."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from keybuzz.engine.schedule.schedule import DRIFT as DRIFT_LOOKS
from keybuzz.engine.schedule.schedule import HEALTH, Watch, patience
from keybuzz.report.machine.prometheus import (
    CHECK,
    DRIFT,
    HOST,
    MEMBERS,
    MOMENT,
    SPARE,
    SUCCESS,
)

PAGE, TICKET = "page", "ticket"


def _missed(watch: Watch) -> str:
    """Return what holds when a verb missed two runs of the schedule that `install` writes."""
    return f'time() - {MOMENT.name}{{verb="{watch.verb}"}} > {patience(watch.every)}'


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert."""

    name: str
    expression: str
    lasts: str
    """How long it must hold, as Prometheus writes a duration; empty for at once."""
    severity: str
    summary: str
    next_step: str


_CHECK = "{{ $labels.check }}{{ if $labels.host }} on {{ $labels.host }}{{ end }}"
_EXPLAIN = "kbz explain {{ $labels.check }}"
RULES = (
    Rule(
        "KbzCritical",
        f'{CHECK.name}{{verb=~"health|(health|drift) status"}} == 3',
        "5m",
        PAGE,
        f"{_CHECK} is critical",
        _EXPLAIN,
    ),
    Rule(
        "KbzWarning",
        f'{CHECK.name}{{verb="health"}} == 1',
        "1h",
        TICKET,
        f"{_CHECK} warns",
        _EXPLAIN,
    ),
    Rule(
        "KbzUnknown",
        f'{CHECK.name}{{verb="health"}} == 2',
        "15m",
        TICKET,
        f"{_CHECK} is not known",
        _EXPLAIN,
    ),
    Rule(
        "KbzHostSilent",
        f'{HOST.name}{{verb="health"}} == 0',
        "15m",
        PAGE,
        "{{ $labels.host }} does not answer",
        "kbz health --limit {{ $labels.host }}",
    ),
    Rule(
        "KbzNoQuorum",
        f'{SPARE.name}{{verb="health"}} < 0',
        "1m",
        PAGE,
        "too few members of {{ $labels.module }} are up: it takes no writes",
        "kbz status {{ $labels.module }}",
    ),
    Rule(
        "KbzNoSpare",
        # A service of one node never has a spare.
        f'{SPARE.name}{{verb="health"}} == 0 and {MEMBERS.name} > 1',
        "15m",
        PAGE,
        "the next failure of {{ $labels.module }} stops writes",
        "kbz status {{ $labels.module }}",
    ),
    Rule(
        "KbzDrift",
        f'{DRIFT.name}{{verb="drift"}} > 0',
        "1h",
        TICKET,
        "{{ $value }} resources on {{ $labels.host }} are not as described",
        "kbz drift --limit {{ $labels.host }}",
    ),
    Rule(
        "KbzOld",
        f"{_missed(HEALTH)} or {_missed(DRIFT_LOOKS)}",
        "5m",
        PAGE,
        "the last kbz {{ $labels.verb }} is too old to be trusted",
        "kbz {{ $labels.verb }} status",
    ),
    Rule(
        "KbzFailed",
        f"{SUCCESS.name} == 0",
        "",
        PAGE,
        "kbz {{ $labels.verb }} could not judge",
        "kbz history --verb '{{ $labels.verb }}' --failed",
    ),
    Rule(
        "KbzNeverLooked",
        f'absent({MOMENT.name}{{verb="health"}})',
        "15m",
        PAGE,
        "no answer of kbz health is known",
        "kbz health status",
    ),
    Rule(
        "KbzNeverCompared",
        f'absent({MOMENT.name}{{verb="drift"}})',
        "3h",
        TICKET,
        "no answer of kbz drift is known",
        "kbz drift status",
    ),
)


def alerts_text() -> str:
    """Return the rules as a file that Prometheus loads (`rule_files`)."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1 << 12
    text = io.StringIO()
    text.write("# Written by kbz alerts. Do not edit: run it again.\n")
    yaml.dump({"groups": [{"name": "kbz", "rules": [_rule(rule) for rule in RULES]}]}, text)
    return text.getvalue()


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": rule.expression,
        **({"for": rule.lasts} if rule.lasts else {}),
        "labels": {"severity": rule.severity},
        "annotations": {"summary": rule.summary, "next_step": rule.next_step},
    }
