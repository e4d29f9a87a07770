"""A rotation reaches every host that keeps the value: one that goes on with the old value fails at its next login."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.rotations import Known, offered
from keybuzz.model.core.resource import Resource
from keybuzz.site.credentials.accounts import find
from keybuzz.site.site import Site
from tests.unit.support.site_values import memory_nornir, memory_site, with_secrets

SITE = memory_site()
BY_HAND = {
    "postgres-app": {
        "postgres-proxy": "the application's own module: docs/credentials.md says when"
    },
}
"""Modules that hold a value and are run by the operator, and why."""


def kept(site: Site, group: str) -> dict[tuple[str, str], Resource]:
    """Return what a host of the group keeps of its own, by module and identity; what is inside a cluster is not it."""
    server = site.members(group)[0].name
    one = memory_nornir(site).filter(filter_func=lambda host: host.name == server)
    found = describe_all(one, all_modules())[server]
    return {
        (name, resource.identity): resource
        for name, description in found.modules.items()
        for resource in description.resources
    }


def holders(known: Known) -> set[str]:
    """Return the modules whose hosts are described otherwise once the value is another."""
    name = known.rotation.credential
    item = find(name)
    assert item is not None
    other = with_secrets(SITE, {name: "AnotherValueThatIsLongEnough"})
    found: set[str] = set()
    for group in item.consumers:
        before, after = kept(SITE, group), kept(other, group)
        assert before.keys() == after.keys()
        found |= {
            place[0]
            for place, resource in before.items()
            if resource.wanted(SITE.digest_key) != after[place].wanted(SITE.digest_key)
        }
    return found


@pytest.mark.parametrize("known", offered(SITE), ids=lambda known: known.rotation.service)
def test_every_host_that_keeps_the_value_takes_the_new_one(known: Known) -> None:
    by_hand = BY_HAND.get(known.rotation.service, {})
    assert holders(known) - set(known.changes) == set(by_hand)


def test_barmans_password_file_takes_the_replication_password() -> None:
    [known] = [item for item in offered(SITE) if item.rotation.service == "postgres-replication"]
    assert "backup" in holders(known)
    assert known.changes == ("patroni", "backup")


def test_a_follower_without_a_host_is_passed_over() -> None:
    others = tuple(server for server in SITE.servers if "backup" not in server.groups)
    assert len(others) < len(SITE.servers)
    found = offered(replace(SITE, servers=others))
    [known] = [item for item in found if item.rotation.service == "postgres-replication"]
    assert known.changes == ("patroni",)
