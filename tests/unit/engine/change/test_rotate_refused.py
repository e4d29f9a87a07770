"""What a rotation refuses before a value is begun with: nothing is asked of any host, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.rotate import RotateWords, require_service, rotate
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.site.policies import Policies
from tests.unit.support.application_values import with_applications
from tests.unit.support.site_values import memory_site

REASON = "the owner said so on the phone"
ROTATIONS = tuple((module, found) for module in all_modules() for found in module.rotations)


def begin(words: RotateWords) -> None:
    """Rotate on a site whose modules are frozen; a workspace that is asked for more than its site fails."""
    frozen = Policies(freeze=frozenset({"redis", "galera"}))
    workspace: Any = SimpleNamespace(site=replace(memory_site(), policies=frozen))
    rotate(workspace, words)


@pytest.mark.parametrize("lifted", [(), ("redis",), ("redis-proxy",)])
def test_all_that_is_frozen_is_asked_for_at_once(lifted: tuple[str, ...]) -> None:
    words = RotateWords("redis", 0, 60, lifted=lifted, reason=REASON if lifted else "")
    with pytest.raises(RefusedError, match="redis and redis-proxy are frozen") as caught:
        begin(words)
    assert "--lift-freeze redis --lift-freeze redis-proxy" in str(caught.value)


def test_a_lift_needs_a_reason_and_a_module_of_this_rotation() -> None:
    with pytest.raises(UsageError, match="needs --reason"):
        begin(RotateWords("mariadb-app", 0, 60, lifted=("galera", "proxysql")))
    with pytest.raises(UsageError, match="does not touch that module"):
        begin(RotateWords("mariadb-app", 0, 60, lifted=("redis",), reason=REASON))


def test_a_value_that_is_alone_can_not_be_kept() -> None:
    for _, rotation in ROTATIONS:
        if rotation.refused:
            with pytest.raises(RefusedError, match="is not rotated by kbz"):
                require_service(memory_site(), rotation.service, keep_old=True)
        elif rotation.keeps_old:
            require_service(memory_site(), rotation.service, keep_old=True)
        else:
            with pytest.raises(UsageError, match="one value at a time"):
                require_service(memory_site(), rotation.service, keep_old=True)


def test_an_account_of_an_application_is_a_service_of_its_own() -> None:
    site = with_applications()
    require_service(site, "mariadb-user-erp_b", keep_old=True)
    with pytest.raises(UsageError, match="one value at a time"):
        require_service(site, "postgres-user-shop", keep_old=True)
    with pytest.raises(UsageError, match="did you mean") as caught:
        require_service(site, "postgres-user-shp")
    assert "postgres-user-shop" in str(caught.value)
    with pytest.raises(UsageError, match="there is no rotation"):
        require_service(memory_site(), "postgres-user-shop")


def test_every_service_has_a_name_and_a_credential_of_its_own() -> None:
    assert len({rotation.service for _, rotation in ROTATIONS}) == len(ROTATIONS)
    assert len({rotation.credential for _, rotation in ROTATIONS}) == len(ROTATIONS)
    names = {module.name for module in all_modules()}
    assert {name for _, rotation in ROTATIONS for name in rotation.followers} <= names


def test_the_page_says_of_every_service_what_becomes_of_it() -> None:
    page = (Path(__file__).parents[4] / "docs/credentials.md").read_text()
    assert [r.service for _, r in ROTATIONS if f"`{r.service}`" not in page] == []
