"""Commands that kbz proposes can be pasted: one function builds them all, and quotes every word."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.drift.secret_copies import Copy, judge
from keybuzz.model.core.proposed import on_host, proposed
from tests.unit.support.site_values import memory_site

ROOT = Path(__file__).parents[3]
PROGRAMS = "kbz|docker|kubectl|systemctl|shred|chown|chmod|journalctl|hostnamectl|rabbitmqctl"
_BEGINS = re.compile(rf"(?:^|[\s:;`(→&])(?:{PROGRAMS}) (?P<words>[a-z0-9 .:=_/-]*)$")
"""The text before a value, where that value is a word of a command."""
_SENTENCE = re.compile(
    r" (?:runs|in:|is|never|reads|says|knows|needs|finds|found|cannot|has|and|not|to|wrote|serve:|drift:|health:) ?"
)
_QUOTED = {
    "keybuzz/engine/schedule/schedule.py",
    "keybuzz/agent/kinds/host/ssh_server.py",
    "keybuzz/lab/legacy/build.py",
}
"""Files whose lines of shell are quoted word by word, and run by a shell of ours."""


def values_in_commands(path: Path) -> Iterator[str]:
    """Yield the f-strings of a file that put a value into the words of a command by themselves."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                before += str(part.value)
                continue
            found = _BEGINS.search(before)
            if found and not _SENTENCE.search(f" {found['words']}"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:100]}"
            before += "x"


def files() -> list[Path]:
    found = [*(ROOT / "keybuzz").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")]
    left_out = ("stand_in", "watcher")
    return [
        path
        for path in found
        if not set(left_out) & set(path.parts)
        and path.relative_to(ROOT).as_posix() not in _QUOTED
        and "agent" not in path.parts
    ]


def test_no_command_is_built_around_the_function_that_quotes() -> None:
    assert [line for path in files() for line in values_in_commands(path)] == []


def test_the_search_would_see_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.hostile.test_proposed.ROOT", tmp_path)
    path = tmp_path / "x.py"
    path.write_text('a = f"look, then: kbz exec --limit {host} -- shred -u {file}"\n')
    assert list(values_in_commands(path))
    path.write_text('a = f"kbz runs on {host}"\nb = f"look: {proposed(1)}"\n')
    assert list(values_in_commands(path)) == []


@given(st.lists(st.text(), min_size=1))
def test_every_argument_is_one_word(words: list[str]) -> None:
    assert shlex.split(proposed("kbz", *words)) == ["kbz", *words]
    assert shlex.split(on_host("db-01", *words))[5:] == words


def test_a_copy_of_a_secret_with_a_hostile_name_is_removed_and_nothing_else_is_done() -> None:
    site = memory_site()
    path = "/tmp/a;touch /tmp/pwned $(id) 'x"
    copy = Copy(path, 0, 0, "600", ("REDIS_PASSWORD",), ())
    (finding,) = judge(site.server("redis-01"), [copy], site)
    command = finding.hint.partition("then: ")[2]
    assert shlex.split(command)[-3:] == ["shred", "-u", path]
