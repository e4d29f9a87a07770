"""RabbitMQ and its entry on real servers: bare hosts, quorum queues, faults, freeze, a replaced host, blackout, drill.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pika
import pytest

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import ONE_LOOK, Done, Kbz, until
from tests.lab.ledgers.queue_ledger import ADDRESSES, QUEUE, QueueLedger
from tests.lab.support.describing import describe, environment, strays_inside
from tests.lab.support.states import agrees, findings, spare, take
from tests.lab.support.watching import kill_at_each_stage, watching

pytestmark = [
    pytest.mark.lab,
    # pika leaves the sockets of a connection that failed to Python's collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
    ),
]

HOSTS = tuple(ADDRESSES)
PROXIES = ("haproxy-01", "haproxy-02")
DATA = "/opt/keybuzz/rabbitmq/data"
COOKIE = f"{DATA}/.erlang.cookie"
RUN = ("run", "rabbitmq", "--limit", "rabbitmq", "--format", "json")
PROXY = ("run", "rabbitmq-proxy", "--limit", "haproxy", "--format", "json")
LIFTED = (*RUN, "--lift-freeze", "rabbitmq", "--reason", "the owner said so on the phone")
ROTATE = (
    *("--lift-freeze", "rabbitmq", "--lift-freeze", "rabbitmq-proxy"),
    *("--reason", "the owner said so on the phone"),
)
HEALTH = ("health", "rabbitmq", "--limit", "rabbitmq", "--format", "json")


@pytest.fixture(scope="module")
def kbz(queue_lab: Kbz) -> Kbz:
    """Three bare queue servers and two bare entry servers."""
    return queue_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> QueueLedger:
    return QueueLedger(kbz)


def containers(kbz: Kbz) -> dict[str, str]:
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' rabbitmq"
    return {host: kbz.on(host, shown) for host in HOSTS}


def changed(done: Done) -> set[tuple[str, str]]:
    """Return host and resource of every change in a plan."""
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


def members(ledger: QueueLedger) -> set[str]:
    """Return the nodes on which the ledger's queue has a replica that is online."""
    found = ledger.api("queue-01", f"/api/queues/%2F/{QUEUE}")
    return set(found["members"]) & set(found["online"])


class TestFirstInstall:
    def test_from_bare_hosts_to_one_cluster_of_three(self, kbz: Kbz) -> None:
        kbz.good(*RUN)
        document = kbz.good(*HEALTH).json()
        found = {f["check"]: f["level"] for f in document["findings"]}
        assert found["rabbitmq.cluster.whole"] == "ok"
        # pause_minority is proposed to the owner, and not set.
        assert {check for check, level in found.items() if level != "ok"} == {
            "rabbitmq.partition.handling"
        }

    def test_a_second_run_changes_nothing_and_asks_each_host_once(self, kbz: Kbz) -> None:
        before = containers(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(HOSTS, ONE_LOOK)
        assert containers(kbz) == before

    def test_both_entries_prove_themselves_by_a_login(self, kbz: Kbz) -> None:
        kbz.good(*PROXY)
        document = kbz.good(*PROXY).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(PROXIES, ONE_LOOK)

    def test_the_application_publishes_into_a_quorum_queue_of_three(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        until(lambda: ledger.publish(5) == 5, 60, "confirmed through the load balancer")
        until(lambda: len(members(ledger)) == 3, 60, "three replicas are online")
        assert ledger.api("queue-01", f"/api/queues/%2F/{QUEUE}")["type"] == "quorum"
        assert ledger.missing() == set()

    def test_guest_is_gone_and_no_secret_shows(self, kbz: Kbz, ledger: QueueLedger) -> None:
        assert [user["name"] for user in ledger.api("queue-02", "/api/users")] == ["kb_rmq"]
        store = (kbz.root / "credentials/rabbitmq.env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in store if "=" in line)
        shown = (
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; "
            f"docker inspect rabbitmq; docker logs rabbitmq 2>&1; stat -c '%u %a' {COOKIE}"
        )
        for host in HOSTS:
            seen = kbz.on(host, shown)
            assert "beam.smp" in seen
            assert values["RABBITMQ_PASSWORD"] not in seen
            assert values["RABBITMQ_ERLANG_COOKIE"] not in seen
            assert "999 400" in seen


class TestOneNodeAway:
    def test_publishes_go_on_and_health_is_red(self, kbz: Kbz, ledger: QueueLedger) -> None:
        kbz.on("queue-02", "docker stop rabbitmq")
        until(lambda: ledger.publish(5) == 5, 60, "two nodes confirm")
        done = kbz(*HEALTH)
        assert done.code == 2
        red = {f["check"] for f in done.json()["findings"] if f["level"] == "critical"}
        assert {"rabbitmq.cluster.whole", "rabbitmq.queues.quorum"} <= red

    def test_it_comes_back_with_the_lift_and_misses_nothing(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        assert kbz(*RUN).code == 3
        kbz.good(*LIFTED)
        kbz.good(*HEALTH)
        assert ledger.missing() == set()


class TestFreeze:
    def test_a_hand_edit_is_drift_and_is_applied_with_the_lift_one_node_at_most(
        self, kbz: Kbz
    ) -> None:
        conf = "/opt/keybuzz/rabbitmq/conf/rabbitmq.conf"
        kbz.on("queue-03", f"echo '# typed in a hurry' >>{conf}")
        before = containers(kbz)
        done = kbz(*RUN)
        assert (done.code, changed(done)) == (3, {("queue-03", f"file:{conf}")})
        kbz.good(*LIFTED)
        assert "typed in a hurry" not in kbz.on("queue-03", f"cat {conf}")
        assert containers(kbz) == before

    def test_another_cookie_is_drift_and_is_never_overwritten(self, kbz: Kbz) -> None:
        kbz.on("queue-03", f"cp -p {COOKIE} /root/kept; printf STALE >{COOKIE}")
        done = kbz("drift", "rabbitmq", "--limit", "rabbitmq", "--format", "json")
        assert (done.code, changed(done)) == (2, {("queue-03", f"file:{COOKIE}")})
        refused = kbz(*LIFTED)
        assert refused.code == 3
        assert "not overwritten" in refused.json()["error"]
        assert kbz.on("queue-03", f"cat {COOKIE}") == "STALE"
        kbz.on("queue-03", f"cp -p /root/kept {COOKIE}; rm /root/kept")
        assert kbz.good(*RUN).json()["plan"]["size"] == 0


class TestBadStates:
    """Rows of docs/states.md, each made by hand and taken back by the way out that kbz names."""

    def test_an_alarm_ends_a_gate_at_once_with_its_name(self, kbz: Kbz) -> None:
        limit = "docker exec rabbitmq rabbitmqctl -q set_disk_free_limit"
        kbz.on("queue-01", f"{limit} 9999GB")
        until(
            lambda: "rabbitmq.alarms.none" in findings(kbz, "rabbitmq", "rabbitmq"), 30, "an alarm"
        )
        agrees(kbz, "queue-01", "docker exec rabbitmq rabbitmq-diagnostics -q alarms", "disk")
        done = kbz(*LIFTED)
        assert done.code == 1
        assert "can hold no more" in done.json()["error"]
        assert "rabbitmq.alarms.none" in done.json()["error"]
        kbz.on("queue-01", f"{limit} 50MB")
        until(
            lambda: "rabbitmq.alarms.none" not in findings(kbz, "rabbitmq", "rabbitmq"), 30, "none"
        )

    def test_maintenance_and_an_administrator_by_hand_are_told(self, kbz: Kbz) -> None:
        ctl = "docker exec rabbitmq rabbitmqctl -q"
        kbz.on("queue-01", f"{ctl} add_user admin admin; {ctl} set_user_tags admin administrator")
        kbz.on("queue-03", "docker exec rabbitmq rabbitmq-upgrade -q drain")
        agrees(kbz, "queue-01", "q list_users", "[administrator]")
        agrees(kbz, "queue-01", "q cluster_status", "marked for maintenance")
        found = findings(kbz, "rabbitmq", "rabbitmq")
        assert "admin" in found["rabbitmq.administrators.described"]
        assert found["rabbitmq.node.maintenance"].startswith("queue-03")
        assert spare(kbz, "rabbitmq", "rabbitmq") <= 1
        take(kbz, found["rabbitmq.node.maintenance"])
        kbz.on("queue-01", f"{ctl} delete_user admin")
        until(lambda: not _rabbitmq(findings(kbz, "rabbitmq", "rabbitmq")), 60, "it takes clients")

    def test_the_smaller_part_is_restarted_as_its_hint_says(self, kbz: Kbz) -> None:
        """Two and one; the network comes back, and under `ignore` nobody heals it."""
        kbz.good("lab", "fault", "cut", "queue-03")
        until(
            lambda: "rabbit@queue-03" not in _sees(kbz, "queue-01"), 150, "queue-01 lost queue-03"
        )
        kbz.good("lab", "fault", "restore", "queue-03")
        until(lambda: _status(kbz, "queue-01")["partitions"] != {}, 60, "a partition")
        found = findings(kbz, "rabbitmq", "rabbitmq")
        assert "queue-01, queue-02 / queue-03" in found["rabbitmq.cluster.whole"]
        assert spare(kbz, "rabbitmq", "rabbitmq") == 0
        kbz.good("restart", "rabbitmq", "--limit", "queue-03")
        until(lambda: not _rabbitmq(findings(kbz, "rabbitmq", "rabbitmq")), 60, "one cluster")

    @pytest.mark.long  # two parts show the same; here no part has a majority
    def test_three_parts_become_one_as_their_hint_says(self, kbz: Kbz) -> None:
        for host in HOSTS[1:]:
            kbz.good("lab", "fault", "cut", host)
        until(lambda: {len(_sees(kbz, host)) for host in HOSTS} == {1}, 150, "each is alone")
        for host in HOSTS[1:]:
            kbz.good("lab", "fault", "restore", host)
        apart = "queue-01 / queue-02 / queue-03"
        until(lambda: apart in str(findings(kbz, "rabbitmq", "rabbitmq")), 60, "three parts")
        told = findings(kbz, "rabbitmq", "rabbitmq")["rabbitmq.cluster.whole"]
        steps = told.rpartition(" starts: ")[2].split("; then ")
        for step in steps:
            kbz.good(*shlex.split(step)[1:])
        until(lambda: not _rabbitmq(findings(kbz, "rabbitmq", "rabbitmq")), 120, "one cluster")


def _sees(kbz: Kbz, host: str) -> list[str]:
    """Return the nodes that run, by the word of one of them."""
    return list(_status(kbz, host)["running_nodes"])


def _status(kbz: Kbz, host: str) -> dict[str, Any]:
    status = "docker exec rabbitmq rabbitmqctl -q cluster_status --formatter json"
    found: dict[str, Any] = json.loads(kbz.on(host, status))
    return found


def _rabbitmq(found: dict[str, str]) -> list[str]:
    told_always = ("rabbitmq.partition.handling",)
    return [c for c in found if c.startswith("rabbitmq.") and c not in told_always]


class TestApplication:
    """An application with a vhost of its own, and what somebody made by hand beside it."""

    DESCRIBED = (
        "applications:\n  jobs:\n    title: jobs\n    rabbitmq:\n      jobs: {user: worker}\n"
    )

    def test_it_works_through_the_environment_that_is_written_for_it(
        self, kbz: Kbz, tmp_path: Path
    ) -> None:
        describe(kbz, tmp_path / "applications.yaml", self.DESCRIBED)
        refused = kbz(*RUN)
        assert refused.code == 3
        assert "rabbitmq-vhost:jobs, rabbitmq-account:worker for jobs" in refused.json()["error"]
        kbz.good(*LIFTED)
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        found = environment(kbz, "jobs", tmp_path)
        assert found["RABBITMQ_HOST"] == "10.0.0.10"
        with visiting(NAMESPACES / kbz.root.name):
            connection = pika.BlockingConnection(pika.URLParameters(found["AMQP_URL"]))
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("work", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "work", b"one")
        assert channel.basic_get("work", auto_ack=True)[2] == b"one"
        connection.close()

    def test_what_was_made_by_hand_is_told_and_stays(self, kbz: Kbz, ledger: QueueLedger) -> None:
        kbz.on("queue-02", "docker exec -u rabbitmq rabbitmq rabbitmqctl -q add_vhost old")
        kbz.on(
            "queue-02", "docker exec -u rabbitmq rabbitmq rabbitmqctl -q add_user bob made-by-hand"
        )
        told = {"stray/rabbitmq/user:bob", "stray/rabbitmq/vhost:old"}
        look = ("rabbitmq", "--limit", "rabbitmq")
        assert strays_inside(kbz, *look) == told
        kbz.on(
            "queue-02",
            "docker exec -u rabbitmq rabbitmq rabbitmqctl -q clear_permissions -p jobs worker",
        )
        kbz.good(*LIFTED)
        assert strays_inside(kbz, *look) == told
        kbz.on("queue-02", "docker exec -u rabbitmq rabbitmq rabbitmqctl -q delete_user bob")
        kbz.on("queue-02", "docker exec -u rabbitmq rabbitmq rabbitmqctl -q delete_vhost old")


class TestReplacedHost:
    def test_a_wiped_host_is_forgotten_joins_anew_and_gets_its_replicas(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        kbz.on("queue-03", "docker rm -f rabbitmq; rm -rf /opt/keybuzz/rabbitmq")
        kbz.good(*LIFTED)
        until(lambda: len(members(ledger)) == 3, 60, "three replicas are online")
        kbz.good(*HEALTH)
        assert ledger.missing() == set()


class TestBlackout:
    def test_all_hosts_stop_and_start_and_every_confirmed_message_is_there(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        until(lambda: ledger.publish(20) == 20, 60, "confirmed")
        before = {host: kbz.on(host, "docker inspect -f '{{.Id}}' rabbitmq") for host in HOSTS}
        for host in HOSTS:
            kbz.good("lab", "fault", "stop", host)
        for host in reversed(HOSTS):
            kbz.good("lab", "fault", "start", host)
        # Each boot has made it of cloud-init's template, as it does at the provider.
        for host, names in {host: kbz.on(host, "cat /etc/hosts") for host in HOSTS}.items():
            assert not [other for other in HOSTS if other != host and other in names]
        until(lambda: kbz(*HEALTH).code == 0, 180, "all nodes are back by themselves")
        until(lambda: ledger.publish() == 1, 60, "the application publishes")
        assert ledger.missing() == set()
        after = {host: kbz.on(host, "docker inspect -f '{{.Id}}' rabbitmq") for host in HOSTS}
        assert after == before
        assert kbz.good(*RUN).json()["plan"]["size"] == 0


class TestRotation:
    def test_who_is_connected_stays_and_new_connections_need_the_new_password(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        kbz.good(*PROXY)
        until(lambda: ledger.publish() == 1, 60, "the application publishes")
        before = load_credentials(kbz.root / "credentials")
        with watching() as processes, ledger.publishing() as published:
            until(lambda: len(published.bodies) > 20, 60, "it publishes over one connection")
            done = kbz.good("secrets", "rotate", "rabbitmq", *ROTATE)
            so_far = len(published.bodies)
            until(lambda: len(published.bodies) > so_far + 20, 60, "the same connection goes on")
            assert ledger.publish(3) == 3, "a new one with the new password"
        assert published.failures == []
        assert ledger.missing() == set()
        now = load_credentials(kbz.root / "credentials")
        assert {name for name in now if now[name] != before[name]} == {"RABBITMQ_PASSWORD"}
        ledger.told = before["RABBITMQ_PASSWORD"].reveal()
        assert ledger.publish() == 0, "a new one with the old password"
        ledger.told = ""
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        for value in (secrets["RABBITMQ_PASSWORD"].reveal() for secrets in (before, now)):
            assert value not in done.stdout + done.stderr
            assert not any(value.encode() in text for text in processes)

    def test_killed_at_each_stage_the_same_command_goes_on(
        self, kbz: Kbz, ledger: QueueLedger
    ) -> None:
        seen = kill_at_each_stage(kbz, "rabbitmq", "rabbitmq", "rabbitmq-proxy")
        assert any(word.startswith("stage the cluster takes the new password") for word in seen)
        assert ledger.publish(3) == 3
        assert kbz.good(*RUN).json()["plan"]["size"] == 0

    def test_the_cookie_is_not_rotated_and_it_is_said_why(self, kbz: Kbz) -> None:
        done = kbz("secrets", "rotate", "rabbitmq-cookie")
        assert done.code == 3
        assert "a stop of all nodes" in done.stderr


class TestDrill:
    def test_the_program_that_tries_an_isolated_node_is_confirmed_by_a_healthy_one(
        self, ledger: QueueLedger
    ) -> None:
        """Else its refusal on an isolated one would prove nothing."""
        with ledger.channel() as channel:
            quorum = {"x-queue-type": "quorum"}
            channel.queue_declare("kbz_drill", durable=True, arguments=quorum)
        assert "kbz-confirmed" in ledger.tries("queue-03")
