"""docs/mutants.md: what the last session found, with each survivor and why it is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.mutants.explained import EXPLAINED
from tests.mutants.targets import TARGETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mutants.md"
_FILE = re.compile(r"^\| `([\w/]+\.py)(?::\d+)?` \|")
_HEAD = """# Mutants

Do the tests of the guard, the freeze, the planner, the rollouts and the recoveries notice a changed line?
`scripts/mutants` changes one thing at a time, runs the tests of that module that pass through the changed
statement, and writes this page with `--docs`. It is no part of CI.

The operators are cosmic-ray's (comparisons, arithmetic, conditions, numbers, loops, decorators, exceptions), and
four of our own: a call that is left out, a `raise` that is left out, a result that is not returned, `in` turned
round. Not made, because no test could see them: annotations, `frozen` and `slots` of a dataclass, None in the place
of an empty result, how many seconds are waited (no test asserts a time), and what a cache of a pure function holds
(`UNMADE` in `tests/mutants/make.py`). The tests of each file are in `tests/mutants/targets.py`. A test that does not
end counts as one that fails; what takes longer than the test does without a mutant counts when it comes twice.

"""


def cell(text: str) -> str:
    return "`" + (text or " ").replace("|", "\\|").replace("`", "'") + "`"


def why(target: str, mutant: dict[str, Any]) -> str:
    """Return why a survivor is one; empty when none is written."""
    return EXPLAINED.get((target, mutant["was"].strip(), mutant["now"].strip()), "")


def standing(text: str) -> dict[str, list[str]]:
    """Return what a page says of each file: its row, and its survivors' rows."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        if found := _FILE.match(line):
            said.setdefault(found[1], []).append(line)
    return said


def told(target: str, mutants: list[dict[str, Any]]) -> list[str]:
    """Return the row of a file, and those of its survivors."""
    killed = sum(1 for mutant in mutants if mutant["end"] == "killed")
    left = [mutant for mutant in mutants if mutant["end"] != "killed"]
    explained = sum(1 for mutant in left if why(target, mutant))
    share = f"{100 * killed / len(mutants):.1f} %"
    return [
        f"| `{target}` | {len(mutants)} | {killed} | {share} | {explained} of {len(left)} |",
        *(
            f"| `{target}:{m['line']}` | {cell(m['was'])} | {cell(m['now'])} |"
            f" {why(target, m) or 'not judged yet'} |"
            for m in left
        ),
    ]


def page(found: dict[str, list[dict[str, Any]]], before: str) -> str:
    """Return the whole page: these files as they were found, all others as the page before has them."""
    said = standing(before) | {target: told(target, mutants) for target, mutants in found.items()}
    kept = [target for target in TARGETS if target in said]
    rows = ["| file | mutants | killed | share | survivors explained |", "|---|---|---|---|---|"]
    survivors = ["| where | from | to | why no test kills it |", "|---|---|---|---|"]
    rows += [said[target][0] for target in kept]
    survivors += [line for target in kept for line in said[target][1:]]
    counts = [[int(cell) for cell in row.split("|")[2:4]] for row in rows[2:]]
    mutants, killed = (sum(count[place] for count in counts) for place in (0, 1))
    rows.append(f"| together | {mutants} | {killed} | {100 * killed / max(1, mutants):.1f} % | |")
    waiting = [f"`{name}`" for name in TARGETS if name not in said]
    if waiting:
        rows.append(f"\nNot run to its end yet: {', '.join(waiting)}.")
    tables = ["\n".join(rows), "## Survivors", "\n".join(survivors)]
    return _HEAD + "\n\n".join(tables) + "\n"
