"""Qdrant on a real server, from a bare host to a new API key. The tests of this file build on each other, in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import ONE_LOOK, Kbz, bare_lab

pytestmark = pytest.mark.lab

HOST = "vector-db-01"
LIMIT = ("--limit", HOST)
RUN = ("run", "qdrant", *LIMIT, "--format", "json")
URL = "http://10.0.0.136:6333"


@pytest.fixture(scope="module")
def kbz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """One bare server, and fresh credentials."""
    with bare_lab(tmp_path_factory.mktemp("site"), "kbz-qdrant", *LIMIT) as made:
        yield made


def key(kbz: Kbz) -> str:
    return load_credentials(kbz.root / "credentials")["QDRANT_API_KEY"].reveal()


def status(kbz: Kbz, path: str, given: str = "") -> int:
    """Return the status of a request from the host, with this key or without one."""
    header = f"-H 'api-key: {given}'" if given else ""
    return int(kbz.on(HOST, f"curl -s -o /dev/null -w '%{{http_code}}' {header} {URL}{path}"))


def put(kbz: Kbz, path: str, body: str) -> None:
    kbz.on(HOST, f"curl -sf -X PUT -H 'api-key: {key(kbz)}' -d '{body}' '{URL}{path}'")


def started(kbz: Kbz) -> str:
    return kbz.on(HOST, "docker inspect -f '{{.Id}} {{.State.StartedAt}}' qdrant")


def test_a_bare_host_becomes_a_node_that_serves_with_its_key_only(kbz: Kbz) -> None:
    document = kbz.good(*RUN, timeout=900).json()
    assert {item["check"] for item in document["findings"]} >= {"qdrant.node.serves"}
    assert status(kbz, "/collections") == 401
    assert status(kbz, "/collections", key(kbz)) == status(kbz, "/readyz") == 200
    owner = kbz.on(
        HOST, "stat -c '%u %a' /opt/keybuzz/qdrant/storage /opt/keybuzz/qdrant/snapshots"
    )
    assert set(owner.splitlines()) == {"1000 750"}


def test_a_second_run_finds_nothing_and_all_leaves_it_out(kbz: Kbz) -> None:
    document = kbz.good(*RUN).json()
    assert (document["plan"]["size"], document["round_trips"]) == (0, {HOST: ONE_LOOK})
    asked = kbz("health", "all", *LIMIT, "--format", "json").json()
    assert not [item for item in asked["findings"] if item["check"].startswith("qdrant.")]


def test_status_says_one_of_one_without_a_spare(kbz: Kbz) -> None:
    (cluster,) = [
        item
        for item in kbz("status", "qdrant", *LIMIT, "--format", "json").json()["clusters"]
        if item["module"] == "qdrant"
    ]
    quorum = cluster["quorum"]
    assert (quorum["members"], quorum["up"], quorum["spare"]) == (1, 1, 0)


def test_a_killed_process_loses_no_acknowledged_point(kbz: Kbz) -> None:
    words = ("drill", "qdrant", "--scenario", "container-killed", "--confirm", "qdrant")
    (trial,) = kbz.good(*words, "--format", "json").json()["trials"]
    assert (trial["verdict"], trial["lost"]) == ("recovered", 0)
    assert trial["acknowledged"] > 0


def test_a_restart_is_done_when_it_is_asked_for(kbz: Kbz) -> None:
    before = started(kbz)
    kbz.good("restart", "qdrant", *LIMIT)
    assert started(kbz) != before
    assert kbz.good(*RUN).json()["plan"]["size"] == 0


def test_a_new_key_replaces_the_old_one_and_the_data_stays(kbz: Kbz) -> None:
    old = key(kbz)
    put(kbz, "/collections/shop", '{"vectors": {"size": 2, "distance": "Dot"}}')
    kbz.good("secrets", "rotate", "qdrant")
    assert key(kbz) != old
    assert status(kbz, "/collections/shop", old) == 401
    assert status(kbz, "/collections/shop", key(kbz)) == 200


def test_it_says_what_it_is_and_what_is_deep(kbz: Kbz) -> None:
    assert "Standing in for Qdrant" in kbz.on(HOST, "docker logs qdrant 2>&1")
    deep = kbz("health", "qdrant", "--deep", *LIMIT, "--format", "json").json()["findings"]
    assert {item["level"] for item in deep if item["check"] == "qdrant.probe"} == {"ok"}
