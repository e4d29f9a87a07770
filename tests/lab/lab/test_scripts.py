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


README = re.findall(
    r"```python\n(.*?)```",
    (REPOSITORY / "README.md").read_text(encoding="utf-8"),
    flags=re.DOTALL,
)
TRIED = [*SCRIPTS, *(("README", f"{script}print(*result)\n") for script in README)]
GREEN = "\nassert not nr.data.failed_hosts, nr.data.failed_hosts\n"
"""On a green cluster no host fails: Nornir would leave it out of the tasks that follow."""


def test_there_are_five_and_that_of_the_readme() -> None:
    assert len(SCRIPTS) == 5
    assert len(README) == 1


@pytest.mark.parametrize(("title", "script"), TRIED, ids=[title for title, _ in TRIED])
def test_script(kbz: Kbz, tmp_path: Path, title: str, script: str) -> None:
    path = tmp_path / "script.py"
    path.write_text(script + GREEN, encoding="utf-8")
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
