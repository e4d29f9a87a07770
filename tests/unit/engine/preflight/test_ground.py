"""What a first run needs of the hosts, where it is there, and who is asked for it."""

from __future__ import annotations

from typing import Any

from tests.unit.engine.preflight.test_preflight import (
    BY_ID,
    DATA,
    HOST,
    ROOT,
    Ground,
    ground,
    readiness,
    with_rabbitmq,
)
from tests.unit.support.scripted_hosts import SITE, Json

__all__ = ["ground"]  # the fixture


def test_a_good_fleet_has_room_for_a_service(ground: Ground) -> None:
    ground.modules = ("base", "rabbitmq")
    assert ground.look().obstacles == ()


def test_a_volume_by_id_with_xfs_is_as_it_should(ground: Ground) -> None:
    with_rabbitmq(readiness(mounts=[ROOT, [DATA, "xfs"]], fstab=[BY_ID]))(ground)
    assert ground.look().obstacles == ()


def test_sources_are_told_only_where_something_is_to_be_installed(ground: Ground) -> None:
    ground.spoils[HOST] = readiness(sources=[["http://x", "x:80: timed out"]])
    assert ground.look().obstacles == ()


def test_a_package_that_is_there_and_is_only_to_be_held_needs_no_source(ground: Ground) -> None:
    def unheld(request: Json, result: Json) -> None:
        for state in result["states"]:
            if state["attributes"].get("held"):
                state["attributes"]["held"] = False
                seen.append(True)
        readiness(sources=[["http://x", "x:80: timed out"]])(request, result)

    seen: list[bool] = []
    ground.spoils[HOST] = unheld
    assert ground.look().obstacles == ()
    assert seen


def test_only_the_controller_asks_the_load_balancers(ground: Ground) -> None:
    asked: dict[str, list[Any]] = {}

    def listen(request: Json, result: Json) -> None:
        del result
        for query in request.get("readings", ()):
            if query["kind"] == "readiness":
                asked.setdefault("balancers", []).extend(query["balancers"])

    ground.spoils = {server.name: listen for server in SITE.servers}
    ground.look()
    addresses = [str(item.address) for item in SITE.catalogue.virtual_addresses if item.ports]
    assert [found[0] for found in asked["balancers"]] == addresses
