"""What a hint says in plain words can be typed too: its verb of kbz is real, and its program is where it is typed.

`test_hints.py` holds the commands that are made of words; here are those in sentences: `hint=…` of findings and errors,
the first step of each check, and the constants that such a hint is made of.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from keybuzz.engine.catalogue import all_modules
from tests.unit.docs.test_docs_commands import verb_of

ROOT = Path(__file__).parents[3]
PROSE = frozenset(
    (
        *(
            "builds",
            "changes",
            "deletes",
            "do",
            "does",
            "drained",
            "formats",
            "in",
            "install",
            "makes",
        ),
        *("manages", "never", "resets", "runs", "writes"),
    )
)
"""What kbz itself does or does not: no verb is named like this."""
DOCKER = frozenset(
    (
        *("build", "exec", "image", "images", "info", "inspect", "kill", "load", "logs", "network"),
        *("ps", "pull", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause"),
    )
)
INSIDE = ("kubectl", "redis-cli", "rabbitmqctl", "rabbitmq-upgrade", "patronictl", "psql", "mysql")
"""On no host by themselves: in a container, or a part of k3s."""
_KBZ = re.compile(r"(?<![\w./-])kbz ([a-z][a-z-]*(?: [a-z][a-z0-9-]*)?)")
_DOCKER = re.compile(r"(?<![\w./-])(?<!-u )docker ([a-z]+)")
_INSIDE = re.compile(rf"(?<![\w./-])(?:{'|'.join(INSIDE)})(?![\w-])")
_THERE = re.compile(r"(?:docker exec|k3s )[^;]*$")
_ELSEWHERE = "as the finding spells it"
_POSITIONS = {"Finding": 4, "unknown": 3, "CheckInfo": 3}
"""Where a hint is, when it has no name."""
Hint = tuple[str, int, str]


def hints() -> Iterator[Hint]:
    """Yield file, line and text of each hint; what is not known yet stands in it as X."""
    for folder in ("tasks", "keybuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            named = dict(_constants(tree))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    for given in _hints_of(node):
                        for text in _texts(given, named):
                            yield str(path.relative_to(ROOT)), given.lineno, text


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the texts that a file gives names to, also inside of a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _hints_of(call: ast.Call) -> Iterator[ast.expr]:
    yield from (word.value for word in call.keywords if word.arg in ("hint", "next_step"))
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    place = _POSITIONS.get(name)
    if place is not None and len(call.args) > place:
        yield call.args[place]


def _texts(given: ast.expr, named: dict[str, ast.expr]) -> Iterator[str]:
    match given:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in parts)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, named)
            yield from _texts(other, named)
        case ast.BinOp(left=one, op=ast.Add(), right=other):
            for first in _texts(one, named):
                yield from (first + second for second in _texts(other, named))
        case ast.BoolOp(values=several):
            for one in several:
                yield from _texts(one, named)
        case ast.Name(id=name) if name in named:
            yield from _texts(named[name], named)


def wrong(text: str) -> Iterator[str]:
    """Yield what of a hint cannot be typed, and why."""
    for found in _KBZ.finditer(text):
        words = tuple(found[1].split())
        if words[0] not in PROSE:
            try:
                verb_of(words)
            except click.ClickException as error:
                yield f"kbz {found[1]}: {error.format_message()}"
    for found in _DOCKER.finditer(text):
        if found[1] not in DOCKER:
            yield f"docker {found[1]} is no command of Docker's"
    for found in _INSIDE.finditer(text):
        if not _THERE.search(text[: found.start()]) and _ELSEWHERE not in text:
            yield f"no host has {found[0]} by itself"


FOUND = list(hints())


def test_they_are_found() -> None:
    infos = [info for module in all_modules() for info in module.check_infos]
    texts = {text for _, _, text in FOUND}
    assert len(infos) > 100
    assert {info.next_step for info in infos} <= texts
    assert len(FOUND) > 350
    assert sum(bool(_KBZ.search(text)) for text in texts) > 100
    assert sum(bool(_DOCKER.search(text)) for text in texts) > 15


@pytest.mark.parametrize(
    ("path", "text"),
    [(path, text) for path, _, text in FOUND],
    ids=[f"{path}:{line}" for path, line, _ in FOUND],
)
def test_what_it_proposes_can_be_typed(path: str, text: str) -> None:
    assert list(wrong(text)) == [], f"{path}: {text}"


@pytest.mark.parametrize(
    "text",
    [
        "kbz verfy patroni",
        "look first; kbz secrets rotaet",
        "kbz backup runs",
        "docker restrat patroni on that host",
        "redis-cli -p 26379 SENTINEL MASTERS on the host",
        "docker ps there; then psql -c 'select 1'",
    ],
)
def test_what_cannot_be_typed_is_seen(text: str) -> None:
    assert len(list(wrong(text))) == 1


def test_every_word_of_prose_is_used() -> None:
    said = {found[1].split()[0] for _, _, text in FOUND for found in _KBZ.finditer(text)}
    assert PROSE - said == set()
