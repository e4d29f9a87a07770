"""Which way an upgrade goes, from what versions.yaml says and what is remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import named_only
from keybuzz.engine.upgrade.record import Record
from keybuzz.engine.upgrade.tables import Meant, meant
from keybuzz.engine.upgrade.ways import between, has_begun, way_back, way_on
from keybuzz.model.core.errors import NothingToDoError, RefusedError
from keybuzz.site.site import Site
from keybuzz.site.versions import Entry
from tests.unit.support.scripted_hosts import SITE, fleet

FORMER, TARGET, LATER = "redis:7.2.5-alpine", "redis:7.4.1-alpine", "redis:7.4.2-alpine"
BEGUN = Record("redis", TARGET, FORMER, {"redis": Entry()})


def says(reference: str, digest: str = "") -> Site:
    """Return the site whose versions.yaml says this of Redis."""
    version = replace(SITE.versions["redis"], frozen=FORMER, reference=reference, digest=digest)
    return replace(SITE, versions={**SITE.versions, "redis": version})


def redis(site: Site, tag: str = "7.4.2-alpine") -> Meant:
    """Return what is meant by an upgrade of Redis."""
    [module] = named_only(("redis",))
    return meant(site, module, fleet(), tag, "")


def on(reference: str, known: Record | None, target: str) -> Record:
    """Return the way on to a target."""
    site = says(reference)
    return way_on(site, redis(site), known, "redis", target)


@pytest.mark.parametrize("reference", ["redis:7.4.9-alpine", "redis:8.0.1-alpine"])
@pytest.mark.parametrize("done", [True, False])
def test_nothing_is_undone_that_another_hand_has_changed_since(
    reference: str, *, done: bool
) -> None:
    site = says(reference)
    with pytest.raises(RefusedError, match="it was changed since"):
        way_back(site, redis(site), replace(BEGUN, done=done))


@pytest.mark.parametrize("reference", [FORMER, TARGET])
def test_what_has_begun_can_be_undone_from_either_reference(reference: str) -> None:
    site = says(reference)
    assert way_back(site, redis(site), BEGUN) == BEGUN


def test_an_upgrade_that_does_not_come_up_goes_on_with_a_later_release_and_keeps_its_former() -> (
    None
):
    assert on(TARGET, BEGUN, LATER) == replace(BEGUN, target=LATER)
    assert on(TARGET, BEGUN, TARGET) == BEGUN
    assert on(TARGET, BEGUN, "redis:8.0.1-alpine").former == FORMER


@pytest.mark.parametrize("target", ["redis:7.4.0-alpine", "redis:9.0.0-alpine", FORMER])
def test_it_goes_on_with_nothing_that_one_of_its_members_may_not_take(target: str) -> None:
    with pytest.raises(RefusedError, match="has begun and is not complete"):
        on(TARGET, BEGUN, target)


def test_a_later_release_must_be_a_step_for_the_members_that_still_run_the_former() -> None:
    begun = Record("rabbitmq", "rabbitmq:3.13.7-management", "rabbitmq:3.12.14-management", {})
    version = replace(SITE.versions["rabbitmq"], reference=begun.target)
    site = replace(SITE, versions={**SITE.versions, "rabbitmq": version})
    [module] = named_only(("rabbitmq",))
    found = meant(site, module, fleet(), "4.0.5-management", "rabbitmq")
    with pytest.raises(RefusedError, match="skips no series"):
        way_on(site, found, begun, "rabbitmq", "4.0.5-management")


def test_a_record_counts_only_while_versions_yaml_says_its_target_and_it_is_not_done() -> None:
    found = redis(SITE)
    assert has_begun(says(TARGET), found, BEGUN)
    assert not has_begun(says(FORMER), found, BEGUN)
    assert not has_begun(says(TARGET), found, BEGUN.ended())
    assert on(FORMER, BEGUN, LATER) == replace(BEGUN, target=LATER)
    past = on("redis:7.4.9-alpine", BEGUN, "redis:8.0.1-alpine")
    assert past.former == "redis:7.4.9-alpine"
    with pytest.raises(NothingToDoError, match="already"):
        on(TARGET, BEGUN.ended(), TARGET)


def test_a_locked_digest_is_no_part_of_the_tag() -> None:
    site = says(FORMER, f"sha256:{'a' * 64}")
    found = redis(site, "redis:7.4.1-alpine")
    record = way_on(site, found, None, "redis", "redis:7.4.1-alpine")
    assert (record.former, record.target) == (FORMER, TARGET)
    assert record.before["redis"].digest
    assert between(site, found, record) == {"redis": (FORMER, TARGET)}
