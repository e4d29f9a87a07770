"""What a rotation refuses before a value is begun with: nothing is asked of any host, and nothing is written."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.rotate import (
    RotateWords,
    _require_quiet,
    _rotating,
    require_service,
    rotate,
)
from keybuzz.engine.look.observe import Snapshot
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.rotations import offered
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Plan
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies, parse_policies
from keybuzz.site.site import Site
from tests.unit.support.application_values import with_applications
from tests.unit.support.site_values import memory_site

ROOT = Path(__file__).parents[4]
REASON = "the owner said so on the phone"
ROTATIONS = tuple((module, found) for module in all_modules() for found in module.rotations)


def begin(words: RotateWords) -> None:
    """Rotate on a site whose modules are frozen; a workspace that is asked for more than its site fails."""
    frozen = Policies(freeze=("redis", "galera"))
    workspace: Any = SimpleNamespace(site=replace(memory_site(), policies=frozen))
    rotate(workspace, words)


def test_a_member_in_maintenance_is_not_rotated_over() -> None:
    now = datetime.now(UTC)
    entry = Maintenance("redis-02", "a new disk", now, now + timedelta(hours=4))
    site = replace(memory_site(), policies=Policies(maintenance=(entry,)))
    workspace: Any = SimpleNamespace(site=site, clock=time.time)
    with pytest.raises(RefusedError, match=r"in maintenance until .* needs every member") as caught:
        rotate(workspace, RotateWords("redis", 0, 60))
    assert caught.value.where == "redis-02"


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
                require_service(memory_site(), rotation.service, (), keep_old=True)
        elif rotation.keeps_old:
            require_service(memory_site(), rotation.service, (), keep_old=True)
        else:
            with pytest.raises(UsageError, match="one value at a time"):
                require_service(memory_site(), rotation.service, (), keep_old=True)


def test_an_account_of_an_application_is_a_service_of_its_own() -> None:
    site = with_applications()
    require_service(site, "mariadb-user-erp_b", (), keep_old=True)
    with pytest.raises(UsageError, match="one value at a time"):
        require_service(site, "postgres-user-shop", (), keep_old=True)
    with pytest.raises(UsageError, match="did you mean") as caught:
        require_service(site, "postgres-user-shp", ())
    assert "postgres-user-shop" in str(caught.value)
    with pytest.raises(UsageError, match="there is no rotation"):
        require_service(memory_site(), "postgres-user-shop", ())


def test_every_service_has_a_name_and_a_credential_of_its_own() -> None:
    assert len({rotation.service for _, rotation in ROTATIONS}) == len(ROTATIONS)
    assert len({rotation.credential for _, rotation in ROTATIONS}) == len(ROTATIONS)
    names = {module.name for module in all_modules()}
    assert {name for _, rotation in ROTATIONS for name in rotation.followers} <= names


def test_the_page_says_of_every_service_what_becomes_of_it() -> None:
    page = (ROOT / "docs/credentials.md").read_text()
    assert [r.service for _, r in ROTATIONS if f"`{r.service}`" not in page] == []


def frozen_site(site: Site) -> Site:
    """Return the site with the freezes of the real policies.yaml."""
    catalogue = tuple(group.name for group in site.catalogue.groups)
    text = (ROOT / "inventory/policies.yaml").read_bytes()
    return replace(site, policies=parse_policies(text, "policies.yaml", catalogue))


def test_the_page_names_the_lifts_of_every_rotation() -> None:
    table = {}
    for line in (ROOT / "docs/credentials.md").read_text().splitlines():
        cells = line.strip("|").split(" | ")
        if line.startswith("| `") and len(cells) == 5:
            for service in re.findall(r"`([\w-]+)`", cells[0]):
                table[service] = tuple(re.findall(r"`([\w-]+)`", cells[1]))
    site = frozen_site(with_applications())
    told = {re.sub(r"-user-\w+", "-user-NAME", k.rotation.service): k.frozen for k in offered(site)}
    assert table == told


def test_what_is_always_refused_is_never_offered() -> None:
    refused = {rotation.service for _, rotation in ROTATIONS if rotation.refused}
    assert refused
    assert {known.rotation.service for known in offered(memory_site())}.isdisjoint(refused)
    with pytest.raises(UsageError) as caught:
        require_service(memory_site(), "mariadb", ())
    assert not any(name in str(caught.value) for name in refused)


def test_a_lift_is_asked_for_before_the_name_and_before_any_value() -> None:
    site = frozen_site(memory_site())
    with pytest.raises(RefusedError, match="redis and redis-proxy are frozen"):
        require_service(site, "redis", ())
    require_service(site, "redis", ("redis", "redis-proxy"))
    require_service(site, "postgres-app", ())


@pytest.mark.parametrize(
    ("module", "rotation"), ROTATIONS, ids=[rotation.service for _, rotation in ROTATIONS]
)
def test_two_passwords_at_once_end_no_rotation_on_its_way(module: Module, rotation: Any) -> None:
    """A run refuses such a cluster before its first stage; a rotation comes through that state by itself."""

    def refuse(live: Live) -> None:
        raise RefusedError("it has another password beside the one of the store")

    rotating = _rotating(replace(module, foreign=refuse), rotation)
    live: Any = SimpleNamespace()
    rotating.foreign(live)
    assert rotating.next_stage is rotation.next_stage


def test_a_fault_that_the_rotation_ends_does_not_hold_it_back() -> None:
    """A password that everybody knows: a run cannot end it where the store has it too."""
    [(module, rotation)] = ((m, r) for m, r in ROTATIONS if r.service == "proxysql-admin")
    known = {info.id for info in module.check_infos}
    assert set(rotation.ends) <= known
    found = Survey(
        (module,),
        frozenset(),
        {},
        Snapshot({}, {}),
        Plan({}),
        (
            Finding(
                "proxysql.default-login", Level.CRITICAL, "admin:admin is let in", "proxysql-01"
            ),
        ),
        (),
    )
    _require_quiet(found, rotation.ends)
    other = replace(found.findings[0], check="proxysql.listens")
    with pytest.raises(RefusedError, match=r"proxysql\.listens"):
        _require_quiet(replace(found, findings=(*found.findings, other)), rotation.ends)
