"""No module shows a secret: in the repr of what it describes, in a plan, or in what `kbz render` writes (SEC-2)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.planning import plan_host
from keybuzz.model.core.plan import Plan, State
from keybuzz.model.core.record import plan_document, plan_text
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import MASK
from keybuzz.model.host.files import File
from keybuzz.site.module import Module
from tests.unit.support.site_values import PLANTED, described, memory_site, planted

SITE = memory_site()
NAMES = [module.name for module in all_modules()]
NEEDLES = (PLANTED, b64encode(PLANTED.encode()).decode()[:16], PLANTED.encode().hex())


def descriptions(name: str) -> dict[str, HostDescription]:
    return described(SITE, of_name(name))


def of_name(name: str) -> Module:
    return next(module for module in all_modules() if module.name == name)


def resources(name: str) -> Iterator[tuple[str, Resource]]:
    for host, found in descriptions(name).items():
        for description in found.modules.values():
            for resource in (*description.resources, *description.cluster):
                yield host, resource


def assert_clean(text: str, where: object) -> None:
    assert [needle for needle in NEEDLES if needle in text] == [], where


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_described_has_a_secret_in_its_repr_or_in_what_is_compared(
    name: str,
) -> None:
    for host, resource in resources(name):
        assert_clean(repr(resource), (host, resource.identity))
        assert_clean(str(resource.wanted(SITE.digest_key)), (host, resource.identity))
        assert_clean(resource.identity, host)
    for found in descriptions(name).values():
        assert_clean(repr(found), name)
        assert_clean(str(found), name)


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_shows_one_whatever_the_hosts_answer(name: str) -> None:
    """Nothing there, and everything there but different: a plan of both goes to text, JSON and the saved file."""
    for host, resource in resources(name):
        wanted = resource.wanted(SITE.digest_key)
        differs = State(resource.identity, True, dict.fromkeys(wanted, "different"), "text before")
        for state in (State(resource.identity, False), differs):
            changes = plan_host(host, name, (resource,), {state.identity: state}, SITE.digest_key)
            plan = Plan({host: changes})
            assert_clean(json.dumps(plan_document(plan)), resource.identity)
            assert_clean(plan_text(plan), resource.identity)
            assert_clean(repr(changes), resource.identity)


@pytest.mark.parametrize("name", NAMES)
def test_what_render_writes_is_masked_and_what_the_host_gets_is_not(name: str) -> None:
    for host, resource in resources(name):
        if isinstance(resource, File):
            assert_clean(resource.text.masked(), (host, resource.path))
            assert MASK not in resource.text.reveal(), (host, resource.path)


NO_LOGIN = {
    "k3s-token": "a node that joins again with the new value is the proof, and its stages wait for that",
    "mariadb-sst": "its account is for the node itself only, and kbz takes it away",
}
"""Why no login proves a password."""


@pytest.mark.parametrize("name", [name for name in NAMES if of_name(name).rotations])
def test_the_logins_of_rotations_hide_their_password(name: str) -> None:
    for rotation in of_name(name).rotations:
        for server in SITE.members(of_name(name).group):
            logins = rotation.logins(SITE, server)
            assert bool(logins) is (rotation.service not in NO_LOGIN)
            assert_clean(repr(logins), rotation.service)
            assert not logins or PLANTED in str([login.query() for login in logins])


def test_the_hunt_finds_a_secret_that_is_shown() -> None:
    name, resource = next(
        item for item in resources("patroni") if isinstance(item[1], File) and item[1].text.secret
    )
    assert isinstance(resource, File)
    assert planted("POSTGRES_SUPERPASS") in resource.text.reveal()
    shown = replace(resource, path=f"/tmp/{resource.text.reveal()[-400:]}{PLANTED}")
    with pytest.raises(AssertionError):
        assert_clean(repr(shown), name)
