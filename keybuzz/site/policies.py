"""inventory/policies.yaml: what is frozen (FRZ-1), and which findings and differences are accepted until when."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.accepted import SHORTEST_REASON, Accepted, AcceptedReader, day
from keybuzz.site.files.maintenance import MaintenanceReader
from keybuzz.site.files.problems import Problems, nearest, shown
from keybuzz.site.files.yaml_tree import Tree, TreeReader, parse_fields

_RULE = re.compile(r"[A-Z][A-Z0-9]*-\d+")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A violation that is accepted: one rule, on the files of one pattern, with a reason and an end."""

    rule: str
    """Id of the rule, such as EP-1."""
    path: str
    """Pattern of paths as a check prints them; `*` also stands for folders between."""
    reason: str
    until: date
    """The last day on which it counts."""
    line: int


@dataclass(frozen=True, slots=True)
class Policies:
    """What policies.yaml says, checked."""

    freeze: tuple[str, ...] = ()
    """Groups whose deployed clusters are final: drift and findings are reported, nothing is changed (FRZ-1)."""
    waivers: tuple[Waiver, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    """Differences of hosts that stay as they are for now."""
    maintenance: tuple[Maintenance, ...] = ()
    """Hosts that are out of service for planned work."""
    source: str = "policies.yaml"
    """The file, as messages name it."""


def parse_policies(content: bytes, source: str, groups: Collection[str]) -> Policies:
    """Return the policies; InputError names every problem with its line. `groups` may be frozen."""
    problems = Problems(source)
    reader = _PoliciesReader(problems)
    tree = parse_fields(content, source)
    top = reader.fields(tree, "the file", ("freeze", "waivers"), ("accepted", "maintenance"))
    problems.raise_if_any()
    differences = AcceptedReader(problems)
    entries = reader.items(top["accepted"], "accepted") if "accepted" in top else ()
    resting = MaintenanceReader(problems)
    hosts = reader.items(top["maintenance"], "maintenance") if "maintenance" in top else ()
    found = Policies(
        freeze=reader.freeze(top["freeze"], groups),
        waivers=tuple(reader.waiver(item) for item in reader.items(top["waivers"], "waivers")),
        accepted=tuple(differences.accepted(item) for item in entries),
        maintenance=tuple(resting.entry(item) for item in hosts),
        source=source,
    )
    problems.raise_if_any()
    return found


class _PoliciesReader(TreeReader):
    def freeze(self, tree: Tree, groups: Collection[str]) -> tuple[str, ...]:
        seen: list[str] = []
        for item in self.items(tree, "freeze"):
            name = self.text(item, "freeze")
            if name and name not in groups:
                what = f"freeze names {shown(name)}, which is no group"
                self.problems.add(item.line, what, nearest(name, groups))
            elif name in seen:
                self.problems.add(item.line, f"freeze names {name} twice", "keep one of the two")
            seen.append(name)
        return tuple(seen)

    def waiver(self, tree: Tree) -> Waiver:
        fields = self.fields(tree, "a waiver", ("rule", "path", "reason", "until"))
        texts = {name: self.text(value, name) for name, value in fields.items()}
        until = date.min
        if fields:
            until = day(self, fields["until"], "until")
            self._judge(fields, texts)
        return Waiver(
            rule=texts.get("rule", ""),
            path=texts.get("path", ""),
            reason=texts.get("reason", ""),
            until=until,
            line=tree.line,
        )

    def _judge(self, fields: dict[str, Tree], texts: dict[str, str]) -> None:
        if texts["rule"] and not _RULE.fullmatch(texts["rule"]):
            what = f"rule is {shown(texts['rule'])}, which is no rule's id"
            self.problems.add(fields["rule"].line, what, "write one of `kbz policy explain`: EP-1")
        if texts["path"].strip("*/.") == "" and texts["path"]:
            what = f"path {shown(texts['path'])} waives the rule everywhere"
            self.problems.add(fields["path"].line, what, "name the file or the folder: shop/*")
        if texts["reason"] and len(texts["reason"].strip()) < SHORTEST_REASON:
            what = f"reason {shown(texts['reason'])} explains nothing"
            hint = "write a sentence: why it is accepted, and who decided"
            self.problems.add(fields["reason"].line, what, hint)
