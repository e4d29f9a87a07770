"""What `kbz apps remove-account` removes: one account that no file describes, and only that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change import remove_account
from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Resource
from keybuzz.site.module import Module
from tests.unit.support.application_values import with_applications
from tests.unit.support.site_values import described

MODULES = {module.name: module for module in all_modules()}
SITE = with_applications()
NAMES = {
    "patroni": ("bob", "postgres-no-role:bob"),
    "galera": ("bob@10.0.0.9", "mysql-no-user:bob@10.0.0.9"),
    "proxysql": ("bob", "proxysql-no-user:bob"),
    "rabbitmq": ("bob", "rabbitmq-no-user:bob"),
    "minio": ("bob", "minio-no-user:bob"),
}
ROLES = (
    '{"role": {"kb_admin": "superuser", "shop": "role", "bob": "role"}, "database": {"old": "y"}}'
)


def removing(name: str, account: str) -> Module:
    module = MODULES[name]
    assert module.inside is not None
    return remove_account._removing(SITE, module, module.inside, account)


def resources(found: HostDescription, module: Module) -> tuple[Resource, ...]:
    own = found.modules[module.name]
    return (*own.resources, *own.cluster)


@pytest.mark.parametrize("name", NAMES)
def test_the_module_is_described_with_one_wish_more(name: str) -> None:
    account, identity = NAMES[name]
    module = removing(name, account)
    plain = described(SITE, MODULES[name])
    for host, found in described(SITE, module).items():
        more = [r for r in resources(found, module) if r not in resources(plain[host], module)]
        assert [r.identity for r in more] == [identity]
        assert more[0].wanted(SITE.digest_key) == {"there": False}


def live(module: Module, *changed: Resource) -> Live:
    server = SITE.members(module.group)[0]
    changes = tuple(Change(server.name, module.name, r, Action.UPDATE) for r in changed)
    view = HostView(server, {}, {}, changes)
    return Live(module.name, (server,), {server.name: view}, {}, frozenset({server.name}))


@pytest.mark.parametrize("name", NAMES)
def test_its_one_stage_removes_the_account_and_anything_else_is_refused(name: str) -> None:
    account, identity = NAMES[name]
    module = removing(name, account)
    every = resources(next(iter(described(SITE, module).values())), module)
    wish = next(r for r in every if r.identity == identity)
    other = next(r for r in every if r.identity != identity)
    stage = module.next_stage(live(module, wish))
    assert stage is not None
    assert [change.identity for change in stage.changes] == [identity]
    assert module.next_stage(live(module)) is None
    with pytest.raises(RefusedError, match="is not as described; accounts are removed from a"):
        module.next_stage(live(module, wish, other))


def answered(stdout: str, unreachable: dict[str, str] | None = None) -> Any:
    answer = Answer("patroni.inside", {"exit_code": 0, "stdout": stdout, "stderr": ""})
    seen = {"db-master-01": SimpleNamespace(answers={"patroni.inside": answer})}
    snapshot = SimpleNamespace(unreachable=unreachable or {}, observations=seen)
    return SimpleNamespace(snapshot=snapshot, modules=(MODULES["patroni"],))


def require(name: str, found: Any) -> None:
    remove_account._require_undescribed(SITE, found, MODULES["patroni"], name)


def test_only_an_account_that_is_there_and_no_file_describes_may_go() -> None:
    require("bob", answered(ROLES))
    for name in ("shop", "kb_admin", "bobb", "old", "postgres"):
        with pytest.raises(RefusedError, match="only what no file describes is removed") as caught:
            require(name, answered(ROLES))
        assert "bob" in str(caught.value)


def test_nothing_is_removed_where_a_member_cannot_be_asked_or_says_nothing() -> None:
    with pytest.raises(RefusedError, match="no member says which accounts there are"):
        require("bob", answered("no"))
    with pytest.raises(RefusedError, match="cannot be asked: away"):
        require("bob", answered(ROLES, {"db-slave-01": "away"}))


def test_a_module_without_accounts_is_refused_with_those_that_have_some() -> None:
    for name in ("redis", "base", "patrony"):
        with pytest.raises(UsageError, match=f"{name} has no accounts that kbz removes"):
            remove_account.require_module(name)
    assert remove_account.require_module("rabbitmq").name == "rabbitmq"
