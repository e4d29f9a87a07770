"""`kbz report --html`: one page for people, with everything in it and nothing from elsewhere. Pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.model.core.finding import Level
from keybuzz.model.core.record import finding_of
from keybuzz.model.core.visible import visible
from keybuzz.model.reports.folding import folded
from keybuzz.report.page import plots
from keybuzz.report.page.past import Past, TrialPoint
from keybuzz.report.page.sheet import module_of
from keybuzz.report.text.drift_news import drift_groups

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_WORST = tuple(level.word for level in sorted(Level, reverse=True))
_BAD_OUTCOMES = ("unreachable", "unknown")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load (Content-Security-Policy): nothing; its style stands in it, its icon is empty."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows. Documents are those of `--format json`: masked texts, no secret is in them."""

    where: str
    """Which site this is, such as "lab kbz"."""
    revision: str
    """Of the newest run."""
    made: float
    zone: tzinfo
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """Title and hosts of each group."""
    past: Past
    health: Json | None = None
    """None: no host was asked for this page."""
    looked: float | None = None
    """When the hosts were asked, where that is not when the page was made."""
    means: Mapping[str, str] = field(default_factory=dict)
    """What each check means, by id."""


@dataclass(frozen=True, slots=True)
class Row:
    """The same finding on one or many hosts."""

    level: str
    check: str
    message: str
    hint: str
    hosts: tuple[str, ...]
    means: str
    follows: tuple[str, ...] = ()
    """Checks that it explains: they are not rows of their own."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A host of the fleet."""

    name: str
    level: str
    """Its worst finding, or nothing when it was not asked."""
    title: str


def _shown(value: object) -> object:
    """Return what stands in the page for a value: texts of hosts, kept ones too, steer no reader."""
    return visible(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    """Return the one environment of the page's templates: `kbz serve` makes a page after each look."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_text(facts: Facts) -> str:
    """Return the page. Everything that comes from hosts is escaped."""

    def moment(seconds: float | None) -> str:
        if seconds is None:
            return "–"
        return datetime.fromtimestamp(seconds, facts.zone).strftime("%Y-%m-%d %H:%M")

    findings = list(facts.health["findings"]) if facts.health else []
    plan = facts.health["plan"] if facts.health else facts.past.plan
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            facts=facts,
            health=facts.health,
            counts=Counter(finding["level"] for finding in findings),
            total=len(findings),
            rows=rows(findings, facts.means),
            good=_good(findings),
            fleet=[(title, _chips(hosts, facts.health)) for title, hosts in facts.groups],
            differences=_folded_changes(plan["changes"] if plan else ()),
            compared=plan is not None,
            drift=_drift_lines(facts.past, moment),
            moved=_drift_bars(facts.past, moment),
            news=facts.past.news,
            groups=drift_groups(facts.past.news, moment) if facts.past.news else (),
            plots=plots,
            strips=strips(facts.past.trials, moment),
            measured=_measured(facts.past.trials),
            scale=_scale(facts.past.trials),
            verdict=verdict(facts),
            levels=_WORST,
            moment=moment,
            policy=POLICY,
        )
    )


def rows(findings: Iterable[Json], means: Mapping[str, str]) -> list[Row]:
    """Return what is wrong, worst first; the same on many hosts is one row, and what follows is under its cause."""
    found = [finding_of(item) for item in findings]
    roots = {item.check for item in found if not item.cause and item.level > Level.OK}
    follows: dict[str, set[str]] = defaultdict(set)
    for item in found:
        if item.cause in roots and item.level > Level.OK:
            follows[item.cause].add(item.check)
    return [
        Row(
            fold.level.word,
            fold.check,
            fold.message,
            fold.hint,
            fold.hosts,
            means.get(fold.check, ""),
            tuple(sorted(follows[fold.check])) if not fold.cause else (),
        )
        for fold in folded(item for item in found if item.cause not in roots)
    ]


def verdict(facts: Facts) -> tuple[str, str]:
    """Return the level of the whole page, and a sentence."""
    if facts.health is None:
        return "none", "No host was asked for this page"
    findings = facts.health["findings"]
    found = Counter(finding["level"] for finding in findings if not finding.get("cause"))
    following = sum(bool(finding.get("cause")) for finding in findings)
    silent = sum(h["outcome"] in _BAD_OUTCOMES for h in facts.health["hosts"].values())
    for level in _WORST[:-1]:
        if found[level] or (level == "unknown" and silent):
            words = [f"{found[w]} {w}" for w in _WORST[:-1] if found[w]]
            if following:
                words.append(f"{following} that follow{'s' * (following == 1)}")
            return level, ", ".join(words) or f"{silent} hosts did not answer"
    return "ok", "All is well"


def _good(findings: Iterable[Json]) -> dict[str, dict[str, int]]:
    """Return how often each check was ok, by module."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for item in findings:
        if item["level"] == "ok":
            found[module_of(item["check"])][item["check"]] += 1
    return found


def _chips(hosts: Iterable[str], health: Json | None) -> list[Chip]:
    known = health["hosts"] if health else {}
    worst: dict[str, tuple[int, str]] = {}
    for item in health["findings"] if health else ():
        rank = (-_WORST.index(item["level"]), f"{item['check']}: {item['message']}")
        if item["host"] and rank > worst.get(item["host"], (-len(_WORST), "")):
            worst[item["host"]] = rank
    chips = []
    for name in hosts:
        if name in known and known[name]["outcome"] in _BAD_OUTCOMES:
            chips.append(Chip(name, "unknown", f"{name}: {known[name]['what']}"))
        elif name in worst and name in known:
            level = _WORST[-worst[name][0]]
            text = worst[name][1] if level != "ok" else "all checks are ok"
            chips.append(Chip(name, level, f"{name}: {text}"))
        else:
            absent = health is not None and name in health.get("not_in_this_lab", ())
            why = "is not in this lab" if absent else "was not asked"
            chips.append(Chip(name, "none", f"{name}: {why}"))
    return chips


def _folded_changes(changes: Iterable[Json]) -> list[tuple[Json, tuple[str, ...]]]:
    """Return each change with the hosts that need it."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for change in changes:
        same = {name: value for name, value in change.items() if name != "host"}
        grouped[json.dumps(same, sort_keys=True)].append(change)
    return [(same[0], tuple(item["host"] for item in same)) for same in grouped.values()]


def _drift_lines(past: Past, moment: Any) -> tuple[plots.Line, ...]:
    """Return the plot for a desk and for a phone; nothing when no run is remembered."""
    if not past.drift:
        return ()
    values = []
    for point in past.drift:
        text = f"run {point.run}, {moment(point.moment)}: {point.differences} differences"
        text += f" on {point.hosts} hosts" if point.hosts else ""
        text += f"; {point.silent} hosts could not be asked" if point.silent else ""
        values.append((float(point.differences), text, bool(point.silent)))
    first, last = moment(past.drift[0].moment), moment(past.drift[-1].moment)
    return tuple(plots.line(values, first, last, width) for width in (plots.WIDE, plots.NARROW))


def _drift_bars(past: Past, moment: Any) -> tuple[plots.Bars, ...]:
    """Return what came and went for the same widths; nothing while nothing ever did."""
    values = [
        (
            point.came,
            point.went,
            f"run {point.run}, {moment(point.moment)}: {point.came} new, {point.went} gone",
        )
        for point in past.drift
    ]
    if not any(came or went for came, went, _ in values):
        return ()
    return tuple(plots.bars(values, width) for width in (plots.WIDE, plots.NARROW))


def _measured(trials: Iterable[TrialPoint]) -> TrialPoint | None:
    """Return the longest of the newest drill."""
    known = [trial for trial in trials if trial.seconds is not None]
    newest = [trial for trial in known if trial.run == known[-1].run]
    return max(newest, key=lambda trial: trial.seconds or 0.0, default=None)


def _scale(trials: Iterable[TrialPoint]) -> float:
    found = [value for trial in trials for value in (trial.seconds, trial.limit)]
    return plots.longest(found)


def strips(trials: Iterable[TrialPoint], moment: Any) -> list[plots.Strip]:
    """Return what each scenario of each drill cost: the newest trial, and those before it."""
    grouped: dict[tuple[str, str], list[TrialPoint]] = defaultdict(list)
    for trial in trials:
        if trial.verdict != "not available":
            grouped[trial.drill, trial.scenario].append(trial)
    scale = _scale(trial for found in grouped.values() for trial in found)
    made = []
    for (drill, scenario), found in sorted(grouped.items()):
        new = found[-1]
        earlier = [trial.seconds for trial in found[:-1] if trial.seconds is not None]
        seconds = "not measured" if new.seconds is None else f"{new.seconds:.1f} s"
        lost = f", {new.lost} acknowledged writes lost" if new.lost else ""
        made.append(
            plots.Strip(
                f"{drill} · {scenario}",
                plots.percent(new.seconds or 0, scale),
                seconds if new.verdict == "recovered" else f"{seconds}, {new.verdict}{lost}",
                None if new.limit is None else plots.percent(new.limit, scale),
                tuple(plots.percent(value, scale) for value in earlier),
                new.verdict == "recovered",
                f"run {new.run}, {moment(new.moment)}, {new.victim}: {new.verdict} after {seconds}{lost}",
            )
        )
    return made
