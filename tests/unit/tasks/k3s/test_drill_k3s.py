"""What K3s says about its own drill: when the cluster goes on without a node, and what a visitor's request is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keybuzz.engine.drill.client import client_of
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Scenario, Workload
from keybuzz.site.drill import UnconfirmedError
from tasks.k3s.drill import DRILL, not_recovered
from tasks.k3s.service import HTTP
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.k3s.k3s_world import World, unit_of

STOPPED = Scenario.CONTAINER_STOPPED


@pytest.mark.parametrize("victim", ["k8s-master-02", "k8s-worker-01"])
def test_a_stopped_node_must_have_been_seen_as_lost(victim: str) -> None:
    world = World.healthy()
    told = not_recovered(world.live(), STOPPED, victim)
    assert told == f"the cluster has not noticed yet that {victim} is gone"
    world.stop(victim)
    assert not_recovered(world.live(), STOPPED, victim) is None


def test_a_master_too_few_is_no_recovery() -> None:
    world = World.healthy()
    world.stop("k8s-master-02")
    world.damage("k8s-master-03", unit_of("k8s-master-03"), running=False)
    told = not_recovered(world.live(), STOPPED, "k8s-master-02")
    assert told is not None
    assert "the API is ready on 0 masters" in told


def test_another_node_that_is_lost_too_is_no_recovery() -> None:
    world = World.healthy()
    world.stop("k8s-worker-01", "k8s-worker-02")
    assert "k8s-worker-02 is not Ready either" in str(
        not_recovered(world.live(), STOPPED, "k8s-worker-01")
    )


def test_each_node_is_stopped_by_its_own_unit() -> None:
    assert DRILL.unit is not None
    site = memory_site()
    units = {server.name: DRILL.unit(server) for server in site.members("k3s")}
    assert units["k8s-master-01"] == "k3s.service"
    assert units["k8s-worker-01"] == "k3s-agent.service"


class _Site(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_request_counts_when_it_was_answered_well(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(Workload(HTTP, "127.0.0.1", port, "", Secret("none", "")))
    client.prepare()
    client.write(1)
    monkeypatch.setattr(_Site, "status", 503)
    with pytest.raises(UnconfirmedError, match="HTTP 503"):
        client.write(2)
    assert client.read() == {1}
    client.prepare()
    assert client.read() == frozenset()
