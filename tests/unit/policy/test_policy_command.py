"""`kbz policy`: exit codes, which files are read, and that it needs nothing but the inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from keybuzz.model.core.outcome import ExitCode
from keybuzz.policy.load import load_context
from tests.support import warm
from tests.unit.support.policy_values import EXAMPLE
from tests.unit.support.site_values import (
    PASSWORDS,
    PLANTED,
    configuration_text,
    planted,
    planted_configuration,
)

ROOT = Path(__file__).parents[3]


def kbz(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run kbz in a folder; return exit code, stdout and stderr."""
    code, stdout, stderr = warm.call(arguments, 60, folder)
    assert "Traceback" not in stderr
    return code, stdout, stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a nornir_config.yaml whose state and credentials are not there."""
    nowhere = tmp_path / "nowhere"
    overlay = f"paths: {{state: {nowhere}/state, credentials: {nowhere}/credentials}}\n"
    (tmp_path / "overlay.yaml").write_text(overlay)
    (tmp_path / "nornir_config.yaml").write_text(configuration_text(tmp_path))
    return tmp_path / "nornir_config.yaml"


def test_a_clean_application_is_good_and_a_bad_one_is_refused(site: Path, tmp_path: Path) -> None:
    config = ("--config", str(site))
    code, out, _ = kbz(tmp_path, *config, "policy", "check", str(EXAMPLE))
    assert code == ExitCode.GOOD
    assert "0 violations" in out
    (tmp_path / "api.env").write_text("REDIS_HOST=redis-01\n")
    code, out, _ = kbz(tmp_path, *config, "policy", "check", str(EXAMPLE), "api.env")
    assert code == ExitCode.REFUSED
    assert out.startswith("api.env:1:12: EP-1  redis-01\n")


def test_it_needs_no_credentials_and_writes_nothing(site: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = kbz(tmp_path, "--config", str(site), "policy", "check", str(EXAMPLE))
    assert code == ExitCode.GOOD
    assert "note: SEC-2 had no credential store to compare with" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_with_a_store_its_values_are_found(tmp_path: Path) -> None:
    planted_configuration(tmp_path)
    for number, name in enumerate(PASSWORDS):
        (tmp_path / f"{number}.txt").write_text(f"it is {planted(name)} now\n")
    code, out, _ = kbz(tmp_path, "policy", "check", *(f"{n}.txt" for n in range(len(PASSWORDS))))
    assert code == ExitCode.REFUSED
    for name in PASSWORDS:
        assert f"holds the value of {name} of the credential store" in out
    assert PLANTED not in out


def test_a_store_that_others_may_read_is_none_to_compare_with(tmp_path: Path) -> None:
    configuration = planted_configuration(tmp_path)
    assert load_context(configuration, date(2026, 1, 1)).secrets is not None
    for path in (tmp_path / "credentials").iterdir():
        path.chmod(0o644)
    found = load_context(configuration, date(2026, 1, 1))
    assert found.secrets is None
    assert "others may read it (SEC-1)" in found.no_secrets


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_one_document_on_stdout(site: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "api.env").write_text("REDIS_HOST=redis-01\n")
    arguments = ("--config", str(site), "policy", "check", "--format", form, "api.env")
    code, out, said = kbz(tmp_path, *arguments)
    assert (code, said) == (ExitCode.REFUSED, "")
    document = json.loads(out)
    assert document["version" if form == "sarif" else "format_version"] in ("2.1.0", 1)


def test_what_is_not_there_and_what_is_no_rule_is_usage(site: Path, tmp_path: Path) -> None:
    code, out, said = kbz(tmp_path, "--config", str(site), "policy", "check", "nowhere.env")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "there is no nowhere.env" in said
    code, out, said = kbz(tmp_path, "policy", "explain", "EP-7")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "EP-1" in said
    code, out, _ = kbz(tmp_path, "policy", "explain", "ep-1")
    assert code == ExitCode.GOOD
    assert out.startswith("EP-1: Applications use only the official endpoints\n")


def test_a_waiver_of_an_unknown_rule_is_bad_input(site: Path, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(
        "freeze: []\nwaivers:\n  - {rule: EP-9, path: a/*, reason: nobody knows why, until: 2026-01-01}\n"
    )
    text = site.read_text()
    line = next(line for line in text.splitlines() if line.startswith("  policies:"))
    site.write_text(text.replace(line, f"  policies: {policies}"))
    code, out, said = kbz(tmp_path, "--config", str(site), "policy", "check", str(EXAMPLE))
    assert (code, out) == (ExitCode.FAILED, "")
    assert f"{policies}:3: no rule has the id EP-9" in said


def test_in_a_repository_what_git_ignores_is_not_read(site: Path, tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    repository.mkdir()
    subprocess.run(["git", "init", "-q", str(repository)], check=True, timeout=60)
    (repository / ".gitignore").write_text(".env\n")
    (repository / ".env").write_text("DB_PASSWORD=hunter2hunter2\n")
    (repository / "new.env").write_text("LEVEL=info\n")
    (repository / "yarn.lock").write_text("ghp_" + "a1B2c3D4e5F6" * 3)
    (repository / "link.env").symlink_to(repository / ".env")
    (repository / "photo.bin").write_bytes(b"\0ghp_" + b"a1B2c3D4e5F6" * 3)
    config = ("--config", str(site), "policy", "check")
    code, out, _ = kbz(repository, *config, ".")
    assert (code, out.splitlines()[-1]) == (ExitCode.GOOD, "0 violations, 1 not judged in 2 files")
    code, out, _ = kbz(repository, *config, ".", ".env")
    assert code == ExitCode.REFUSED
    assert out.startswith(".env:1:13: SEC-2")


def test_outside_the_clone_the_inventory_of_the_clone_is_used(tmp_path: Path) -> None:
    """The environment stands in the clone, as scripts/setup and pre-commit make it."""
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "overlay.yaml").write_text(f"paths: {{state: {clone}/no, credentials: {clone}/no}}\n")
    (clone / "nornir_config.yaml").write_text(configuration_text(clone))
    application = tmp_path / "application"
    application.mkdir()
    (application / "api.env").write_text("REDIS_HOST=redis-01\n")
    code = (
        f"import sys; sys.prefix = {str(clone / '.venv')!r}; "
        "from keybuzz.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "policy", "check", "."],
        cwd=application,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == ExitCode.REFUSED
    assert done.stdout.startswith("api.env:1:12: EP-1")


def test_the_hook_runs_a_command_that_exists() -> None:
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    assert [hook["id"] for hook in hooks] == ["kbz-policy"]
    for hook in hooks:
        assert hook["entry"] == "kbz policy check ."
        assert hook["pass_filenames"] is False
