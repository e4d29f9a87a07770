"""What a sweep of a host forbids: another installation, two generations, a taken port, what cannot be proven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from keybuzz.agent.host.data_marks import serving
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


WITHOUT = {
    "backup": "copies of what other hosts serve, in a folder of its own",
    "base": "a server itself: nothing of it is a cluster's",
    "minio-client": "a program and its alias, on the controller",
}
"""Modules whose first run can meet no data of an earlier service."""


def test_every_module_says_how_what_is_there_before_it_is_recognised() -> None:
    assert {m.name for m in all_modules() if m.ground is None} == set(WITHOUT)


GROUNDS = [(m.name, m.ground) for m in all_modules() if m.ground is not None]


@pytest.mark.parametrize(("name", "ground"), GROUNDS, ids=[name for name, _ in GROUNDS])
def test_virgin_means_proven_empty_for_every_module_alike(name: str, ground: Ground) -> None:
    """The same questions to each module: data elsewhere, another's ports, no proof, no answer, its own."""
    assert ground.kinds
    assert ground.own
    assert ground.ports

    def asked(
        found: Sequence[Any] = (),
        listening: Sequence[Any] = (),
        problems: Sequence[str] = (),
        described: Sequence[str] = ("ours",),
        present: Sequence[str] = (),
    ) -> str:
        value = {"found": list(found), "listening": list(listening), "problems": list(problems)}
        with pytest.raises(RefusedError) as error:
            judge_ground(
                name, ground, {"a": Answer(READING, value)}, {"a": described}, {"a": present}
            )
        assert error.value.where == "a"
        assert error.value.hint
        return error.value.what

    for kind in ground.kinds:
        for holder in (
            ("container kb-old", "volume 0123") if kind not in serving() else ("container kb-old",)
        ):
            said = asked([(kind, "/srv/old", "identity", holder)])
            assert f"{kind} in /srv/old (identity, {holder})" in said
        assert "another container" in asked([(kind, ground.own[0], "x", "container kb-old")])
    for port in ground.ports:
        assert f"port {port} is taken by other" in asked([], [(port, "other")])
    assert "cannot be proven" in asked([], [], ["/srv: no way"])
    with pytest.raises(RefusedError, match="cannot be told"):
        judge_ground(name, ground, {"a": Answer(READING, problem="gone")}, {"a": ()}, {"a": ()})
    mine = (ground.kinds[0], ground.own[0], "x", "container ours")
    served = [(ground.ports[0], "own")]
    value = {"found": [mine], "listening": served, "problems": []}
    judge_ground(name, ground, {"a": Answer(READING, value)}, {"a": ["ours"]}, {"a": ["ours"]})


def test_an_old_configuration_of_the_described_container_is_no_hindrance() -> None:
    """The owner's HAProxy has the described name, and another folder: a run replaces it."""
    ground = Ground(("haproxy",), ("/opt/own",), (5432,))
    value = {
        "found": [("haproxy", "/etc/haproxy", "listens on 5432", "container haproxy")],
        "listening": [(5432, "haproxy")],
        "problems": [],
    }
    answers = {"a": Answer(READING, value)}
    judge_ground("x", ground, answers, {"a": ["haproxy"]}, {"a": ["haproxy"]})
    with pytest.raises(RefusedError, match="is set up for its ports: haproxy in /etc") as error:
        judge_ground("x", ground, answers, {"a": ["lb"]}, {"a": []})
    assert "-- docker stop haproxy, " in error.value.hint
    assert "-- docker rm haproxy: " in error.value.hint
