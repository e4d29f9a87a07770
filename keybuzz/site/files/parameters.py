"""Values of parameters, put into site.yaml by ruamel's round trip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.round_trip import edited, put_last
from keybuzz.site.files.yaml_tree import Fields, Scalar, Tree, parse_fields

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

_SECTION = "parameters"


def with_parameters(content: bytes, source: str, values: Mapping[str, str]) -> bytes:
    """Return the file with these parameters; InputError when it would not be read back as it was meant."""
    meant = _plain(parse_fields(content, source))
    section = meant.get(_SECTION) or {}
    if not isinstance(section, dict):
        raise _no_block(source)
    meant[_SECTION] = {**section, **values}

    def change(tree: CommentedMap) -> None:
        _make_section(tree)
        for name, text in values.items():
            put_last(tree[_SECTION], name, _scalar(text))

    after = edited(content, source, change)
    if _plain(parse_fields(after, source)) != meant:
        raise _no_block(source)
    return after


def _no_block(source: str) -> InputError:
    return InputError(
        "cannot take these values in this form",
        where=source,
        hint=f"write `{_SECTION}` as a block, a line for each, and run the command again",
    )


def _make_section(tree: CommentedMap) -> None:
    """Give the file the section, where it has none or an empty one: then all its values were defaults."""
    from ruamel.yaml.comments import CommentedMap as Block

    if tree.get(_SECTION) is None:
        put_last(tree, _SECTION, Block())


def _scalar(text: str) -> str | int:
    """Return what ruamel writes without quotes, where the text is a number."""
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else text


def _plain(tree: Tree) -> Any:
    """Return what a tree says, without its lines."""
    if isinstance(tree, Scalar):
        return tree.text
    if isinstance(tree, Fields):
        return {key.text: _plain(value) for key, value in tree.entries}
    return [_plain(item) for item in tree.items]
