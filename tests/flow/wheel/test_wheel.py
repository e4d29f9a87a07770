"""The built wheel in an empty environment, far from the checkout: what it needs is in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybuzz.engine.shards.fingerprint import program
from tests.unit.support.site_values import planted_configuration

ROOT = Path(__file__).parents[3]
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel, and nothing of the checkout."""

    wheel: Path
    kbz: Path
    folder: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `kbz` there."""
        return subprocess.run(
            [self.kbz, *words],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def tracked(*folders: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in tracked():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    subprocess.run([sys.executable, *PIP, *build], check=True, timeout=600)
    shutil.rmtree(source)
    (wheel,) = folder.glob("kbz-*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=600)
    python = folder / "venv/bin/python"
    subprocess.run([python, *PIP, "install", f"{wheel}[policy]"], check=True, timeout=900)
    return Installed(wheel, folder / "venv/bin/kbz", folder)


def test_everything_that_the_packages_read_is_in_it(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    labs = re.compile(r"^tasks/\w+/(?:stand_in|legacy)/")
    wanted = {name for name in tracked("keybuzz", "tasks") if not labs.match(name)}
    assert wanted - names == set()
    assert [name for name in names if "stand_in/" in name or name.startswith("tests/")] == []


def test_help_and_explain_need_no_checkout(installed: Installed) -> None:
    assert installed("--help").returncode == 0
    done = installed("explain", "patroni.leader.single")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a check of patroni" in done.stdout
    assert (
        "Sessions that PostgreSQL takes." in installed("explain", "patroni.max_connections").stdout
    )


def test_all_modules_are_rendered(installed: Installed, tmp_path: Path) -> None:
    planted_configuration(tmp_path)
    config = str(tmp_path / "nornir_config.yaml")
    done = installed("--config", config, "render", "all", "--out", str(tmp_path / "rendered"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rendered/db-master-01").is_dir()


def test_the_policy_check_judges_files(installed: Installed, tmp_path: Path) -> None:
    planted_configuration(tmp_path)
    (tmp_path / "application").mkdir()
    (tmp_path / "application/.env").write_text("DATABASE_HOST=10.0.0.120\n")
    config = str(tmp_path / "nornir_config.yaml")
    done = installed("--config", config, "policy", "check", str(tmp_path / "application"))
    assert done.returncode == 3, done.stderr
    assert "EP-1" in done.stdout


def test_a_worker_of_the_wheel_is_the_same_program_as_one_of_the_checkout(
    installed: Installed,
) -> None:
    ask = "from keybuzz.engine.shards.fingerprint import program; print(program())"
    done = subprocess.run(
        [installed.kbz.parent / "python", "-c", ask],
        cwd=installed.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == f"{program()}\n"
