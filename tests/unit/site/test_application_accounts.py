"""Passwords of applications' accounts in the store: generated, checked, found by name, and never an obstacle."""

from __future__ import annotations

from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.applications.described import Applications
from keybuzz.site.credentials.accounts import find
from keybuzz.site.credentials.check import check_store
from keybuzz.site.credentials.pending import all_pending, begin
from keybuzz.site.credentials.schema import vault_paths
from keybuzz.site.credentials.store import create_missing, hidden, load_credentials
from tasks.galera.service import offer as mariadb
from tasks.patroni.service import offer as postgres
from tests.unit.support.application_values import SHOPS, read

POSTGRES, MARIADB = postgres.ACCOUNTS, mariadb.ACCOUNTS

NAMES = {
    "POSTGRES_USER_SHOP_PASSWORD": "postgres.env",
    "MARIADB_USER_ERP_ACME_PASSWORD": "mariadb.env",
    "MARIADB_USER_ERP_B_PASSWORD": "mariadb.env",
    "RABBITMQ_USER_WORKER_PASSWORD": "rabbitmq.env",
    "MINIO_USER_SHOP_PASSWORD": "minio.env",
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    create_missing(tmp_path / "store", schema_with(read(SHOPS)))
    return tmp_path / "store"


def test_each_account_has_one_password_in_the_file_of_its_service(store: Path) -> None:
    found = load_credentials(store, schema_with(read(SHOPS)))
    for name, file in NAMES.items():
        assert f"{name}={found[name].reveal()}\n" in (store / file).read_text()
        assert len(found[name].reveal()) == 25
    assert {path.name for path in store.iterdir()} == {
        item.file for item in schema_with(Applications())
    }, "no file is added (SEC-1)"


def test_it_is_made_once(store: Path) -> None:
    before = (store / "mariadb.env").read_bytes()
    assert create_missing(store, schema_with(read(SHOPS))) == ()
    assert (store / "mariadb.env").read_bytes() == before


def test_a_missing_one_is_told(store: Path) -> None:
    path = store / "rabbitmq.env"
    path.write_text(path.read_text().replace("RABBITMQ_USER_WORKER_PASSWORD", "# "))
    found = [p.what for p in check_store(store, schema_with(read(SHOPS))) if not p.warning]
    assert found == ["RABBITMQ_USER_WORKER_PASSWORD is missing"]


def test_one_of_no_described_application_is_a_warning_and_stays_a_secret(store: Path) -> None:
    """Taking an application out of the file must not stop every verb."""
    found = load_credentials(store)
    assert set(NAMES) <= {secret.name for secret in hidden(found)}
    told = {p.what for p in check_store(store) if p.rule == "undescribed" and p.warning}
    assert told == {f"{name} is of no application that is described" for name in NAMES}
    assert not [p for p in check_store(store) if not p.warning]


def test_a_name_that_only_looks_like_it_is_refused(store: Path) -> None:
    path = store / "postgres.env"
    path.write_text(path.read_text() + "POSTGRES_USERS_SHOP_PASSWORD=0123456789abcdefg\n")
    with pytest.raises(InputError, match="POSTGRES_USERS_SHOP_PASSWORD is not known"):
        load_credentials(store, schema_with(read(SHOPS)))


def test_one_in_another_services_file_is_refused(store: Path) -> None:
    path = store / "redis.env"
    path.write_text(path.read_text() + "POSTGRES_USER_SHOP_PASSWORD=0123456789abcdefg\n")
    with pytest.raises(InputError, match=r"belongs into postgres.env"):
        load_credentials(store, schema_with(read(SHOPS)))


def test_a_credential_is_found_by_its_name() -> None:
    assert find("POSTGRES_USER_SHOP_PASSWORD") == POSTGRES.credential("shop")
    assert find("MARIADB_USER_ERP_B_PASSWORD") == MARIADB.credential("erp_b")
    assert find("REDIS_PASSWORD") is not None
    assert find("POSTGRES_USER_PASSWORD") is None


def test_what_a_rotation_has_begun_with_is_known_to_whoever_masks(store: Path) -> None:
    begun = begin(store, POSTGRES.credential("shop"))
    assert begun in all_pending(store)


def test_vault_has_a_place_for_each() -> None:
    paths = vault_paths(schema_with(read(SHOPS)))
    assert "MARIADB_USER_ERP_B_PASSWORD" in paths["secret/keybuzz/global/mariadb"]
