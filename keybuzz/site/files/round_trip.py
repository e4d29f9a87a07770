"""A YAML file by ruamel's round trip: what is not changed stays as it is written, every comment too, or nothing is.

ruamel writes a whole file in its own form. Lines that a change does not touch are put back as they were, with their
spaces and line ends. New lines of lists have the indentation that ruamel finds in the file (4 and 2 where it finds
none).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.as_written import as_written

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap


def edited(content: bytes, source: str, change: Callable[[CommentedMap], None]) -> bytes:
    """Return the file after `change` has been made to its tree.

    InputError when a comment of it would be lost, or a line outside the change be written otherwise.
    """
    head, text = _head(content.decode())
    plain = text.replace("\r\n", "\n")
    before, changed = _dumped(plain, lambda tree: None), _dumped(plain, change)
    kept = as_written(text, before, changed)
    if kept is None or _read(kept) != _read(changed):
        raise InputError(
            "lines outside the change would be written otherwise",
            where=source,
            hint="write each value on one line, its list indented as the others, and run the command again",
        )
    after = head + kept
    lost = Counter(_comments(content.decode())) - Counter(_comments(after))
    if lost:
        raise InputError(
            f"a comment would be lost: {next(iter(lost))}",
            where=source,
            hint="move it to a line of its own above what is changed, and run the command again",
        )
    return after.encode()


def _dumped(text: str, change: Callable[[CommentedMap], None]) -> str:
    """Return a text as ruamel writes it after a change."""
    yaml = _yaml(text)
    tree = yaml.load(text)
    change(tree)
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


def _read(text: str) -> object:
    """Return what a text says, whatever its form; None when that cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return None


def in_one_line(text: str) -> str:
    """Return a text as it must be within `{…}`: in quotes, for a colon in it would end a name."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    quoted: str = DoubleQuotedScalarString(text)
    return quoted


def put_last(mapping: CommentedMap, name: str, value: object) -> None:
    """Set a field; a new one becomes the last, and the lines of comments that follow the mapping stay behind it."""
    if name in mapping or not mapping:
        mapping[name] = value
        return
    after = take_after(mapping)
    mapping[name] = value
    put_after(mapping, after)


def take_after(item: CommentedMap) -> str:
    """Take off, and return, the lines of comments behind a mapping: ruamel keeps them at its last field."""
    name = list(item)[-1]
    token = (item.ca.items.get(name) or [None] * 4)[2]
    if token is None:
        return ""
    here, newline, after = token.value.partition("\n")
    token.value = here + newline
    if not here:
        del item.ca.items[name]
    return str(after)


def put_after(item: CommentedMap, after: str) -> None:
    """Put lines of comments behind a mapping."""
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


def take_out(tree: CommentedMap, name: str, place: int) -> None:
    """Take a mapping out of the list of this name; the comments above and behind it stay where they are."""
    from ruamel.yaml.comments import CommentedSeq
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    there = tree[name]
    after = take_after(there[place])
    del there[place]
    here = tree.ca.items.get(name) or [None] * 4
    above = here[3] or []
    if place:
        put_after(there[place - 1], after)
    elif there:
        column = CommentMark(there.lc.col)
        lines = [CommentToken(f"{line.strip()}\n", column) for line in after.splitlines()]
        tree.ca.items[name] = [*here[:3], [*above, *lines] or None]
    else:
        empty = CommentedSeq()
        empty.fa.set_flow_style()
        kept = "".join([*(token.value for token in above), after])
        beside = here[2].value.rstrip("\n") if here[2] else ""
        token = CommentToken(f"{beside}\n{kept}", CommentMark(0)) if kept else here[2]
        tree[name] = empty
        tree.ca.items[name] = [*here[:2], token, None]


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
