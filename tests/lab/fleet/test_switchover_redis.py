"""`kbz switchover redis` on real servers: to the node that is named, while writes go through the load balancer."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Kbz, until
from tests.lab.ledgers.redis_ledger import ADDRESSES, RedisLedger

pytestmark = pytest.mark.lab
LIMIT = ("--limit", "redis,haproxy")


def test_it_goes_to_each_named_node_in_turn(redis_lab: Kbz) -> None:
    """One of the two is not the one that Sentinel would choose by itself."""
    kbz, ledger = redis_lab, RedisLedger(redis_lab)
    lifts = ("--lift-freeze", "redis", "--lift-freeze", "redis-proxy", "--reason", "a test of it")
    kbz.good("run", "redis", "redis-proxy", *LIMIT, *lifts)
    until(lambda: kbz("health", "redis", "redis-proxy", *LIMIT).code == 0, 120, "all is whole")
    others = [host for host in ADDRESSES if host != ledger.master()]
    for to in others:
        done = kbz.good("switchover", "redis", "--to", to, "--format", "json").json()
        told = done["handover"]
        assert (told["after"], ledger.master()) == (to, to)
        assert (told["lost"], told["not_measured"]) == (0, None)
        assert told["acknowledged"] >= 10
        with ledger.node(to) as node:
            assert node.config_get("replica-priority") == {"replica-priority": "100"}
    assert kbz("drift", "redis", *LIMIT).code == 0
