"""What the page for teams tells to write into CI files: parsed, and run as written in a checkout laid out so."""

from __future__ import annotations

import os
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from keybuzz.model.core.outcome import ExitCode
from tests.unit.policy.test_policy_command import ROOT
from tests.unit.policy.test_policy_workflow import BAD, GOOD, git

PAGE = ROOT / "docs" / "how-to" / "check-an-application.md"
VENV = ROOT / ".venv"


def snippet(title: str) -> Any:
    """Return the YAML below a heading of the page."""
    part = PAGE.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return YAML(typ="safe").load(re.search(r"```yaml\n(.*?)```", part, re.S)[1])  # type: ignore[index]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return an application's checkout, without kbz in it."""
    if not (VENV / "bin" / "kbz").exists():
        pytest.skip("this checkout has no .venv: scripts/setup makes it")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.env").write_text(GOOD)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def run(step: str, folder: Path, **variables: str) -> int:
    """Run a step as a runner of CI does; return its exit code."""
    done = subprocess.run(
        ["bash", "-e", "-c", step],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode in (ExitCode.GOOD, ExitCode.REFUSED), done.stdout + done.stderr
    return done.returncode


def test_the_steps_for_github_run_in_what_they_check_out(checkout: Path) -> None:
    workflow = snippet("In GitHub")
    assert workflow["permissions"] == {"contents": "read", "security-events": "write"}
    steps = workflow["jobs"]["policy"]["steps"]
    fetched = [step.get("with", {}) for step in steps if "checkout@" in step.get("uses", "")]
    assert [item.get("path", ".") for item in fetched] == [".", "kbz"]
    (checkout / fetched[1]["path"]).symlink_to(ROOT)
    setup, check = [step["run"] for step in steps if "run" in step]
    assert run(setup, checkout) == ExitCode.GOOD
    assert run(check, checkout) == ExitCode.GOOD
    (checkout / "app.env").write_text(BAD)
    assert run(check, checkout) == ExitCode.REFUSED
    upload = steps[-1]
    assert (upload["if"], upload["uses"]) == ("always()", "github/codeql-action/upload-sarif@v3")
    report = (checkout / upload["with"]["sarif_file"]).read_text()
    assert report.count('"ruleId": "EP-1"') == 2


def test_the_script_for_gitlab_runs_as_it_is_written(checkout: Path, tmp_path: Path) -> None:
    job = snippet("In GitLab")["policy"]
    clone, setup = job["before_script"]
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    git(origin, "commit", "-q", "--allow-empty", "-m", "first")
    git(origin, "tag", "v0.1.0")
    run(clone, checkout, KBZ_REPOSITORY=f"file://{origin}")
    assert (checkout / "kbz" / ".git").is_dir()
    (checkout / "kbz").rename(tmp_path / "cloned")
    (checkout / "kbz").symlink_to(ROOT)
    assert run(setup, checkout) == ExitCode.GOOD
    (check,) = job["script"]
    (checkout / "app.env").write_text(BAD)
    assert run(check, checkout) == ExitCode.REFUSED
    report = ET.parse(checkout / job["artifacts"]["reports"]["junit"]).getroot()
    assert len(report.findall(".//failure")) == 2


def test_a_repository_inside_of_the_checkout_is_not_judged(checkout: Path) -> None:
    inner = checkout / "kbz"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "bad.env").write_text(BAD)
    git(inner, "add", ".")
    git(inner, "commit", "-q", "-m", "first")
    assert run(f"{VENV}/bin/kbz --config {ROOT}/nornir_config.yaml policy check .", checkout) == 0


def test_the_images_and_actions_of_the_snippets_are_pinned() -> None:
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-\w+", snippet("In GitLab")["policy"]["image"])
    hook = snippet("With pre-commit")["repos"][0]
    assert hook["rev"] == "v0.1.0"
    known = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["hooks"] == [{"id": known[0]["id"]}]
