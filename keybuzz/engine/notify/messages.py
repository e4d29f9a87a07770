"""What is told of the end of a verb, against what was told before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keybuzz.model.core.finding import Level
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.visible import in_one_line, one_line

FORMAT_VERSION = 1
MOST_LINES = 50
"""Lines of one message; the journal has the rest."""
LONGEST_LINE = 300
_SILENT = ("unreachable", "unknown")
_ANSWERS = "host.answers"
"""The name under which a host that does not answer is told."""
_LOOK = "kbz.look"
"""The name under which a look is told that could not be made."""
_DRIFT = ("kbz.drift", "")
_BACKUPS = ("backup", "restore")
_LOOKS = ("health", "drift")

Spot = tuple[str, str]
"""A check and a host; the host is empty for a cluster."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that a receiver is told; what is too long is cut."""

    topic: str
    subject: str
    lines: tuple[str, ...]
    run: int
    """Number in the journal; 0 for none."""
    exit_code: int

    def __post_init__(self) -> None:
        in_one_line(self, "subject")
        lines, more = self.lines, len(self.lines) - MOST_LINES + 1
        if more > 1:
            lines = (*lines[: MOST_LINES - 1], f"… and {more} more")
        object.__setattr__(self, "lines", tuple(map(_cut, lines)))

    @property
    def text(self) -> str:
        """The body, as people read it."""
        journal = (proposed("kbz", "history", self.run),) if self.run else ()
        return "\n".join((*self.lines, *journal))

    def document(self) -> dict[str, Any]:
        """Return it as a webhook gets it: docs/schema/notification.json."""
        return {
            "format_version": FORMAT_VERSION,
            "topic": self.topic,
            "subject": self.subject,
            "lines": list(self.lines),
            "run": self.run or None,
            "exit_code": self.exit_code,
        }


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


@dataclass(frozen=True, slots=True)
class Told:
    """What one receiver knows of the health: the level of each fault, and for how many looks it has been better."""

    levels: Mapping[Spot, Level] = field(default_factory=dict)
    better: Mapping[Spot, int] = field(default_factory=dict)


def topic_of(verb: str) -> str:
    """Return what the end of a verb is about."""
    if verb in _LOOKS:
        return verb
    backups = verb.split(" ")[0] in _BACKUPS or verb == "drill restore"
    return "backups" if backups else "runs"


def message_of(document: Mapping[str, Any], where: str) -> Message | None:
    """Return what is told of a run, a backup or a look for drift; None for nothing, and for health."""
    verb, code = str(document["verb"]), int(document["exit_code"])
    topic, run = topic_of(verb), int(document.get("run") or 0)
    if topic == "health":
        return None  # `health_message` tells it
    if topic == "drift":
        return _drift(document, where)
    if code == 0 and topic == "runs" and verb != "drill" and not _changed(document):
        return None  # it found nothing to do
    ended = "ended well" if code == 0 else f"ended with exit {code}"
    names = " ".join(document.get("modules") or ())
    error = str(document.get("error") or "")
    bad = [
        f"{host}: {item['outcome']}: {item.get('what') or 'said nothing'}"
        for host, item in _hosts(document).items()
        if item["outcome"] not in ("ok", "changed", "skipped")
    ]
    lines = [str(document.get("command") or proposed("kbz", verb)), *filter(None, [error]), *bad]
    subject = " ".join(filter(None, ("kbz", verb, names, ended)))
    return Message(topic, f"{subject} ({where})", tuple(map(one_line, lines)), run, code)


def _as_look(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a look that could not be made as one that has found this, and nothing else."""
    error = str(document.get("error") or "it left no report")
    found = {"check": _LOOK, "host": None, "level": "unknown", "message": error}
    return {**document, "findings": [found], "hosts": {}, "modules": []}


def failed_drift(
    document: Mapping[str, Any], told: Told, where: str
) -> tuple[Message | None, Told]:
    """Return what is told of a look for drift that could not be made: once, until one is made again."""
    if "findings" in document:
        levels = {spot: level for spot, level in told.levels.items() if spot != _DRIFT}
        return None, Told(levels, told.better)
    known = Told({**told.levels, _DRIFT: Level.UNKNOWN}, told.better)
    if _DRIFT in told.levels:
        return None, known
    error = one_line(str(document.get("error") or "it left no report"))
    run, code = int(document.get("run") or 0), int(document["exit_code"])
    return Message("drift", f"kbz drift could not look ({where})", (error,), run, code), known


def _drift(document: Mapping[str, Any], where: str) -> Message | None:
    run = int(document.get("run") or 0)
    items = (document.get("drift") or {}).get("items", ())
    new = [item for item in items if item["standing"] == "new"]
    if not new:
        return None
    lines = tuple(one_line(f"new {item['id']}: {item['what']}".rstrip(": ")) for item in new)
    subject = f"kbz drift: {len(new)} new ({where})"
    return Message("drift", subject, lines, run, int(document["exit_code"]))


def _changed(document: Mapping[str, Any]) -> bool:
    return not _hosts(document) or any(item.get("changed") for item in _hosts(document).values())


def _hosts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get("hosts") or {}
    return found


def health_message(
    document: Mapping[str, Any], told: Told, good_looks: int, where: str
) -> tuple[Message | None, Told]:
    """Return what has changed for one who was told so much before, and what that one knows then.

    What is worse is told at once. What is better is told after `good_looks` looks in a row, so that a check that comes
    and goes is told once. What this look has not judged stays as it was.
    """
    document = document if "findings" in document else _as_look(document)
    now = _levels(document)
    levels, better = dict(told.levels), dict[Spot, int]()
    lines: list[str] = []
    texts = {_spot(item): str(item["message"]) for item in document["findings"]}
    for spot in sorted(levels.keys() | now.keys()):
        before, level = levels.get(spot, Level.OK), now.get(spot)
        if level is None:
            if not _judged(document, spot):
                if spot in told.better:
                    better[spot] = told.better[spot]
                continue
            level = Level.OK
        if level == before:
            continue
        if level < before:
            better[spot] = told.better.get(spot, 0) + 1
            if better[spot] < good_looks:
                continue
            del better[spot]
        levels[spot] = level
        lines.append(_line(spot, before, level, texts.get(spot, "")))
    known = Told({spot: level for spot, level in levels.items() if level}, better)
    if not lines:
        return None, known
    others = {spot: level for spot, level in known.levels.items() if spot != _DRIFT}
    worst = max(others.values(), default=Level.OK)
    subject = f"kbz health: {worst.word}, {len(lines)} changed ({where})"
    run, code = int(document.get("run") or 0), int(document["exit_code"])
    return Message("health", subject, tuple(lines), run, code), known


def _levels(document: Mapping[str, Any]) -> dict[Spot, Level]:
    """Return the worst level of each check on each host; what follows from another fault is left to that one."""
    found: dict[Spot, Level] = {
        (_ANSWERS, host): Level.UNKNOWN
        for host, item in _hosts(document).items()
        if item["outcome"] in _SILENT
    }
    for item in document["findings"]:
        if item.get("cause"):
            continue
        level = Level[str(item["level"]).upper()]
        found[_spot(item)] = max(level, found.get(_spot(item), Level.OK))
    return found


def _spot(item: Mapping[str, Any]) -> Spot:
    return str(item["check"]), str(item.get("host") or "")


def _judged(document: Mapping[str, Any], spot: Spot) -> bool:
    """Return whether the look would have found a fault that was there: it asked the module, and the host answered."""
    check, host = spot
    if check == _LOOK:
        return True
    if any(_spot(item) == spot for item in document["findings"]):
        return False  # it follows from another fault now: it is neither told nor gone
    hosts = _hosts(document)
    if host and (host not in hosts or hosts[host]["outcome"] in _SILENT):
        return False
    module = check.partition(".")[0].replace("_", "-")
    return check == _ANSWERS or module in set(document.get("modules") or ())


def _line(spot: Spot, before: Level, now: Level, text: str) -> str:
    check, host = spot
    place = f" {host}" if host else ""
    message = f": {text}" if text and now else ""
    return one_line(f"{before.word} → {now.word} {check}{place}{message}")


def told_document(told: Told) -> dict[str, Any]:
    """Return what is known as a document, for the state folder."""
    spots: Iterable[Spot] = sorted(told.levels.keys() | told.better.keys())
    return {
        "health": [
            [*spot, told.levels.get(spot, Level.OK).word, told.better.get(spot, 0)]
            for spot in spots
        ]
    }


def told_of(document: Mapping[str, Any]) -> Told:
    """Return what a document of the state folder says."""
    rows = [(str(c), str(h), Level[str(w).upper()], int(n)) for c, h, w, n in document["health"]]
    return Told(
        {(check, host): level for check, host, level, _ in rows if level},
        {(check, host): number for check, host, _, number in rows if number},
    )
