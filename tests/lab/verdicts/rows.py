"""Whether kbz says of a state that is there what docs/states.md says: status, drift, run, restart, drill.

Health, status and drift are asked of the command line. What restarts, drills and runs would do is asked of their gates,
with the row's own findings in force: several states are there at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import Done, Kbz
from tests.lab.verdicts.gates import Gates, asked
from tests.support.states_table import Row, rows

_CARRIES = {
    "db": "patroni",
    "redis": "redis",
    "queue": "rabbitmq",
    "maria": "galera",
    "minio": "minio",
    "proxysql": "proxysql",
    "haproxy": "redis-proxy",
}
"""The module whose members a host is of, by the beginning of its name."""
_SPARE = re.compile(r"\b(\d) spare\b")


@dataclass(frozen=True)
class Seen:
    """One state that is there, and what health and drift have said of it."""

    id: str
    host: str
    check: str
    """Empty where health is silent."""
    drift: tuple[str, ...]
    """Ids of drift that are its own."""
    refused_run: bool = False
    """A run was tried, and has refused."""
    told_of: str = ""
    """The host that the finding is about; empty where it is about others too."""

    @property
    def module(self) -> str:
        """Whose restarts and drills the row is about."""
        area = self.check.partition(".")[0]
        if area and area != "base":
            return area
        named = [part.split("/")[1] for part in self.drift]
        inside = [name for name in named if name in _CARRIES.values()]
        return inside[0] if inside else _CARRIES[self.host.partition("-")[0]]


def wrong(kbz: Kbz, seen: Iterable[Seen], limit: str) -> list[str]:
    """Return what is said otherwise than in the table, in sentences; none where all is as it says."""
    states = tuple(seen)
    table = {row.id: row for row in rows()}
    questions = {item.id: (item.module, item.check, item.told_of) for item in states}
    gates = asked(kbz, questions, limit)
    status = kbz("status", "all", "--limit", limit, "--format", "json").json()
    found = [
        f"{item.id}: {column} is “{told}”, in the table “{table[item.id].word(column)}”; {why}"
        for item in states
        for column, (told, why) in _told(item, table[item.id], gates[item.id], status).items()
        if told != table[item.id].word(column)
    ]
    found += [
        f"{item.id}: {text}" for item in states for text in _spare(item, table[item.id], status)
    ]
    return found


def mistyped(kbz: Kbz, seen: Iterable[Seen], limit: str) -> list[str]:
    """Return where the command line does not refuse what the gates refuse, for the same reason."""
    modules = {item.module for item in seen}
    return _typed(kbz, asked(kbz, {name: (name, "*", "") for name in modules}, limit))


def _told(item: Seen, row: Row, gates: Gates, status: Any) -> dict[str, tuple[str, str]]:
    described = any(name.startswith("drift/") for name in item.drift)
    run = "mends it" if described else gates.run.word
    return {
        "status": ("told" if item.check in _checks(status) else "—", ""),
        "run": ("refuses" if item.refused_run else run, gates.run.why),
        "restart": (gates.restart.word, gates.restart.why),
        "drill": (gates.drill.word, gates.drill.why),
    }


def _checks(status: Any) -> set[str]:
    """Return the checks that `kbz status` tells of, on its clusters and its hosts."""
    told = [*status["findings"], *(f for c in status["clusters"] for f in c["findings"])]
    return {finding["check"] for finding in told}


def _spare(item: Seen, row: Row, status: Any) -> list[str]:
    """Return where the members that could take over are more or fewer than the row says."""
    said = _SPARE.search(row.status)
    now = [c["quorum"]["spare"] for c in status["clusters"] if c["module"] == item.module]
    if said is None or now == [int(said[1])]:
        return []
    return [f"status counts {now} spare, in the table {said[1]}"]


def _typed(kbz: Kbz, modules: Mapping[str, Gates]) -> list[str]:
    commands = {
        ("drill", name, "--confirm", name): gates.drill.why
        for name, gates in modules.items()
        if gates.drill.word == "refuses"
    } | {
        ("restart", name): gates.restart.why
        for name, gates in modules.items()
        if gates.restart.word == "refuses at once"
    }
    done = {words: kbz(*words) for words in commands}  # drills take the leases of the entries too
    return [
        f"kbz {' '.join(words)}: {answer.code}, and not for {why}: {_said(answer)}"
        for words, answer in done.items()
        if not _same(answer, why := commands[words])
    ]


def _same(answer: Done, why: str) -> bool:
    """Return whether it was refused, and names the same check."""
    names = set(re.findall(r"\b[a-z-]+\.[a-z.-]+[a-z]\b", why))
    said = _said(answer)
    refused = answer.code in (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.UNREACHABLE)
    return refused and (not names or any(name in said for name in names))


def _said(answer: Done) -> str:
    return " ".join((answer.stdout + answer.stderr).split())
