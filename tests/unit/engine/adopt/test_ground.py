"""What a sweep of a host forbids: another installation, two generations, a taken port, what cannot be proven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from keybuzz.engine.adopt.ground import READING, judge_ground
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.ground import Ground

GROUND = Ground(("redis",), ("/opt/own",), (6379,), ("/var/lib/redis",))
OWN = ("redis", "/opt/own/data", "RDB 11", "container redis")
OTHER = ("redis", "/srv/x", "RDB 12", "volume 1234")


def judge(
    found: Sequence[Any] = (),
    listening: Sequence[Any] = (),
    problems: Sequence[str] = (),
    *,
    present: bool = False,
    beside: Sequence[Any] = (),
) -> str:
    value = {"found": list(found), "listening": list(listening), "problems": list(problems)}
    other = {"found": [], "listening": list(beside), "problems": []}
    answers = {"a": Answer(READING, value), "b": Answer(READING, other)}
    described = {"a": ["redis"], "b": ["redis"]}
    there = {"a": ["redis"] if present else [], "b": ["redis"]}
    try:
        judge_ground("redis", GROUND, answers, described, there)
    except RefusedError as error:
        return error.what
    return ""


def test_what_is_where_it_is_described_forbids_nothing() -> None:
    assert judge() == ""
    assert judge([OWN]) == ""
    assert judge([OWN], [(6379, "redis-server")]) == ""
    assert judge([], [(6379, "redis-server")], present=True) == "", "it has written nothing yet"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            judge([OTHER]),
            "data of another installation is there: redis in /srv/x (RDB 12, volume 1234)",
        ),
        (judge([OWN, OTHER]), "two generations of data are there, and none serves"),
        (judge([(*OWN[:3], "container kb-old")]), "another container has its data"),
        (judge([], [(6379, "redis-server")]), "port 6379 is taken by redis-server"),
        (judge([], [(6379, "")]), "port 6379 is taken by a program that cannot be told"),
        (judge([], [], ["/srv: no way"]), "that it holds no data cannot be proven: /srv: no way"),
    ],
)
def test_another_installation_is_refused_with_what_and_where(said: str, why: str) -> None:
    assert said.startswith(why)
    assert said.endswith("nothing was installed")


def test_an_old_volume_does_not_hinder_a_cluster_that_serves() -> None:
    assert judge([OWN, OTHER], [(6379, "redis-server")]) == ""
    assert judge([OWN, OTHER], beside=[(6379, "redis-server")]) == "", (
        "its own data is the cluster's"
    )
    assert judge([OTHER], beside=[(6379, "redis-server")]), (
        "a member without data may not join over old data"
    )


def test_a_host_that_does_not_answer_proves_nothing() -> None:
    answers = {"a": Answer(READING, problem="gone")}
    with pytest.raises(RefusedError, match="cannot be told: gone"):
        judge_ground("redis", GROUND, answers, {"a": []}, {"a": []})


def test_every_module_with_data_says_how_it_is_recognised() -> None:
    with_ground = {module.name for module in all_modules() if module.ground is not None}
    assert with_ground == {"redis", "patroni", "rabbitmq", "minio", "galera"}
    without = {m.name for m in all_modules() if m.virgin is not None} - with_ground
    assert without <= {"k3s", "proxysql", "postgres-proxy", "redis-proxy", "rabbitmq-proxy"}
