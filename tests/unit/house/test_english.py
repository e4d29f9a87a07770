"""How kbz speaks: words that the tree no longer uses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).relative_to(ROOT)
ON_HOSTS = ("templates", "watcher", "image", "stand_in")
"""Folders of a module whose files are content of hosts: a word there would be drift on a frozen cluster."""
USERS = ("Dockerfile",)
"""Files that name the Unix user nobody."""
WORDS = ("can" + " not", "Can" + " not", "Say" + " whether")


def written_here() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [Path(name) for name in done.stdout.splitlines()]
    return [
        path
        for path in found
        if path.suffix in (".py", ".md", ".yaml", ".toml", "")
        and path != HERE
        and not (path.parts[0] == "tasks" and set(path.parts) & set(ON_HOSTS))
        and (ROOT / path).is_file()
    ]


@pytest.mark.parametrize("word", WORDS)
def test_the_tree_uses_the_plain_form(word: str) -> None:
    seen = [
        str(path)
        for path in written_here()
        if word in (ROOT / path).read_text(encoding="utf-8", errors="replace")
    ]
    assert seen == []


@pytest.mark.parametrize("word", ["no" + "body", "some" + "body"])
def test_hosts_programs_and_clients_are_no_persons(word: str) -> None:
    """What answers, listens or leads is a host, a program or a client: the text names which."""
    name = re.compile(rf"\b{word}\b", re.IGNORECASE)
    seen = [
        str(path)
        for path in written_here()
        if path.parts[0] != "tests"
        and path.name not in USERS
        and name.search((ROOT / path).read_text(encoding="utf-8", errors="replace"))
    ]
    assert seen == []
