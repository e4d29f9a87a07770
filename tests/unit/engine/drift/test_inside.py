"""Strays inside clusters: each once, by a name that stays the same, and unseen where no member says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift import inside
from keybuzz.engine.look.observe import Observation, Snapshot
from keybuzz.engine.look.survey import Survey
from keybuzz.model.core.plan import Plan
from keybuzz.model.core.reading import Answer
from tests.unit.support.site_values import memory_site

MODULES = {module.name: module for module in all_modules()}
RABBITMQ = "rabbitmq.inside"
QUEUES = ("queue-01", "queue-02", "queue-03")
PROXIES = ("proxysql-01", "proxysql-02")
LAYERS = ("main.mysql_users", "disk.mysql_users", "main.runtime_mysql_users")


def survey(module: str, answers: Mapping[str, Answer]) -> Survey:
    seen = {host: Observation({}, {answer.name: answer}) for host, answer in answers.items()}
    chosen = frozenset(answers)
    return Survey((MODULES[module],), chosen, {}, Snapshot(seen, {}), Plan({}), (), ())


def names(*users: str) -> Answer:
    return Answer(RABBITMQ, {"users": dict.fromkeys(users, ()), "vhosts": ["/"], "rules": {}})


def found(asked: Survey) -> dict[str, str]:
    return {item.identity: item.what for item in inside.items(memory_site(), asked)}


def test_a_clusters_stray_is_one_whichever_members_name_it() -> None:
    asked = survey("rabbitmq", {host: names("kb_rmq", "bob") for host in QUEUES})
    assert list(found(asked)) == ["stray/rabbitmq/user:bob"]
    assert "describe it in applications.yaml" in found(asked)["stray/rabbitmq/user:bob"]
    kinds = ("user", "vhost", "policy", "operator-policy", "limit", "tracing")
    assert set(inside.looked(memory_site(), asked)) == {f"stray/rabbitmq/{kind}:" for kind in kinds}


def test_where_no_member_says_nothing_was_looked_at() -> None:
    """What was known there is then unseen, and not gone."""
    asked = survey("rabbitmq", {host: Answer(RABBITMQ, problem="refused") for host in QUEUES})
    assert found(asked) == {}
    assert list(inside.looked(memory_site(), asked)) == []
    assert list(inside.problems(memory_site(), asked)) == [
        "rabbitmq: stray users and stray vhosts were not looked for: refused"
    ]


def test_one_member_that_says_is_enough_for_a_cluster() -> None:
    silent = {host: Answer(RABBITMQ, problem="refused") for host in QUEUES[1:]}
    asked = survey("rabbitmq", {QUEUES[0]: names("kb_rmq"), **silent})
    assert list(inside.problems(memory_site(), asked)) == []


def test_a_statement_that_was_refused_is_not_looked_at() -> None:
    rows = {f"SELECT DISTINCT username FROM {place}": {"error": "denied"} for place in LAYERS}
    answer = Answer("proxysql.inside", {"denied": "", "rows": rows})
    asked = survey("proxysql", dict.fromkeys(PROXIES, answer))
    assert list(inside.problems(memory_site(), asked)) == [
        f"{host}: stray users were not looked for: the answer says nothing of them"
        for host in PROXIES
    ]


def test_each_host_of_proxysql_has_its_own() -> None:
    rows = {f"SELECT DISTINCT username FROM {place}": [["erp_old"]] for place in LAYERS}
    answer = Answer("proxysql.inside", {"denied": "", "rows": rows})
    asked = survey("proxysql", dict.fromkeys(PROXIES, answer))
    assert list(found(asked)) == [f"stray/{host}/user:erp_old" for host in PROXIES]


def test_what_a_host_says_is_made_visible_and_has_an_end() -> None:
    asked = survey("rabbitmq", {"queue-01": names("a\x1b[2Jb\n", "x" * 500)})
    assert all(identity.isprintable() and len(identity) < 200 for identity in found(asked))
    many = survey("rabbitmq", {"queue-01": names(*(f"u{n}" for n in range(5000)))})
    assert len(found(many)) == 200
    assert list(inside.looked(memory_site(), many)) == [], "who is not listed is not gone"
    assert list(inside.problems(memory_site(), many)) == [
        "rabbitmq: more stray users and stray vhosts than are listed"
    ]


@pytest.mark.parametrize("name", ["patroni", "galera", "proxysql", "rabbitmq", "minio"])
def test_only_members_are_asked_and_only_to_look(name: str) -> None:
    module = MODULES[name]
    site = memory_site()
    member = site.members(module.group)[0].name
    asked = inside.asked(site, member, MODULES.values())
    readings = asked[f"inside {name}"].readings
    assert readings
    assert not asked[f"inside {name}"].resources
    assert inside.asked(site, "install-01", MODULES.values()) == {}
