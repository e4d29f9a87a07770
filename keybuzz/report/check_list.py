"""The check ids as a Markdown table, for docs/health.md. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from keybuzz.model.core.finding import CheckInfo


def check_table(infos: Iterable[CheckInfo]) -> str:
    """Return one row for each check: id, levels above ok, what must hold, and what it means when it does not."""
    rows = ["| id | levels | what must hold | when it does not |", "|---|---|---|---|"]
    for info in infos:
        levels = ", ".join(level.word for level in sorted(info.levels))
        rows.append(f"| `{info.id}` | {levels} | {info.title} | {info.meaning} |")
    return "\n".join(rows)
