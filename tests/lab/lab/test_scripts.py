"""The scripts of docs/nornir-scripts.md, run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.conftest import DB, REPOSITORY, Kbz

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("cluster")]

PAGE = (REPOSITORY / "docs" / "nornir-scripts.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(
    r"^## (\d\. .*?)\n.*?```python\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE
)


def test_there_are_five() -> None:
    assert len(SCRIPTS) == 5


@pytest.mark.parametrize(("title", "script"), SCRIPTS, ids=[title for title, _ in SCRIPTS])
def test_script(kbz: Kbz, tmp_path: Path, title: str, script: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=kbz.config.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    named = DB[:1] if title.startswith("2.") else DB
    assert all(host in done.stdout for host in named), done.stdout
