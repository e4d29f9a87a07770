"""`kbz apps`: no secret is printed, and one is written only into a file that was named, 0600, in no repository."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.credentials.store import create_missing, load_credentials
from tests.unit.support.application_values import SHOPS, read
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.site_values import PLANTED, planted_configuration

__all__ = ["kbz"]  # the fixture

ACCOUNT = "POSTGRES_USER_SHOP_PASSWORD"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A whole site that describes the shops, with their passwords in the store."""
    made = planted_configuration(tmp_path)
    (tmp_path / "applications.yaml").write_text(SHOPS)
    with made.path.open("a") as stream:
        stream.write(f"  applications: {tmp_path}/applications.yaml\n")
    create_missing(tmp_path / "credentials", schema_with(read(SHOPS)))
    return made.path


def password(config: Path) -> str:
    return load_credentials(config.parent / "credentials")[ACCOUNT].reveal()


@pytest.mark.parametrize("form", ["dotenv", "kubernetes"])
@pytest.mark.parametrize("name", ["shop", "erp", "queue"])
def test_no_secret_is_printed(kbz: Kbz, config: Path, name: str, form: str) -> None:
    done = kbz("--config", str(config), "apps", "env", name, "--format", form)
    assert done.returncode == 0, done.stderr
    secrets = load_credentials(config.parent / "credentials").values()
    shown = [s.name for s in secrets if len(s.reveal()) > 12 and s.reveal() in done.stdout]
    assert shown == []
    assert PLANTED not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["shop", "erp", "queue"])
def test_the_policy_check_has_nothing_against_what_is_printed(
    kbz: Kbz, config: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    for file, form in ((".env", "dotenv"), ("env.yaml", "kubernetes")):
        done = kbz("--config", str(config), "apps", "env", name, "--format", form)
        (folder / file).write_text(done.stdout)
    checked = kbz("--config", str(config), "policy", "check", str(folder))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_file_that_is_named_holds_them_with_mode_0600(
    kbz: Kbz, config: Path, tmp_path: Path
) -> None:
    place = tmp_path / "shop.env"
    place.write_text("older, and readable\n")
    done = kbz("--config", str(config), "apps", "env", "shop", "--reveal-to", str(place))
    assert done.returncode == 0, done.stderr
    assert f"POSTGRES_PASSWORD={password(config)}\n" in place.read_text()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert password(config) not in done.stdout + done.stderr


def test_the_secret_for_kubernetes_is_a_file_too(kbz: Kbz, config: Path, tmp_path: Path) -> None:
    words = ("apps", "env", "shop", "--format", "kubernetes")
    done = kbz("--config", str(config), *words, "--reveal-to", str(tmp_path / "secret.yaml"))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "secret.yaml").read_text()
    assert "kind: Secret" in text
    assert password(config) in text


def test_a_folder_of_a_repository_is_refused_and_nothing_is_written(
    kbz: Kbz, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "shop" / "deploy").mkdir()
    place = tmp_path / "shop" / "deploy" / "shop.env"
    done = kbz("--config", str(config), "apps", "env", "shop", "--reveal-to", str(place))
    assert done.returncode == ExitCode.REFUSED
    assert "SEC-2" in done.stderr
    assert not place.exists()


def test_an_unknown_name_is_refused_with_one_that_looks_like_it(kbz: Kbz, config: Path) -> None:
    done = kbz("--config", str(config), "apps", "env", "shpo")
    assert done.returncode != 0
    assert "did you mean shop?" in done.stderr


def test_an_account_whose_password_is_not_there_yet_says_what_makes_it(
    kbz: Kbz, config: Path, tmp_path: Path
) -> None:
    store = config.parent / "credentials" / "postgres.env"
    lines = [line for line in store.read_text().splitlines(True) if ACCOUNT not in line]
    store.write_text("".join(lines))
    place = tmp_path / "shop.env"
    done = kbz("--config", str(config), "apps", "env", "shop", "--reveal-to", str(place))
    assert f"credential {ACCOUNT} is missing" in done.stderr
    assert "kbz secrets init" in done.stderr
    assert not place.exists()


def test_the_list_needs_no_store(kbz: Kbz, config: Path) -> None:
    for path in (config.parent / "credentials").iterdir():
        path.chmod(0o644)  # a store that no verb would read
    done = kbz("--config", str(config), "apps", "list")
    assert done.returncode == 0, done.stderr
    assert "erp_acme, erp_beta" in done.stdout
