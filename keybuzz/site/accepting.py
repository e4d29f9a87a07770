"""Entries for `accepted` of policies.yaml, by ruamel's round trip; of an entry that is there the fields change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from keybuzz.site.accepted import Accepted
from keybuzz.site.files.round_trip import edited, put_after, take_after

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap, CommentedSeq


def with_accepted(content: bytes, source: str, entries: Sequence[Accepted]) -> bytes:
    """Return the file with these entries; one of the same difference gets the new fields.

    InputError when the file is not what parse_policies took, or a comment of it would be lost.
    """

    def change(tree: CommentedMap) -> None:
        there = _list(tree)
        for entry in entries:
            _put(there, _fields(entry))

    return edited(content, source, change)


_ABOUT = (
    "\nDifferences that stay as they are for now, written by `kbz drift accept`. Another state than the\n"
    "accepted one is drift again."
)


def _list(tree: CommentedMap) -> CommentedSeq:
    """Return the entries that are there, as a block; the list is made where there is none."""
    from ruamel.yaml.comments import CommentedSeq

    there = tree.get("accepted")
    if not isinstance(there, CommentedSeq):
        there = CommentedSeq()
        tree["accepted"] = there
        tree.yaml_set_comment_before_after_key("accepted", before=_ABOUT)
    there.fa.set_block_style()
    return there


def _put(there: CommentedSeq, fields: dict[str, str | date]) -> None:
    """Set the fields of the entry of the same difference, or append one; what follows the list stays behind it."""
    from ruamel.yaml.comments import CommentedMap

    same = [item for item in there if item.get("difference") == fields["difference"]]
    if same:
        item = same[0]
        after = take_after(item)
    else:
        item = CommentedMap()
        after = take_after(there[-1]) if there else ""
        there.append(item)
    for name in [name for name in item if name not in fields]:
        del item[name]
    item.update(fields)
    put_after(item, after)


def _fields(entry: Accepted) -> dict[str, str | date]:
    found: dict[str, str | date] = {
        "difference": entry.difference,
        "state": entry.state,
        "reason": entry.reason,
        "decided": entry.decided,
    }
    return found if entry.until is None else {**found, "until": entry.until}
