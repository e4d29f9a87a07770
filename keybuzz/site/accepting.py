"""Entries for `accepted` of policies.yaml, put in by ruamel's round trip: every comment stays, or nothing is written.

Of an entry that is there only the fields change. Lists are written with the indentation that ruamel finds in the file
(4 and 2 where it finds none); a file that indents its lists in several ways gets one of them.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import InputError
from keybuzz.site.accepted import Accepted

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq


def with_accepted(content: bytes, source: str, entries: Sequence[Accepted]) -> bytes:
    """Return the file with these entries; one of the same difference gets the new fields.

    InputError when the file is not what parse_policies took, or a comment of it would be lost.
    """
    text = content.decode()
    head, text = _head(text)
    yaml = _yaml(text)
    tree = yaml.load(text)
    there = _list(tree)
    for entry in entries:
        _put(there, _fields(entry))
    written = io.StringIO()
    yaml.dump(tree, written)
    after = head + written.getvalue()
    lost = Counter(_comments(content.decode())) - Counter(_comments(after))
    if lost:
        raise InputError(
            f"a comment would be lost: {next(iter(lost))}",
            where=source,
            hint="move it to a line of its own above the list, and run the command again",
        )
    return after.encode()


_ABOUT = (
    "\nDifferences that stay as they are for now, written by `kbz drift accept`. Another state than the\n"
    "accepted one is drift again."
)


def _head(text: str) -> tuple[str, str]:
    """Return the comments down to a leading `---`, which ruamel does not keep in place, and the text below it."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.partition("#")[0].rstrip() == "---":
            return "".join(lines[: number + 1]), "".join(lines[number + 1 :])
        if line.strip() and not line.startswith("#"):
            break
    return "", text


def _yaml(text: str) -> YAML:
    """Return a round trip that writes as this text is written."""
    from ruamel.yaml import YAML
    from ruamel.yaml.util import load_yaml_guess_indent

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 12
    yaml.representer.ignore_aliases = lambda value: True
    yaml.explicit_start = text.startswith("---")
    _, sequence, offset = load_yaml_guess_indent(text)
    found = sequence is not None and offset is not None
    yaml.indent(mapping=2, sequence=sequence if found else 4, offset=offset if found else 2)
    return yaml


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
        after = _take_after(item)
    else:
        item = CommentedMap()
        after = _take_after(there[-1]) if there else ""
        there.append(item)
    for name in [name for name in item if name not in fields]:
        del item[name]
    item.update(fields)
    _put_after(item, after)


def _take_after(item: CommentedMap) -> str:
    """Take off, and return, the lines of comments behind an entry: ruamel keeps them at its last field."""
    name = list(item)[-1]
    token = (item.ca.items.get(name) or [None] * 4)[2]
    if token is None:
        return ""
    here, newline, after = token.value.partition("\n")
    token.value = here + newline
    if not here:
        del item.ca.items[name]
    return str(after)


def _put_after(item: CommentedMap, after: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if not after:
        return
    name = list(item)[-1]
    token = (item.ca.items.get(name) or [None] * 4)[2]
    if token is None:
        item.ca.items[name] = [None, None, CommentToken(f"\n{after}", CommentMark(0)), None]
    else:
        token.value += after


def _fields(entry: Accepted) -> dict[str, str | date]:
    found: dict[str, str | date] = {
        "difference": entry.difference,
        "state": entry.state,
        "reason": entry.reason,
        "decided": entry.decided,
    }
    return found if entry.until is None else {**found, "until": entry.until}


def _comments(text: str) -> Iterator[str]:
    """Yield the comments, also those at the end of a line: what is between two tokens and no space."""
    from ruamel.yaml import YAML

    end = 0
    for token in YAML(typ="safe", pure=True).scan(text):
        yield from _between(text[end : token.start_mark.index])
        end = max(end, token.end_mark.index)
    yield from _between(text[end:])


def _between(gap: str) -> Iterator[str]:
    for line in gap.splitlines():
        _, mark, words = line.partition("#")
        if mark:
            yield f"# {words.strip()}"
