"""Every check id that the code can say, found by reading it: so that no list of ids can forget one."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FIRST = "check"
"""The name of the parameter for an id: a function whose first parameter it is makes findings of ids given to it."""


class UnreadableIdError(Exception):
    """An id is made in a way that this reader does not follow."""


def givers(folder: Path) -> dict[str, Path]:
    """Return the public functions below a folder that make findings of the id they are given, and their files."""
    return {
        node.name: path
        for path in folder.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and node.args.args
        and node.args.args[0].arg == _FIRST
    }


_GIVERS = givers(ROOT / "keybuzz" / "model")
MAKERS = ("Finding", "CheckInfo", *_GIVERS)
"""What makes a finding, with the id as its first argument."""


def check_ids() -> dict[str, set[Path]]:
    """Return each id, and the files that say it."""
    found: dict[str, set[Path]] = defaultdict(set)
    for folder in ("tasks", "keybuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if path not in _GIVERS.values() and any(f"{maker}(" in source for maker in MAKERS):
                for name in ids_of(source, str(path)):
                    found[name].add(path)
    return dict(found)


def ids_of(source: str, where: str) -> set[str]:
    """Return what is the first argument of `Finding`: a text, a name that holds one, or a parameter's arguments."""
    tree = ast.parse(source)
    found: set[str] = set()
    for scope, node in _walk(tree, tree):
        if isinstance(node, ast.Call) and _name(node.func) in MAKERS:
            value = _first(node)
            if value is not None:
                found |= set(_resolve(value, scope, tree, where))
    return found


def _walk(tree: ast.AST, scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        inner = node if isinstance(node, ast.FunctionDef) else scope
        yield inner, node
        yield from _walk(node, inner)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _first(call: ast.Call) -> ast.expr | None:
    named = [word.value for word in call.keywords if word.arg in ("check", "id")]
    return call.args[0] if call.args else named[0] if named else None


def _resolve(value: ast.expr, scope: ast.AST, tree: ast.Module, where: str) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        # A part that is known when it runs, such as the module's name: a pattern.
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in value.values)
    elif isinstance(value, ast.IfExp):
        yield from _resolve(value.body, scope, tree, where)
        yield from _resolve(value.orelse, scope, tree, where)
    elif isinstance(value, ast.Name):
        bound = [*_bound(value.id, ast.walk(scope)), *_bound(value.id, tree.body)]
        if not bound and isinstance(scope, ast.FunctionDef):
            bound = list(_arguments(value.id, scope, tree))
        if not bound:
            raise UnreadableIdError(f"{where}:{value.lineno}: where does {value.id} come from?")
        for outer, one in bound:
            yield from _resolve(one, outer or scope, tree, where)
    else:
        raise UnreadableIdError(f"{where}:{value.lineno}: write the id of a check as a text")


def _bound(name: str, nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST | None, ast.expr]]:
    """Yield what is assigned to a name, also as one of several."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                yield None, node.value
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for one, its in zip(target.elts, node.value.elts, strict=True):
                    if isinstance(one, ast.Name) and one.id == name:
                        yield None, its


def _arguments(
    name: str, function: ast.FunctionDef, tree: ast.Module
) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Yield what the callers of a function in the same file give for one of its parameters."""
    names = [argument.arg for argument in function.args.args]
    if name not in names:
        return
    for scope, node in _walk(tree, tree):
        if isinstance(node, ast.Call) and _name(node.func) == function.name:
            by_word = [word.value for word in node.keywords if word.arg == name]
            yield scope, by_word[0] if by_word else node.args[names.index(name)]
