"""Reads what stands below a service's key in applications.yaml: the steps that the modules' own readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from keybuzz.site.applications.names import NameKind, Names
from keybuzz.site.files.problems import Problems, shown
from keybuzz.site.files.yaml_tree import Fields, Scalar, Tree, TreeReader

T = TypeVar("T")
_MOST_CONNECTIONS = 1000
_WORDS = {"yes": True, "true": True, "no": False, "false": False}


class PartReader(TreeReader):
    """Reads what applications have, and notes names that are taken."""

    def __init__(self, problems: Problems, taken: Iterable[str] = ()) -> None:
        super().__init__(problems)
        self._names = Names(problems, taken)

    def take(self, kind: NameKind, name: Scalar, owner: str) -> str:
        """Return the name after noting what is wrong with it."""
        return self._names.take(kind, name, owner)

    def each(self, tree: Tree, owner: str, read: Callable[[Scalar, Tree, str], T]) -> tuple[T, ...]:
        """Return what is read of each entry: name, options, owner."""
        entries = self.entries(tree, f"what {owner} has")
        if isinstance(tree, Fields) and not entries:
            self.problems.add(
                tree.line, f"{owner} describes nothing here", "name what it has of its own"
            )
        return tuple(read(name, value, owner) for name, value in entries)

    def options(self, tree: Tree, name: str, optional: tuple[str, ...]) -> dict[str, Tree]:
        """Return the options of an entry, which may have none."""
        return {} if nothing(tree) else self.fields(tree, shown(name), (), optional)

    def user(self, kind: NameKind, known: dict[str, Tree], name: Scalar, owner: str) -> str:
        """Return the user, who is called as the database or vhost is unless the file says otherwise."""
        tree = known.get("user")
        if tree is None:
            return self.take(kind, name, owner)
        return self.take(kind, Scalar(self.text(tree, "user"), tree.line), owner)

    def connections(self, known: dict[str, Tree], default: int) -> int:
        """Return the number of connections, or the default where none is said."""
        if "connections" not in known:
            return default
        return self.number(known["connections"], "connections", 1, _MOST_CONNECTIONS)

    def word(self, tree: Tree, name: str) -> bool:
        """Return a yes or no."""
        text = self.text(tree, name)
        if text not in _WORDS:
            self.problems.add(tree.line, f"{name} is {shown(text)}", "write yes or no")
        return _WORDS.get(text, False)


def nothing(tree: Tree) -> bool:
    """Return whether nothing is after the colon, or `{}`."""
    return tree == Scalar("", tree.line) or tree == Fields((), tree.line)
