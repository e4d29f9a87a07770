"""What a team meets: strict checks, changed files, a baseline, corrections, a real pre-commit run, SARIF."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from sarif_pydantic import Sarif

from keybuzz.model.core.outcome import ExitCode
from keybuzz.policy.needs import missing_parsers
from keybuzz.policy.registry import rules
from keybuzz.report.text.policy import verdict_sarif
from tests.unit.policy.test_policy_command import ROOT, kbz, site
from tests.unit.support.policy_bad import TABLE
from tests.unit.support.policy_values import judged

__all__ = ["site"]
SCHEMA = ROOT / ".venv" / "share" / "sarif-2.1.0.json"
"""Of SchemaStore, as a package of Microsoft has it: scripts/setup fetches it."""
BAD = "DB_HOST=10.0.0.120\nDB_PORT=3306\nREDIS_URL=redis://redis-01:6380/0\n"
GOOD = "DB_HOST=10.0.0.10\nDB_PORT=5432\nREDIS_URL=redis://10.0.0.10:6379/0\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository of git whose one commit has a file that breaks EP-1 twice."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "old.env").write_text(BAD)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def git(folder: Path, *arguments: str) -> None:
    named = ("-c", "user.name=t", "-c", "user.email=t@keybuzz.io", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, timeout=60)


def check(folder: Path, site: Path, *arguments: str) -> tuple[int, str, str]:
    return kbz(folder, "--config", str(site), "policy", *arguments)


def test_strict_refuses_what_could_not_be_judged(site: Path, repository: Path) -> None:
    (repository / "old.env").write_text(GOOD)
    (repository / "logo.bin").write_bytes(b"\0\1")
    code, out, _ = check(repository, site, "check", ".")
    assert code == ExitCode.GOOD
    assert "not judged: logo.bin: is binary" in out
    assert check(repository, site, "check", "--strict", ".")[0] == ExitCode.REFUSED


def test_only_changed_files_are_reported(site: Path, repository: Path) -> None:
    (repository / "new.env").write_text("PGHOST=db-master-01\n")
    code, out, _ = check(repository, site, "check", "--changed-since", "main", ".")
    assert code == ExitCode.REFUSED
    assert out.startswith("new.env:1:8: EP-1")
    assert "old.env" not in out
    code, _, said = check(repository, site, "check", "--changed-since", "nowhere", ".")
    assert code == ExitCode.USAGE
    assert "git knows no revision nowhere" in said


def test_a_baseline_accepts_what_was_there_and_nothing_new(site: Path, repository: Path) -> None:
    code, out, _ = check(repository, site, "baseline", "--output", "../known.json", ".")
    assert (code, out) == (ExitCode.GOOD, "")
    code, out, _ = check(repository, site, "check", "--baseline", "../known.json", ".")
    assert code == ExitCode.GOOD
    assert "0 violations, 2 in the baseline" in out
    (repository / "old.env").write_text(f"# moved\n{BAD}PGHOST=db-slave-01\n")
    code, out, _ = check(repository, site, "check", "--baseline", "../known.json", ".")
    assert code == ExitCode.REFUSED
    assert out.startswith("old.env:5:8: EP-1")
    (repository / "broken.json").write_text("{}")
    code, _, said = check(repository, site, "check", "--baseline", "broken.json", ".")
    assert code == ExitCode.FAILED
    assert "is no baseline of kbz" in said


def test_fix_shows_a_diff_and_writes_only_when_told(site: Path, repository: Path) -> None:
    code, out, _ = check(repository, site, "fix", ".")
    assert code == ExitCode.GOOD
    assert out.startswith("--- a/old.env\n+++ b/old.env\n")
    assert (repository / "old.env").read_text() == BAD
    (repository / "old.env").chmod(0o640)
    check(repository, site, "fix", "--write", ".")
    assert (repository / "old.env").read_text() == GOOD
    assert (repository / "old.env").stat().st_mode & 0o777 == 0o640
    assert check(repository, site, "check", ".")[0] == ExitCode.GOOD


def test_a_diff_of_an_absolute_path_can_be_applied_from_the_root(
    site: Path, repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _, out, _ = check(elsewhere, site, "fix", str(repository / "old.env"))
    assert out.startswith(f"--- a{repository}/old.env\n+++ b{repository}/old.env\n")
    subprocess.run(["git", "apply"], cwd="/", input=out, text=True, check=True, timeout=60)
    assert (repository / "old.env").read_text() == GOOD


def test_a_real_run_of_pre_commit(site: Path, repository: Path, tmp_path: Path) -> None:
    entry = f"{sys.executable} -m keybuzz.cli.main --config {site} policy check ."
    (repository / ".pre-commit-config.yaml").write_text(
        "repos:\n  - repo: local\n    hooks:\n      - id: kbz-policy\n        name: kbz policy check\n"
        f"        entry: {entry}\n        language: system\n        pass_filenames: false\n        always_run: true\n"
    )
    git(repository, "add", ".")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files"],
            cwd=repository,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PRE_COMMIT_HOME": str(tmp_path / "home")},
        )

    refused = run()
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "old.env:1:9: EP-1" in refused.stdout
    (repository / "old.env").write_text(GOOD)
    git(repository, "add", ".")
    passed = run()
    assert passed.returncode == 0, passed.stdout + passed.stderr


def test_the_manifest_of_the_hook_is_one_for_pre_commit() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pre_commit",
            "validate-manifest",
            str(ROOT / ".pre-commit-hooks.yaml"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_report_is_sarif_by_its_model(site: Path, repository: Path) -> None:
    for bad in TABLE:
        log = verdict_sarif(judged({bad.path: bad.text, "x.lua": "a = 1\n"}), rules(), "0.1.0")
        Sarif.model_validate(json.loads(json.dumps(log)))
    (repository / "logo.bin").write_bytes(b"\0\1")
    _, out, _ = check(repository, site, "check", "--format", "sarif", ".")
    notes = json.loads(out)["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert any("logo.bin was not judged: is binary" in note["message"]["text"] for note in notes)


def test_every_report_is_sarif_by_its_schema(site: Path, repository: Path) -> None:
    if not SCHEMA.is_file():
        pytest.skip("scripts/setup could not fetch the schema of SARIF: there was no npm")
    schema = json.loads(SCHEMA.read_text())
    judge = jsonschema.validators.validator_for(schema)(schema)
    for bad in TABLE:
        log = verdict_sarif(judged({bad.path: bad.text, "x.lua": "a = 1\n"}), rules(), "0.1.0")
        judge.validate(json.loads(json.dumps(log)))
    for words in ((), ("--strict",), ("--changed-since", "main")):
        _, out, _ = check(repository, site, "check", "--format", "sarif", *words, ".")
        judge.validate(json.loads(out))
    with pytest.raises(jsonschema.ValidationError):
        judge.validate({"version": "2.1.0", "runs": [{"results": []}]})


def test_what_is_missing_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from keybuzz.model.core.errors import UsageError
    from keybuzz.policy import needs

    assert missing_parsers() == ()
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "tree_sitter_go" else True)
    with pytest.raises(UsageError, match="tree_sitter_go") as caught:
        needs.require_parsers()
    assert "scripts/setup" in str(caught.value)
