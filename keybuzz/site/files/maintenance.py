"""`maintenance` of policies.yaml: read with every problem by its line, and written by ruamel's round trip."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.files.problems import Problems, shown
from keybuzz.site.files.round_trip import edited, put_after, take_after, take_out
from keybuzz.site.files.yaml_tree import Tree, TreeReader

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

_EPOCH = datetime.fromtimestamp(0, UTC)
_ABOUT = (
    "\nServers that are out of service for planned work, written by `kbz maintenance on`. What is wrong with them\n"
    "counts again after `until`."
)


class MaintenanceReader(TreeReader):
    """Reads the entries; notes what is wrong in `problems` and goes on."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self._seen: dict[str, int] = {}

    def entry(self, tree: Tree) -> Maintenance:
        """Return one entry."""
        fields = self.fields(tree, "a maintenance", ("host", "reason", "since", "until"))
        if not fields:
            return Maintenance("", "", _EPOCH, _EPOCH, tree.line)
        host = self.text(fields["host"], "host")
        if host in self._seen:
            what = f"{shown(host)} is in maintenance twice (first on line {self._seen[host]})"
            self.problems.add(fields["host"].line, what, "keep one of the two")
        self._seen.setdefault(host, fields["host"].line)
        since, until = (self._moment(fields[name], name) for name in ("since", "until"))
        return Maintenance(host, self.text(fields["reason"], "reason"), since, until, tree.line)

    def _moment(self, tree: Tree, name: str) -> datetime:
        text = self.text(tree, name)
        try:
            found = datetime.fromisoformat(text)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        except (
            ValueError,
            OverflowError,
        ):  # none, or in UTC before the first year or after the last one
            pass
        if text:
            what = f"{name} is {shown(text)}, which is no moment with its zone"
            self.problems.add(tree.line, what, "write it as 2026-01-31T04:00:00+00:00")
        return _EPOCH


def with_entry(content: bytes, source: str, entry: Maintenance) -> bytes:
    """Return policies.yaml with this entry, in the place of one of the same host."""

    def change(tree: CommentedMap) -> None:
        from ruamel.yaml.comments import CommentedMap as Map

        there = _list(tree)
        same = [item for item in there if item.get("host") == entry.host]
        item = same[0] if same else Map()
        after = take_after(item) if same else take_after(there[-1]) if there else ""
        if not same:
            there.append(item)
        item.update(
            {
                "host": entry.host,
                "reason": entry.reason,
                "since": _text(entry.since),
                "until": _text(entry.until),
            }
        )
        put_after(item, after)

    return edited(content, source, change)


def without_entry(content: bytes, source: str, host: str) -> bytes:
    """Return policies.yaml without the entry of a host; an empty list stays where it was, and so does each comment."""

    def change(tree: CommentedMap) -> None:
        there = tree.get("maintenance") or []
        for place in reversed(range(len(there))):
            if there[place].get("host") == host:
                take_out(tree, "maintenance", place)

    return edited(content, source, change)


def _list(tree: CommentedMap) -> CommentedSeq:
    from ruamel.yaml.comments import CommentedSeq

    there = tree.get("maintenance")
    if not isinstance(there, CommentedSeq):
        there = CommentedSeq()
        tree["maintenance"] = there
        tree.yaml_set_comment_before_after_key("maintenance", before=_ABOUT)
    there.fa.set_block_style()
    return there


def _text(time: datetime) -> str:
    return time.astimezone(UTC).replace(microsecond=0).isoformat()
