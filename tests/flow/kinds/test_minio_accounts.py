"""Users of applications in MinIO, against the lab's stand-in: each gets into its own buckets, and nowhere else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from minio import Minio
from minio.error import S3Error

from keybuzz.agent.readings import table as readings
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.engine.look.planning import change_of
from keybuzz.model.core.plan import State
from keybuzz.model.core.secret import DigestKey, Secret
from tasks.minio.agent import accounts as kind
from tasks.minio.agent import minio as buckets
from tasks.minio.service.resources import (
    MinioAccess,
    MinioBucket,
    MinioBuckets,
    MinioLogin,
    MinioNoUser,
    MinioUser,
)
from tests.flow.servers.minio_server import NODES, PASSWORD, USER, Trio, trio, until

CONTEXT: Any = SimpleNamespace()
KEY = "PlantedNeedle-shop-1"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    with trio(tmp_path_factory.mktemp("minio"), *NODES) as made:
        for name in ("shop-files", "shop-more", "erp-files"):
            buckets.write_minio_bucket(
                MinioBucket(access(made), name, versioned=False).order(), CONTEXT
            )
        yield made


def access(nodes: Trio, node: int = 1, user: str = USER, key: str = PASSWORD) -> MinioAccess:
    return MinioAccess("127.0.0.1", user, Secret("P", key), nodes.ports[node])


def shop(nodes: Trio, key: str = KEY, of: tuple[str, ...] = ("shop-files",)) -> MinioUser:
    return MinioUser(access(nodes), "shop", Secret("K", key), of, "shop")


def differing(user: MinioUser) -> set[str] | None:
    """Return which attributes are not as wanted; None when all are."""
    found = kind.read_minio_user(user.query(), CONTEXT)
    attributes = {n: tuple(v) if isinstance(v, list) else v for n, v in found["attributes"].items()}
    state = State(user.identity, found["present"], attributes)
    change = change_of("minio-01", "minio", user, state, DigestKey(b"k" * 32))
    return {item.attribute for item in change.differences} if change is not None else None


def client(nodes: Trio, key: str = KEY, node: int = 2) -> Minio:
    place = f"127.0.0.1:{nodes.ports[node]}"
    pool = urllib3.PoolManager(retries=False, timeout=10)
    return Minio(place, "shop", key, secure=False, http_client=pool)


def denied(act: Any) -> str:
    with pytest.raises(S3Error) as caught:
        act()
    return str(caught.value.code)


def test_a_user_gets_into_its_own_buckets_on_every_node_and_nowhere_else(nodes: Trio) -> None:
    user = shop(nodes)
    assert kind.read_minio_user(user.query(), CONTEXT)["present"] is False
    kind.write_minio_user(user.order(), CONTEXT)
    assert differing(user) is None
    own = client(nodes)
    own.put_object("shop-files", "a", io.BytesIO(b"x"), 1)
    assert own.get_object("shop-files", "a").data == b"x"
    assert [b.name for b in client(nodes, node=3).list_buckets()] == ["shop-files"]
    for act in (
        lambda: own.put_object("erp-files", "a", io.BytesIO(b"x"), 1),
        lambda: list(own.list_objects("erp-files")),
        lambda: own.make_bucket("another"),
        lambda: own.remove_bucket("shop-files"),
    ):
        assert denied(act) == "AccessDenied"


def test_one_bucket_more_is_a_change_of_its_policy_and_the_key_stays(nodes: Trio) -> None:
    kind.write_minio_user(shop(nodes).order(), CONTEXT)
    more = shop(nodes, of=("shop-files", "shop-more"))
    assert differing(more) == {"buckets"}
    kind.write_minio_user(more.order(), CONTEXT)
    assert differing(more) is None
    assert differing(shop(nodes)) == {"buckets"}, "a policy for more than is described is told"
    client(nodes).put_object("shop-more", "a", io.BytesIO(b"x"), 1)


def test_another_key_is_told_and_set_and_the_one_before_is_refused(nodes: Trio) -> None:
    kind.write_minio_user(shop(nodes).order(), CONTEXT)
    new = shop(nodes, "PlantedNeedle-shop-2")
    assert differing(new) == {"logs_in"}
    kind.write_minio_user(new.order(), CONTEXT)
    assert differing(new) is None
    assert denied(lambda: client(nodes).list_buckets()) == "SignatureDoesNotMatch"
    for key, accepted in (("PlantedNeedle-shop-2", True), (KEY, False)):
        login = MinioLogin("in", access(nodes, 3, "shop", key))
        assert readings.ask(login.query())["value"]["accepted"] is accepted


def test_what_the_node_does_not_take_is_an_error_without_the_key(nodes: Trio) -> None:
    for user in (
        shop(nodes, "short"),
        MinioUser(access(nodes), "ab", Secret("K", KEY), ("shop-files",)),
        MinioUser(access(nodes), USER, Secret("K", KEY), ("shop-files",)),
    ):
        with pytest.raises(AgentError, match="MinIO answers 400") as caught:
            kind.write_minio_user(user.order(), CONTEXT)
        assert KEY not in str(caught.value)


def test_names_are_read_and_no_key_is_answered_and_one_can_be_removed(nodes: Trio) -> None:
    kind.write_minio_user(shop(nodes).order(), CONTEXT)
    answer = readings.ask(MinioBuckets("minio.inside", access(nodes, 3)).query())
    assert answer["value"]["users"] == ["shop"]
    assert {"shop-files", "erp-files"} <= set(answer["value"]["buckets"])
    assert KEY not in str(answer)
    gone = MinioNoUser(access(nodes), "shop")
    assert kind.read_minio_no_user(gone.query(), CONTEXT)["attributes"] == {"there": True}
    kind.write_minio_no_user(gone.order(), CONTEXT)
    assert kind.read_minio_no_user(gone.query(), CONTEXT)["attributes"] == {"there": False}
    assert denied(lambda: client(nodes).list_buckets()) == "InvalidAccessKeyId"
    with pytest.raises(AgentError, match="has a sign in its name that kbz does not send"):
        kind.write_minio_no_user(MinioNoUser(access(nodes), "a b").order(), CONTEXT)


def test_users_outlive_a_restart_of_all_and_a_drive_that_was_away(nodes: Trio) -> None:
    nodes.kill(3)
    kind.write_minio_user(shop(nodes).order(), CONTEXT)
    nodes.start(3)
    until(lambda: differing_at(nodes, 3) is None, "node 3 has the user")
    nodes.kill(*NODES)
    nodes.start(*NODES)
    until(lambda: differing_at(nodes, 2) is None, "the user is there after a restart")


def differing_at(nodes: Trio, node: int) -> set[str] | None:
    try:
        return differing(MinioUser(access(nodes, node), "shop", Secret("K", KEY), ("shop-files",)))
    except AgentError:
        return {"away"}
