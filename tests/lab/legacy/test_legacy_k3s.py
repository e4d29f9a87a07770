"""K3s as older scripts left it, by flags of its unit: adopt tells it as it is, and changes nothing.

The tests of this file build on each other, in the order of the file. Module 9 is not brought over by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.lab.conftest import Kbz
from tests.lab.legacy.old_fleet import OldFleet

pytestmark = [pytest.mark.lab, pytest.mark.long]

MASTERS = tuple(f"k8s-master-0{n}" for n in (1, 2, 3))
HOSTS = (*MASTERS, *(f"k8s-worker-0{n}" for n in (1, 2, 3, 4, 5)))
_STARTS = "systemctl show -p InvocationID --value k3s k3s-agent"


@pytest.fixture(scope="module")
def old(bring_up: Callable[..., Kbz]) -> OldFleet:
    """Three old masters and five workers, with namespaces and a deployment."""
    made = OldFleet(bring_up("kbz-old-k3s", "--limit", "k3s"), HOSTS, "k3s")
    made.kbz.good("lab", "legacy", "k3s", timeout=1200)
    return made


def counters(old: OldFleet) -> dict[str, str]:
    """Return which start of K3s runs on each host, and every object with its version, but what nodes tell."""
    found = {host: old.kbz.on(host, _STARTS) for host in HOSTS}
    for kind in ("namespaces", "deployments", "pods", "daemonsets"):
        listed = json.loads(old.kbz.on(MASTERS[0], f"k3s kubectl get {kind} -A -o json"))
        found[kind] = json.dumps(
            [[item["metadata"]["name"], item.get("spec")] for item in listed["items"]]
        )
    return found


class TestLook:
    def test_adopt_changes_nothing_and_tells_no_secret(self, old: OldFleet) -> None:
        before = counters(old)
        found = old.foretold("k3s")["k3s"]
        old.looked("plan", "k3s", "--limit", old.limit)
        old.looked("drift", "k3s", "--limit", old.limit)
        assert counters(old) == before
        differing = {(item["host"], item["resource"]) for item in found["differences"]}
        for host in HOSTS:
            assert (host, "file:/etc/rancher/k3s/config.yaml") in differing
        assert (MASTERS[0], "systemd-unit:k3s.service") in differing
        assert set(MASTERS) <= set(found["running"])
        assert found["refusals"]

    def test_a_run_refuses_another_token_and_writes_nothing(self, old: OldFleet) -> None:
        refused = old.looked("run", "k3s", "--limit", "k3s", codes=(3,))
        assert "kbz adopt k3s --take-credentials" in refused.stdout + refused.stderr

    def test_the_live_token_is_taken_over_by_the_typed_name(self, old: OldFleet) -> None:
        words = ("adopt", "k3s", "--take-credentials", "--confirm", "k3s")
        assert "take K3S_TOKEN into k3s.env" in old.looked(*words, codes=(0,)).stdout
        assert old.refusals("k3s") == []
