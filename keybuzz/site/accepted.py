"""Differences that are accepted: `accepted` of policies.yaml. Another state than the accepted one is drift again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from keybuzz.site.files.problems import Problems, shown
from keybuzz.site.files.yaml_tree import Tree, TreeReader

SHORTEST_REASON = 10
"""Characters; what is shorter explains nothing."""
_STATE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{16}")
_IDENTITY = re.compile(r"(?:drift|stray)/[^/\s]+/\S.*")


@dataclass(frozen=True, slots=True)
class Accepted:
    """One difference that stays as it is for now: `kbz drift` counts it, and tells it no more."""

    difference: str
    """Id of the drift item, such as `drift/haproxy-01/container:haproxy`."""
    state: str
    """Id of the site's digest key, and keyed digest of what was there, as `kbz drift accept` wrote it."""
    reason: str
    decided: date
    until: date | None
    """The last day on which it counts; None: until the entry is deleted."""
    line: int

    def counts(self, today: date) -> bool:
        """Return whether it counts on a day."""
        return self.until is None or today <= self.until


class AcceptedReader(TreeReader):
    """Reads the entries; notes what is wrong in `problems` and goes on."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self._seen: dict[str, int] = {}

    def accepted(self, tree: Tree) -> Accepted:
        """Return one entry."""
        required = ("difference", "state", "reason", "decided")
        fields = self.fields(tree, "an accepted difference", required, ("until",))
        texts = {name: self.text(value, name) for name, value in fields.items()}
        if fields:
            self._judge(fields, texts)
        days = {
            name: day(self, fields[name], name) for name in ("decided", "until") if name in fields
        }
        return Accepted(
            texts.get("difference", ""),
            texts.get("state", ""),
            texts.get("reason", ""),
            days.get("decided", date.min),
            days.get("until"),
            tree.line,
        )

    def _judge(self, fields: dict[str, Tree], texts: dict[str, str]) -> None:
        identity = texts["difference"]
        line = fields["difference"].line
        if identity and not _IDENTITY.fullmatch(identity):
            what = f"difference is {shown(identity)}, which is no id of drift"
            self.problems.add(line, what, "let `kbz drift accept` write the entry")
        if identity in self._seen:
            what = f"{shown(identity)} is accepted twice (first on line {self._seen[identity]})"
            self.problems.add(line, what, "keep one of the two")
        self._seen.setdefault(identity, line)
        if texts["state"] and not _STATE.fullmatch(texts["state"]):
            what = f"state is {shown(texts['state'])}, which is no digest"
            self.problems.add(fields["state"].line, what, "let `kbz drift accept` write the entry")
        if texts["reason"] and len(texts["reason"].strip()) < SHORTEST_REASON:
            what = f"reason {shown(texts['reason'])} explains nothing"
            hint = "write a sentence: why it is accepted, and who decided"
            self.problems.add(fields["reason"].line, what, hint)


def day(reader: TreeReader, tree: Tree, name: str) -> date:
    """Return a day, or the first there is after noting the problem."""
    text = reader.text(tree, name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        if text:
            what = f"{name} is {shown(text)}, which is no day"
            reader.problems.add(tree.line, what, "write it as 2026-01-31")
        return date.min
