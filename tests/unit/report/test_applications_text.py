"""The environment of an application: endpoints in clear, secrets by reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ruamel.yaml import YAML

from keybuzz.model.core.errors import InputError
from keybuzz.report.text.applications import (
    applications_document,
    applications_text,
    dotenv,
    dotenv_in_clear,
    kubernetes,
    kubernetes_secret,
)
from keybuzz.site.applications.environment import environment, needs_store
from keybuzz.site.applications.uses import endpoints_of
from keybuzz.site.site import Site
from tests.unit.support.application_values import SHOPS, with_applications
from tests.unit.support.site_values import PLANTED, with_secrets

NAMES = ("shop", "erp", "queue")


def variables(name: str, site: Site | None = None) -> tuple[Any, Any, Site]:
    known = site or with_applications()
    application = known.applications.named(name)
    endpoints = endpoints_of(known.servers, known.catalogue)
    return application, environment(application, endpoints, known.credentials), known


def in_clear(name: str) -> dict[str, str]:
    application, found, site = variables(name)
    lines = dotenv_in_clear(application, found, site.secret).splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("name", NAMES)
def test_no_form_that_is_printed_holds_a_secret(name: str) -> None:
    application, found, site = variables(name)
    for text in (
        dotenv(application, found),
        kubernetes(application, found),
        repr(found),
        applications_text(site.applications, endpoints_of(site.servers, site.catalogue)),
        str(applications_document(site.applications, endpoints_of(site.servers, site.catalogue))),
    ):
        assert PLANTED not in text


def test_dotenv_names_files_and_variables() -> None:
    application, found, _ = variables("shop")
    lines = dotenv(application, found).splitlines()
    assert "POSTGRES_HOST=10.0.0.10" in lines
    assert "POSTGRES_PORT=6432" in lines
    assert "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_user_shop_password" in lines
    assert (
        "DATABASE_URL=postgresql://shop:${POSTGRES_USER_SHOP_PASSWORD}@10.0.0.10:6432/shop" in lines
    )
    assert "SHOP_LOG_POSTGRES_PORT=5432" in lines
    assert "REDIS_PREFIX=shop:" in lines
    assert "REDIS_URL=redis://:${REDIS_PASSWORD}@10.0.0.10:6379/0" in lines
    assert "S3_BUCKET=shop-files" in lines
    assert "S3_ACCESS_KEY_ID=shop" in lines
    assert any(line.startswith("S3_SECRET_ACCESS_KEY_FILE=") for line in lines)
    assert "S3_ENDPOINT=http://10.0.0.134:9000" in lines


def test_each_site_of_erpnext_has_variables_of_its_own() -> None:
    found = in_clear("erp")
    assert found["MARIADB_HOST"] == found["ERP_BETA_MARIADB_HOST"] == "10.0.0.20"
    assert found["MARIADB_DATABASE"] == "erp_acme"
    assert found["ERP_BETA_MARIADB_DATABASE"] == "erp_beta"
    assert found["ERP_BETA_MARIADB_USER"] == "erp_b"
    assert found["MARIADB_PASSWORD"] != found["ERP_BETA_MARIADB_PASSWORD"]


def test_the_platforms_account_is_named_as_the_store_names_it() -> None:
    found = in_clear("queue")
    assert found["POSTGRES_USER"] == "kb_app"
    assert found["POSTGRES_DB"] == "keybuzz"
    assert found["DATABASE_URL"].endswith("@10.0.0.10:6432/keybuzz")
    assert found["AMQP_URL"] == f"amqp://worker:{found['RABBITMQ_PASSWORD']}@10.0.0.10:5672/queue"
    assert found["REDIS_URL"].endswith("@10.0.0.10:6379/3")


def test_one_more_database_renames_nothing() -> None:
    application, found, _ = variables("shop")
    fewer = replace(
        application, own={**application.own, "postgres": application.own["postgres"][:1]}
    )
    site = with_applications()
    before = environment(fewer, endpoints_of(site.servers, site.catalogue), site.credentials)
    assert set(before) <= set(found)


def test_kubernetes_refers_to_keys_that_the_secret_has() -> None:
    for name in NAMES:
        application, found, site = variables(name)
        env = YAML(typ="safe").load(kubernetes(application, found))["env"]
        secret = YAML(typ="safe").load(kubernetes_secret(application, found, site.secret))
        referred = [e["valueFrom"]["secretKeyRef"] for e in env if "valueFrom" in e]
        assert {item["name"] for item in referred} == {secret["metadata"]["name"]}
        assert {item["key"] for item in referred} == set(secret["stringData"])
        assert all(isinstance(e.get("value", ""), str) for e in env), "numbers are quoted"


def test_a_password_in_an_url_is_encoded_and_one_that_dotenv_could_not_hold_is_refused() -> None:
    site = with_secrets(
        with_applications(), {"POSTGRES_USER_SHOP_PASSWORD": "p@ss/w:rd#with$signs"}
    )
    application, found, _ = variables("shop", site)
    secret = YAML(typ="safe").load(kubernetes_secret(application, found, site.secret))["stringData"]
    assert secret["POSTGRES_PASSWORD"] == "p@ss/w:rd#with$signs"
    assert "shop:p%40ss%2Fw%3Ard%23with%24signs@10.0.0.10" in secret["DATABASE_URL"]
    with pytest.raises(InputError, match="POSTGRES_PASSWORD holds characters"):
        dotenv_in_clear(application, found, site.secret)


def test_only_what_uses_the_platforms_names_needs_the_store() -> None:
    site = with_applications()
    assert {name: needs_store(site.applications.named(name)) for name in NAMES} == {
        "shop": False,
        "erp": False,
        "queue": True,
    }
    endpoints = endpoints_of(site.servers, site.catalogue)
    with pytest.raises(InputError, match="POSTGRES_APP_USER is not in the credential store"):
        environment(site.applications.named("queue"), endpoints, {})


def test_the_list_has_a_line_for_each_endpoint() -> None:
    site = with_applications(SHOPS)
    text = applications_text(site.applications, endpoints_of(site.servers, site.catalogue))
    assert "shop         postgres  10.0.0.10:6432   shop" in text
    assert "queue        postgres  10.0.0.10:5432   the platform's account" in text
    assert text.endswith("3 applications\n")
