"""What a described application may use: its files are held to it, and files without one to nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.unit.support.application_values import SHOPS
from tests.unit.support.cli_said import Kbz, Said, kbz
from tests.unit.support.site_values import configuration_text

__all__ = ["kbz"]  # the fixture


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a nornir_config.yaml that describes the shops, without a credential store."""
    nowhere = tmp_path / "nowhere"
    overlay = f"paths: {{state: {nowhere}/state, credentials: {nowhere}/credentials}}\n"
    (tmp_path / "overlay.yaml").write_text(overlay)
    (tmp_path / "applications.yaml").write_text(SHOPS)
    text = configuration_text(tmp_path) + f"  applications: {tmp_path}/applications.yaml\n"
    (tmp_path / "nornir_config.yaml").write_text(text)
    return tmp_path / "nornir_config.yaml"


def checked(kbz: Kbz, site: Path, text: str, *words: str) -> Said:
    folder = site.parent / "repository"
    folder.mkdir(exist_ok=True)
    (folder / ".env").write_text(text)
    return kbz("--config", str(site), "policy", "check", str(folder), *words)


POOLED = "DATABASE_URL=postgresql://shop:${PASSWORD}@10.0.0.10:6432/shop\n"
QUEUED = "AMQP_URL=amqp://shop:${PASSWORD}@10.0.0.10:5672/shop\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("shop", QUEUED, "shop is described without rabbitmq"),
        ("erp", POOLED, "erp is described without postgres"),
        ("erp", "DB_HOST=10.0.0.10\nDB_PORT=5432\n", "erp is described without postgres"),
        ("queue", "DB_URL=mysql://x:${P}@10.0.0.20:3306/x\n", "queue is described without mariadb"),
    ],
)
def test_what_is_not_described_for_it_is_refused(
    kbz: Kbz, site: Path, name: str, text: str, said: str
) -> None:
    done = checked(kbz, site, text, "--application", name)
    assert done.returncode == ExitCode.REFUSED, done.stdout + done.stderr
    assert said in done.stdout
    assert checked(kbz, site, text).returncode == ExitCode.GOOD, "without a name all are free"


def test_the_pool_is_for_those_that_are_described_with_it(kbz: Kbz, site: Path) -> None:
    assert checked(kbz, site, POOLED, "--application", "shop").returncode == ExitCode.GOOD
    described = site.parent / "applications.yaml"
    described.write_text(SHOPS.replace("{pool: yes, extensions: [vector]}", "{}"))
    done = checked(kbz, site, POOLED, "--application", "shop")
    assert done.returncode == ExitCode.REFUSED
    assert "prepared statements" in done.stdout


@pytest.mark.parametrize("name", ["shop", "erp", "queue"])
@pytest.mark.parametrize("form", ["dotenv", "kubernetes"])
def test_the_environment_that_kbz_writes_is_right_for_it(
    kbz: Kbz, site: Path, name: str, form: str
) -> None:
    if name == "queue":
        credentials = site.parent / "nowhere" / "credentials"
        credentials.mkdir(parents=True, mode=0o700)
        store = credentials / "postgres.env"
        store.write_text("POSTGRES_APP_USER=kb_app\nPOSTGRES_DB=keybuzz\n")
        store.chmod(0o600)
    text = kbz("--config", str(site), "apps", "env", name, "--format", form)
    assert text.returncode == 0, text.stderr
    done = checked(kbz, site, text.stdout, "--application", name)
    assert done.returncode == ExitCode.GOOD, done.stdout


def test_a_name_that_is_not_described_is_refused(kbz: Kbz, site: Path) -> None:
    done = checked(kbz, site, POOLED, "--application", "shpo")
    assert done.returncode not in (ExitCode.GOOD, ExitCode.REFUSED)
    assert "did you mean shop?" in done.stderr
