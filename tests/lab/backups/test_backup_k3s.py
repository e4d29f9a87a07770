"""K3s in the repository of backup-01: a snapshot with its token, in and out, and a cluster made of it.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json

import pytest

from tests.lab.conftest import REPOSITORY, Kbz, until
from tests.lab.ledgers.stored import HOST, RESTORED, STORE, BackedUp

pytestmark = [pytest.mark.lab, pytest.mark.long]

MASTERS = ("k8s-master-01", "k8s-master-02", "k8s-master-03")
STATE = "/var/lib/rancher/k3s/server"


@pytest.fixture(scope="module")
def k3s(k3s_lab: Kbz) -> BackedUp:
    """K3s stands, whatever ran before, and backup-01 has its base."""
    k3s_lab.good("run", "base", "--limit", "backup-01")
    k3s_lab.good("run", "k3s", "--limit", "k3s", timeout=900)
    return BackedUp(k3s_lab, "k3s", "k3s")


def told(k3s: BackedUp, name: str, master: str = MASTERS[0]) -> str:
    """Return what a ConfigMap says; empty where there is none."""
    words = f"k3s kubectl get configmap {name} -o json 2>/dev/null || echo '{{}}'"
    found = json.loads(k3s.kbz.on(master, words))
    return str(found.get("data", {}).get("word", ""))


def say(k3s: BackedUp, name: str, word: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"word": word},
    }
    k3s.kbz.on(MASTERS[0], f"echo '{json.dumps(manifest)}' | k3s kubectl apply -f -")


class TestK3s:
    def test_a_snapshot_leaves_the_node_with_its_token_and_stays_there_no_longer(
        self, k3s: BackedUp
    ) -> None:
        say(k3s, "kept", "before the backup")
        [copy] = k3s.taken()
        assert (copy["state"], copy["wrong"], copy["verified"]) == ("whole", None, None)
        assert '"source": "k8s-master-01"' in k3s.kbz.on(HOST, f"cat {STORE}/catalogue.json")
        assert "kbz-backup" not in k3s.kbz.on(MASTERS[0], f"ls {STATE}/db/snapshots")
        k3s.kbz.good("backup", "verify", "k3s")
        assert k3s.listed()[-1]["verified"]

    def test_it_is_restored_and_drilled_with_the_token_that_opens_it(self, k3s: BackedUp) -> None:
        done = k3s.restore()
        assert done.code == 0, done.stdout + done.stderr
        print(f"recovery time {done.json()['seconds']} s, last {done.json()['reached']}")
        token = k3s.kbz.on(MASTERS[0], f"cat {STATE}/token")
        assert k3s.kbz.on(HOST, f"cat {RESTORED}/k3s/token") == token
        [drilled] = k3s.kbz.good("drill", "restore", "k3s", "--format", "json").json()["services"]
        assert drilled["problem"] is None
        print(f"RTO {drilled['recovery_seconds']} s, RPO {drilled['lost_seconds']} s")

    def test_without_its_majority_no_snapshot_is_taken(self, k3s: BackedUp) -> None:
        before = k3s.listed()
        for master in MASTERS[1:]:
            k3s.kbz.on(master, "systemctl stop k3s")
        try:
            done = k3s.kbz("backup", "run", "k3s")
            assert done.code == 1
            assert MASTERS[0] in done.stdout + done.stderr
            assert k3s.listed() == before
        finally:
            for master in MASTERS[1:]:
                k3s.kbz.on(master, "systemctl start k3s")
        until(lambda: k3s.kbz("health", "k3s", "--limit", "k3s").code == 0, 120, "K3s is whole")


class TestWorstDay:
    def test_a_cluster_is_made_of_it_by_the_words_of_the_page(self, k3s: BackedUp) -> None:
        say(k3s, "kept", "after the backup")
        say(k3s, "later", "after the backup")
        page = (REPOSITORY / "docs/how-to/restore-everything.md").read_text()
        [copy] = [part for part in page.split("`") if "sed '/^server:/d'" in part]
        [reset] = [part for part in page.split("`") if part.startswith("k3s server --config")]
        [forget] = [part for part in page.split("`") if part.startswith("rm -r /var/lib/rancher")]
        for master in MASTERS:
            k3s.kbz.on(master, "systemctl stop k3s")
            k3s.kbz.on(master, f"rm -rf {STATE}/db {STATE}/tls")
        content = k3s.kbz.on(HOST, f"base64 {RESTORED}/k3s/snapshot.db")
        for line in range(0, len(content), 60_000):
            piece = content[line : line + 60_000].strip()
            k3s.kbz.on(MASTERS[0], f"echo '{piece}' >>/root/snapshot.b64")
        k3s.kbz.on(MASTERS[0], "base64 -d /root/snapshot.b64 >/root/snapshot.db")
        k3s.kbz.on(MASTERS[0], copy)
        k3s.kbz.on(MASTERS[0], reset)
        k3s.kbz.on(MASTERS[0], "systemctl start k3s")
        for master in MASTERS[1:]:
            k3s.kbz.on(master, f"mkdir -p {STATE}/db; {forget}; systemctl start k3s")
        until(lambda: told(k3s, "kept", MASTERS[2]) == "before the backup", 120, "it is back")
        assert told(k3s, "later") == ""
        until(lambda: k3s.kbz("health", "k3s", "--limit", "k3s").code == 0, 120, "K3s is whole")


class TestDamage:
    def test_a_damaged_one_is_found_by_verify_and_refused_by_restore(self, k3s: BackedUp) -> None:
        k3s.take_away()
        k3s.damage()
        assert k3s.kbz("backup", "verify", "k3s").code == 1
        assert k3s.listed()[-1]["wrong"]
        refused = k3s.restore()
        assert refused.code == 3
        assert "damaged" in refused.stderr
