"""What kbz says in a bad state: findings by check, the way out of a hint, and what `kbz status` counts."""

from __future__ import annotations

import shlex

from tests.lab.conftest import Done, Kbz
from tests.lab.fleet.bad_states.made import TOOLS


def findings(kbz: Kbz, module: str, group: str) -> dict[str, str]:
    """Return what `kbz health` finds above ok, by check: host, message and hint in one text."""
    done = kbz("health", "base", module, "--limit", group, "--format", "json")
    return {
        item["check"]: f"{item['host']}: {item['message']} → {item['hint']}"
        for item in done.json()["findings"]
        if item["level"] in ("warn", "critical")
    }


def spare(kbz: Kbz, module: str, group: str) -> int:
    """Return how many members `kbz status` calls spare."""
    document = kbz("status", module, "--limit", group, "--format", "json").json()
    [cluster] = [item for item in document["clusters"] if item["module"] == module]
    return int(cluster["quorum"]["spare"])


def agrees(kbz: Kbz, host: str, tool: str, answer: str) -> None:
    """Insist that a daemon's own tool, on its host, says the same: a part of what it answers."""
    said = kbz.on(host, f"{TOOLS}({tool}) 2>&1")
    assert answer in said, f"{tool} on {host}: {said}"


def take(kbz: Kbz, told: str) -> Done:
    """Run the command of a hint as it is proposed; it must succeed."""
    command = told.rpartition("→ ")[2]
    words = shlex.split(command)
    assert words[0] == "kbz", told
    return kbz.good(*words[1:])
