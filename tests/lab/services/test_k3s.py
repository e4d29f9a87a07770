"""K3s on real servers, with a stand-in of its program: from eight bare hosts to a cluster, its failures, a bare host.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.lab.conftest import ONE_LOOK, Done, Kbz, until
from tests.lab.support.states import agrees, findings, take
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab

LAB = "kbz-k3s"
MASTERS = tuple(f"k8s-master-0{n}" for n in (1, 2, 3))
WORKERS = tuple(f"k8s-worker-0{n}" for n in (1, 2, 3, 4, 5))
HOSTS = MASTERS + WORKERS
CONFIG = "/etc/rancher/k3s/config.yaml"
OPEN = "/var/lib/rancher/k3s/server/.token.kbz-rotating"
ETCD = "/var/lib/rancher/k3s/server/db"
RUN = ("run", "k3s", "--limit", "k3s", "--format", "json")
DRIFT = ("drift", "k3s", "--limit", "k3s", "--format", "json")


@pytest.fixture(scope="module")
def kbz(k3s_lab: Kbz) -> Kbz:
    """Eight bare servers; nothing is put on backup-01 beside them."""
    return k3s_lab


def everywhere(kbz: Kbz, script: str) -> dict[str, str]:
    """Run a shell script on all hosts at once; it must succeed on each."""
    done = kbz.good("exec", "--limit", "k3s", "--looks", "--format", "json", "--", script)
    hosts = done.json()["hosts"]
    assert set(hosts) == set(HOSTS)
    return {host: answer["stdout"] for host, answer in hosts.items()}


def starts(kbz: Kbz) -> dict[str, str]:
    """Return which start of K3s runs on each host."""
    return everywhere(kbz, "systemctl show -p InvocationID --value k3s k3s-agent")


def ask(kbz: Kbz, kind: str, *more: str, by: str = MASTERS[0]) -> list[dict[str, Any]]:
    """Return objects, as `k3s kubectl` on a master shows them; none while the servers elect a leader."""
    words = f"k3s kubectl get {kind} {' '.join(more)} -o json || echo '{{}}'"
    found = json.loads(kbz.on(by, words))
    return list(found.get("items", ()))


def ready(kbz: Kbz, by: str = MASTERS[0]) -> set[str]:
    return {
        node["metadata"]["name"]
        for node in ask(kbz, "nodes", by=by)
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def changed(done: Done) -> set[tuple[str, str]]:
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


def bad(kbz: Kbz) -> set[tuple[str, str]]:
    """Return check and host of everything that is not good."""
    done = kbz("health", "k3s", "--limit", "k3s", "--format", "json")
    return {
        (item["check"], item["host"] or "")
        for item in done.json()["findings"]
        if item["check"].startswith("k3s.") and item["level"] != "ok"
    }


class TestFirstInstall:
    def test_eight_bare_hosts_become_one_cluster_with_its_ingress(self, kbz: Kbz) -> None:
        document = kbz.good(*RUN, timeout=900).json()
        assert {host["outcome"] for host in document["hosts"].values()} == {"changed"}
        assert ready(kbz) == set(HOSTS)
        assert bad(kbz) == set()

    def test_a_second_run_changes_nothing_and_asks_each_host_once(self, kbz: Kbz) -> None:
        before = starts(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(HOSTS, ONE_LOOK)
        kbz.good("drift", "k3s", "--limit", "k3s")
        assert starts(kbz) == before

    def test_the_stand_in_opens_the_loopback_ports_of_the_real_program(self, kbz: Kbz) -> None:
        """And `kbz drift` above had no word about them."""
        opened = {2381, 2382, 10245, 10246, 10247}
        shown = kbz.on("k8s-master-01", "ss -Hltn src 127.0.0.1 | awk '{print $4}'")
        assert opened <= {int(line.rpartition(":")[2]) for line in shown.split()}
        shown = kbz.on("k8s-worker-01", "ss -Hltn src 127.0.0.1 | awk '{print $4}'")
        assert opened - {2381, 2382} <= {int(line.rpartition(":")[2]) for line in shown.split()}

    def test_a_certificate_that_ends_soon_is_told_and_a_restart_renews_it(self, kbz: Kbz) -> None:
        where, last = "/var/lib/rancher/k3s/server/tls", MASTERS[2]
        signed = (
            f"cd {where} && openssl x509 -x509toreq -in client-admin.crt -signkey client-admin.key -out /run/admin.csr"
            " && openssl x509 -req -in /run/admin.csr -CA client-ca.crt -CAkey client-ca.key -set_serial 7 -days 60"
            " -out client-admin.crt && rm /run/admin.csr"
        )
        kbz.on(last, signed)
        assert bad(kbz) == {("k3s.certificates.valid", last)}
        kbz.good("restart", "k3s", "--limit", last, timeout=300)
        assert bad(kbz) == set()
        kbz.on(last, f"openssl x509 -checkend {364 * 86400} -noout -in {where}/client-admin.crt")

    def test_nothing_steady_can_make_a_cluster(self, kbz: Kbz) -> None:
        shown = everywhere(
            kbz, f"stat -c %a {CONFIG}; cat {CONFIG}; systemctl cat 'k3s*.service'; ls /run"
        )
        for text in shown.values():
            assert text.startswith("600\n")
            assert not any(line.startswith("cluster-init") for line in text.splitlines())
            assert 'server: "https://10.0.0.10' in text
            assert "kbz-k3s" not in text.splitlines()

    def test_the_ingress_answers_on_every_node_and_through_the_load_balancer(
        self, kbz: Kbz
    ) -> None:
        asked = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/healthz"
        assert everywhere(kbz, asked) == dict.fromkeys(HOSTS, "200")
        pods = ask(kbz, "pods", "-n", "ingress-nginx")
        assert {pod["spec"]["nodeName"] for pod in pods} == set(HOSTS)
        asked = "curl -s -o /dev/null -w '%{http_code}' http://10.0.0.5/healthz"
        until(
            lambda: kbz.on(MASTERS[0], asked) == "200", 30, "the load balancer leads to the ingress"
        )
        probes = kbz("lb", "check", "--format", "json").json()["probes"]
        websites = [probe for probe in probes if probe["port"] == 80]
        assert {probe["place"] for probe in websites} == {*HOSTS, "through it"}
        assert {probe["verdict"] for probe in websites} == {"good"}, websites

    def test_the_token_is_on_no_command_line_and_in_no_log(self, kbz: Kbz) -> None:
        text = (kbz.root / "credentials/k3s.env").read_text()
        token = text.partition("K3S_TOKEN=")[2].strip()
        assert len(token) == 48
        shown = everywhere(
            kbz,
            "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'; journalctl -u 'k3s*' -o cat; "
            "systemctl cat 'k3s*.service'",
        )
        for seen in shown.values():
            assert "/usr/local/bin/k3s" in seen
            assert token not in seen


class TestDrift:
    def test_changes_by_hand_are_seen_and_taken_back(self, kbz: Kbz) -> None:
        kbz.on("k8s-worker-02", f"echo 'node-label: by-hand' >> {CONFIG}")
        patch = "k3s kubectl delete daemonset ingress-nginx-controller -n ingress-nginx"
        kbz.on(MASTERS[0], patch)
        assert changed(kbz(*DRIFT)) == {
            ("k8s-worker-02", f"file:{CONFIG}"),
            (MASTERS[0], "k3s-manifest:ingress-nginx"),
        }
        before = starts(kbz)
        kbz.good(*RUN)
        assert starts(kbz) == before
        assert bad(kbz) == set()

    def test_pods_that_the_firewall_drops_are_named(self, kbz: Kbz) -> None:
        """The 504 saga: everything Ready, and no pod reaches the other nodes."""
        kbz.on("k8s-worker-04", "ufw delete allow from 10.42.0.0/16")
        found = kbz("health", "k3s", "--limit", "k3s", "--format", "json").json()["findings"]
        told = [f for f in found if f["check"] == "k3s.network.reaches" and f["level"] != "ok"]
        assert {f["host"] for f in told} == set(HOSTS) - {"k8s-worker-04"}
        assert all("k8s-worker-04" in f["message"] for f in told)
        assert all(f["hint"].startswith("firewall:") for f in told)
        kbz.good(*RUN)
        assert bad(kbz) == set()


class TestBadStates:
    """Rows of docs/states.md, each made by hand and taken back."""

    def test_a_cordoned_node_lets_no_other_be_interrupted_until_its_hint_was_run(
        self, kbz: Kbz
    ) -> None:
        """K-92."""
        node, before = "k8s-worker-04", starts(kbz)
        kbz.on(MASTERS[0], f"k3s kubectl cordon {node}")
        agrees(kbz, MASTERS[0], f"k3s kubectl get nodes {node} -o json", '"unschedulable": true')
        told = findings(kbz, "k3s", "k3s")["k3s.node.schedulable"]
        assert told.startswith(f"{node}: ")
        assert wrong(kbz, [Seen("K-92", node, "k3s.node.schedulable", ())], "k3s") == []
        refused = kbz("restart", "k3s", "--limit", "k8s-worker-05")
        assert refused.code == ExitCode.REFUSED, refused.stdout
        assert "k3s.node.schedulable" in refused.stdout + refused.stderr
        assert starts(kbz) == before
        take(kbz, told)
        assert bad(kbz) == set()

    def test_a_token_that_nothing_proves_lets_no_master_be_restarted(self, kbz: Kbz) -> None:
        """K-93, by its mark: it lies there from before the request until K3s has confirmed it."""
        host, before = MASTERS[1], starts(kbz)
        kbz.on(host, f"printf another >{OPEN}")
        try:
            told = findings(kbz, "k3s", "k3s")["k3s.token.sealed"]
            assert told.startswith(f"{host}: ")
            assert "kbz secrets rotate k3s-token" in told
            assert wrong(kbz, [Seen("K-93", host, "k3s.token.sealed", ())], "k3s") == []
            refused = kbz("restart", "k3s", "--limit", MASTERS[2])
            assert refused.code == ExitCode.REFUSED, refused.stdout
            assert "k3s.token.sealed" in refused.stdout + refused.stderr
            assert starts(kbz) == before
        finally:
            kbz.on(host, f"rm {OPEN}")
        assert bad(kbz) == set()


class TestFailures:
    def test_a_killed_master_is_missed_by_nobody(self, kbz: Kbz) -> None:
        kbz.good("lab", "fault", "stop", "k8s-master-01")
        until(lambda: ready(kbz, by="k8s-master-02") == set(HOSTS[1:]), 90, "master-01 is NotReady")
        label = "k3s kubectl delete pods none 2>&1 || true"
        assert "not found" in kbz.on("k8s-master-03", label)
        assert ("k3s.nodes.ready", "") in bad(kbz)
        kbz.good("lab", "fault", "start", "k8s-master-01")
        until(lambda: ready(kbz) == set(HOSTS), 120, "all eight are Ready again")

    def test_without_a_majority_the_api_tells_nothing(self, kbz: Kbz) -> None:
        for host in MASTERS[1:]:
            kbz.on(host, "systemctl stop k3s")
        lost = "k3s kubectl get nodes 2>&1 || true"
        until(lambda: "no leader" in kbz.on(MASTERS[0], lost), 60, "one of three refuses")
        kbz.good(*RUN)
        assert ready(kbz) == set(HOSTS)

    @pytest.mark.parametrize(
        "host", [pytest.param("k8s-worker-03", marks=pytest.mark.long), "k8s-master-01"]
    )
    def test_a_bare_host_comes_back_as_a_new_member_and_nothing_else_is_touched(
        self, kbz: Kbz, host: str
    ) -> None:
        before = starts(kbz)
        kbz.good("lab", "reset", host, "--confirm", LAB)
        document = kbz.good("run", "k3s", "--limit", host, "--format", "json").json()
        assert document["hosts"][host]["outcome"] == "changed"
        after = starts(kbz)
        assert {name for name in HOSTS if after[name] != before[name]} == {host}
        assert ready(kbz, by="k8s-master-02") == set(HOSTS)
        assert bad(kbz) == set()
        assert kbz.good(*RUN).json()["plan"]["size"] == 0

    def test_etcd_was_kept_before_the_master_was_forgotten(self, kbz: Kbz) -> None:
        assert "kbz-without-k8s-master-01" in kbz.on("k8s-master-02", f"ls {ETCD}/snapshots")


class TestRestart:
    def test_a_worker_is_drained_restarted_and_takes_pods_again(self, kbz: Kbz) -> None:
        before = starts(kbz)
        done = kbz.good("restart", "-v", "k3s", "--limit", "k8s-worker-05,k8s-master-03")
        said = done.stderr + done.stdout
        assert "drain k8s-worker-05" in said
        assert "k8s-worker-05 takes pods again" in said
        after = starts(kbz)
        assert {h for h in HOSTS if after[h] != before[h]} == {"k8s-worker-05", "k8s-master-03"}
        assert not any(node["spec"].get("unschedulable") for node in ask(kbz, "nodes"))
        assert bad(kbz) == set()


class TestDrill:
    @pytest.mark.parametrize(
        "victim", ["k8s-master-02", pytest.param("k8s-worker-01", marks=pytest.mark.long)]
    )
    def test_a_stopped_node_is_seen_as_lost_and_visitors_go_on(self, kbz: Kbz, victim: str) -> None:
        words = ("--scenario", "container-stopped", "--host", victim, "--confirm", "k3s")
        [trial] = kbz.good("drill", "k3s", *words, "--format", "json").json()["trials"]
        assert trial["verdict"] == "recovered"
        assert trial["lost"] == 0
        assert ready(kbz) == set(HOSTS)


class TestRotation:
    @pytest.mark.long  # two and a half minutes: each node restarts once
    def test_a_new_token_is_taken_and_every_node_restarts_with_it_one_at_a_time(
        self, kbz: Kbz
    ) -> None:
        before, live = starts(kbz), "cat /var/lib/rancher/k3s/server/token"
        old = kbz.on(MASTERS[0], live)
        done = kbz.good(
            "secrets", "rotate", "k3s-token", "--confirm", "k3s-token", "--format", "json"
        )
        assert {host["outcome"] for host in done.json()["hosts"].values()} == {"changed"}
        assert {kbz.on(host, live) for host in MASTERS} & {old} == set()
        assert len({kbz.on(host, live) for host in MASTERS}) == 1
        assert all(before[host] != now for host, now in starts(kbz).items())
        assert ready(kbz) == set(HOSTS)
        assert kbz("plan", "k3s", "--limit", "k3s").code == 0
        assert old.strip() not in done.stdout + done.stderr
