"""Entries for `accepted` of policies.yaml, put in by ruamel's round trip: comments and all other lines stay."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date

from keybuzz.model.core.errors import InputError
from keybuzz.site.accepted import Accepted


def with_accepted(content: bytes, source: str, entries: Sequence[Accepted]) -> bytes:
    """Return the file with these entries; one of the same difference is replaced.

    InputError when the file is not what parse_policies took, or cannot be written as it was read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedSeq

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 12
    yaml.representer.ignore_aliases = lambda value: True
    yaml.indent(mapping=2, sequence=4, offset=2)
    tree = yaml.load(content)
    there = tree.get("accepted")
    if not isinstance(there, CommentedSeq):
        there = CommentedSeq()
        tree["accepted"] = there
        tree.yaml_set_comment_before_after_key("accepted", before=_ABOUT)
    there.fa.set_block_style()
    for entry in entries:
        fields = _fields(entry)
        same = [n for n, item in enumerate(there) if item.get("difference") == entry.difference]
        if same:
            there[same[0]] = fields
        else:
            there.append(fields)
    written = io.BytesIO()
    yaml.dump(tree, written)
    kept = _without_spaces(content)
    if not all(line in _without_spaces(written.getvalue()) for line in kept if line[:1] == b"#"):
        raise InputError(
            "a comment would be lost",
            where=source,
            hint="write the entry by hand: --show prints it",
        )
    return written.getvalue()


_ABOUT = (
    "\nDifferences that stay as they are for now, written by `kbz drift accept`. Another state than the\n"
    "accepted one is drift again."
)


def _fields(entry: Accepted) -> dict[str, str | date]:
    found: dict[str, str | date] = {
        "difference": entry.difference,
        "state": entry.state,
        "reason": entry.reason,
        "decided": entry.decided,
    }
    return found if entry.until is None else {**found, "until": entry.until}


def _without_spaces(content: bytes) -> list[bytes]:
    return [line.strip() for line in content.splitlines()]
