"""docs/mutants.md: what the last session found, with each survivor and why it is one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.mutants.explained import EXPLAINED
from tests.mutants.targets import TARGETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mutants.md"
_HEAD = """# Mutants

Do the tests of the guard, the freeze, the planner, the rollouts and the recoveries notice a changed line?
`scripts/mutants` changes one thing at a time, runs the tests of that module that pass through the changed
statement, and writes this page with `--docs`. It is no part of CI.

The operators are cosmic-ray's (comparisons, arithmetic, conditions, numbers, loops, decorators, exceptions), and
four of our own: a call that is left out, a `raise` that is left out, a result that is not returned, `in` turned
round. Not made, because no test could see them: annotations, `frozen` and `slots` of a dataclass, None in the place
of an empty result, how many seconds are waited (no test asserts a time), and what a cache of a pure function holds
(`UNMADE` in `tests/mutants/make.py`). The tests of each file are in `tests/mutants/targets.py`. A test that does not
end counts as one that fails.

"""


def cell(text: str) -> str:
    return "`" + (text or " ").replace("|", "\\|").replace("`", "'") + "`"


def why(target: str, mutant: dict[str, Any]) -> str:
    """Return why a survivor is one; empty when none is written."""
    return EXPLAINED.get((target, mutant["was"].strip(), mutant["now"].strip()), "")


def page(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return the whole page."""
    rows = ["| file | mutants | killed | share | survivors explained |", "|---|---|---|---|---|"]
    survivors = ["| where | from | to | why no test kills it |", "|---|---|---|---|"]
    for target, mutants in found.items():
        ends = Counter(mutant["end"] for mutant in mutants)
        left = [mutant for mutant in mutants if mutant["end"] != "killed"]
        told = sum(1 for mutant in left if why(target, mutant))
        share = 100 * ends["killed"] / len(mutants)
        rows.append(
            f"| `{target}` | {len(mutants)} | {ends['killed']} | {share:.1f} % "
            f"| {told} of {len(left)} |"
        )
        survivors += [
            f"| `{target}:{m['line']}` | {cell(m['was'])} | {cell(m['now'])} |"
            f" {why(target, m) or 'not judged yet'} |"
            for m in left
        ]
    every = [mutant for mutants in found.values() for mutant in mutants]
    killed = sum(1 for mutant in every if mutant["end"] == "killed")
    rows.append(
        f"| together | {len(every)} | {killed} | {100 * killed / max(1, len(every)):.1f} % | |"
    )
    waiting = [f"`{name}`" for name in TARGETS if name not in found]
    if waiting:
        rows.append(f"\nNot run to its end yet: {', '.join(waiting)}.")
    tables = ["\n".join(rows), "## Survivors", "\n".join(survivors)]
    return _HEAD + "\n\n".join(tables) + "\n"
