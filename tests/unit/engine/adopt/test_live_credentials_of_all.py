"""No run changes a live credential that is another than the store's, of no module: refused, with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from keybuzz.engine.adopt.credentials import require_same
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import Action, Change, Difference, State
from keybuzz.model.core.resource import Resource
from keybuzz.model.inventory.server import Server
from keybuzz.site.credentials.schema import schema
from keybuzz.site.module import Module
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.healthy import of_module

SITE = memory_site()
BY_ROLLOUT = {
    "REDIS_PASSWORD": "tasks/redis: Redis says WRONGPASS (test_rollout_redis)",
    "MINIO_ROOT_PASSWORD": "tasks/minio: the root user is not let in (test_rollout_minio)",
    "MARIADB_ROOT_PASSWORD": "tasks/galera: root is not let in (test_rollout_galera)",
    "PROXYSQL_ADMIN_PASSWORD": "tasks/proxysql: the administrator is not let in (test_rollout_proxysql)",
    "RABBITMQ_ERLANG_COOKIE": "tasks/rabbitmq: the cookie beside data (test_rollout_rabbitmq)",
}
"""Refused by the module's own rollout, from what the service answers."""
NOT_CHANGED = {
    "REDIS_SENTINEL_PASSWORD": "Sentinels are asked without one, and none is described for them",
    "BACKUP_KEY": "a repository opens with the key that it was made with, and no step gives it another",
    "MARIADB_SST_PASSWORD": "state transfers go by rsync: no account has it",
}
"""No step of a run could change the live one."""


@dataclass(frozen=True)
class Proven:
    """One described resource that proves a credential of a live service."""

    module: Module
    server: Server
    resource: Resource

    def __str__(self) -> str:
        return f"{self.module.name}-{self.resource.identity}"


def proven() -> Iterator[Proven]:
    """Yield one of each module and credential."""
    seen = set()
    for module in all_modules():
        for server in SITE.members(module.group):
            description = module.describe(SITE, server)
            for resource in (*description.resources, *description.cluster):
                credential = resource.credential
                if credential is None or (module.name, credential.name) in seen:
                    continue
                seen.add((module.name, credential.name))
                yield Proven(module, server, resource)


PROVEN = list(proven())


def live_with(item: Proven, change: Change) -> Live:
    state = State(item.resource.identity, True)
    view = HostView(item.server, {state.identity: state}, {}, (change,), (item.resource,))
    name = item.server.name
    return Live(item.module.name, (item.server,), {name: view}, {}, frozenset({name}))


@pytest.mark.parametrize("item", PROVEN, ids=str)
def test_a_run_refuses_another_live_credential_and_says_the_way_out(item: Proven) -> None:
    credential = item.resource.credential
    assert credential is not None
    for proof in item.resource.credential_proofs:
        wrong = (Difference(proof, False, True), Difference("another", "x", "y"))
        change = Change(item.server.name, item.module.name, item.resource, Action.UPDATE, wrong)
        with pytest.raises(RefusedError) as refused:
            require_same(item.module, live_with(item, change), SITE)
        assert f"another credential than the store's {credential.name}" in refused.value.what
        assert "a run never changes one" in refused.value.what
        assert refused.value.where == item.server.name
        stored = next(one for one in schema() if one.name == credential.name)
        assert (
            f"{SITE.settings.credentials / stored.file} as {credential.name}" in refused.value.hint
        )
        assert f"kbz secrets rotate {stored.service}" in refused.value.hint
        if any(place.credential == credential.name for place in item.module.places):
            assert f"kbz adopt {item.module.name} --take-credentials" in refused.value.hint
        assert credential.reveal() not in f"{refused.value} {refused.value.hint}"


def test_every_secret_of_the_store_is_guarded() -> None:
    """A new secret must say how a run keeps from changing the live one: a resource, or BY_ROLLOUT of its tests."""
    kinds = {item.resource.credential.name for item in PROVEN if item.resource.credential}
    told = [of_module(module.name, "BY_ROLLOUT") or {} for module in all_modules()]
    groups = (kinds, BY_ROLLOUT, NOT_CHANGED, *told)
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(item.name for item in schema() if item.secret)


@pytest.mark.parametrize("name", NOT_CHANGED)
def test_what_no_account_has_is_proven_by_no_login(name: str) -> None:
    """Else `kbz adopt --take-credentials` leaves the live value: the login is refused, with the right one too."""
    for module in all_modules():
        for rotation in module.rotations:
            if rotation.credential == name:
                assert [rotation.logins(SITE, one) for one in SITE.members(module.group)] == [
                    () for _ in SITE.members(module.group)
                ]
