"""MinIO on real servers: from three bare hosts to a cluster, its freeze, its failures, and a replaced host.

The tests of this file build on each other, in the order of the file. Nothing in them is the stand-in's own: they
can run against the real image.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import urllib3
from minio import Minio
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from keybuzz.lab.layout import NAMESPACES
from keybuzz.lab.network.namespace import visiting
from tests.lab.conftest import ONE_LOOK, Done, Kbz, until
from tests.lab.ledgers.object_ledger import ADDRESSES, ObjectLedger
from tests.lab.support.describing import Environment, describe, environment, strays_inside
from tests.lab.support.states import agrees, findings, spare

pytestmark = pytest.mark.lab

HOSTS = tuple(ADDRESSES)
DATA = "/opt/keybuzz/minio/data"
FORM = f"{DATA}/.minio.sys/format.json"
RUN = ("run", "minio", "--limit", "minio", "--format", "json")
LIFT = ("--lift-freeze", "minio", "--reason", "the owner said so on the phone")
HEALTH = ("health", "minio", "--limit", "minio", "--format", "json")
ONE = ("run", "minio", "--limit", "minio-02", "--format", "json")
BUCKET = "minio-bucket:keybuzz-backups"
DESCRIBED = """\
applications:
  shop:
    title: the shop
    buckets: [shop-files]
"""


@pytest.fixture(scope="module")
def kbz(minio_lab: Kbz) -> Kbz:
    """Three bare MinIO servers."""
    return minio_lab


@pytest.fixture(scope="module")
def ledger(kbz: Kbz) -> ObjectLedger:
    return ObjectLedger(kbz)


def containers(kbz: Kbz) -> dict[str, str]:
    """Return id and start time of each host's container."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' minio"
    return {host: kbz.on(host, shown) for host in HOSTS}


def form(kbz: Kbz, host: str) -> dict[str, object]:
    """Return a drive's format.json."""
    found: dict[str, object] = json.loads(kbz.on(host, f"cat {FORM}"))
    return found


def changed(done: Done) -> set[tuple[str, str]]:
    """Return host and resource of every change in a plan."""
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


def green(kbz: Kbz) -> bool:
    """Return whether all checks of the module are good."""
    findings = kbz(*HEALTH).json()["findings"]
    return {f["level"] for f in findings if f["check"].startswith("minio.")} == {"ok"}


class TestFirstInstall:
    def test_a_part_is_refused_and_so_is_a_drive_with_something_on_it(self, kbz: Kbz) -> None:
        kbz.on("minio-03", f"mkdir -p {DATA}/photos && echo x > {DATA}/photos/1")
        done = kbz(*RUN)
        assert done.code == 3
        assert "no format.json, and photos" in done.json()["error"]
        assert kbz.on("minio-03", f"cat {DATA}/photos/1").strip() == "x"
        kbz.on("minio-03", f"rm -r {DATA}/photos")
        done = kbz(*ONE)
        assert done.code == 3
        assert "--limit leaves out minio-01, minio-03" in done.json()["error"]
        for host in HOSTS:
            assert kbz.on(host, "docker ps -aq 2>/dev/null || true").strip() == ""

    def test_three_bare_hosts_become_one_cluster_with_the_bucket(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        document = kbz.good(*RUN).json()
        assert {finding["level"] for finding in document["findings"]} <= {"ok", "warn"}
        assert len({str(form(kbz, host)["id"]) for host in HOSTS}) == 1
        with ledger.node() as client:
            assert client.get_bucket_versioning(ledger.bucket).status == "Enabled"

    def test_all_three_have_the_same_drives_in_the_same_order_on_private_addresses(
        self, kbz: Kbz
    ) -> None:
        wanted = " ".join(f"http://{ADDRESSES[host]}:9000/data" for host in HOSTS)
        for host in HOSTS:
            shown = kbz.on(host, "docker inspect -f '{{join .Config.Cmd \" \"}}' minio").strip()
            assert shown.startswith(f"server {wanted} --address {ADDRESSES[host]}:9000 ")
            listeners = kbz.on(host, "ss -Hltn 'sport = :9000 or sport = :9001'")
            assert {line.split()[3].rpartition(":")[0] for line in listeners.splitlines()} == {
                ADDRESSES[host]
            }

    def test_health_and_topology_tell_the_cluster(self, kbz: Kbz) -> None:
        assert green(kbz)
        [topology] = [t for t in kbz(*HEALTH).json()["topologies"] if "minio" in t["cluster"]]
        assert [member["role"] for member in topology["members"]] == ["entry", "member", "member"]
        assert {member["state"] for member in topology["members"]} == {"serves"}

    def test_a_second_run_changes_nothing_and_asks_each_host_once(self, kbz: Kbz) -> None:
        before = containers(kbz)
        document = kbz.good(*RUN).json()
        assert document["plan"]["size"] == 0
        assert document["round_trips"] == dict.fromkeys(HOSTS, ONE_LOOK)
        assert containers(kbz) == before

    def test_what_is_put_through_the_entry_is_on_every_node(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        ledger.put()
        assert {host: ledger.lost(host) for host in HOSTS} == {host: [] for host in HOSTS}
        document = kbz.good("health", "minio", "--deep", "--format", "json").json()
        [probe] = [f for f in document["findings"] if f["check"] == "minio.probe"]
        assert probe["level"] == "ok"

    def test_the_password_is_on_no_command_line_and_in_no_log(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        for host in HOSTS:
            seen = kbz.on(host, "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'; docker logs minio 2>&1")
            assert "/data" in seen
            assert ledger.password not in seen


class TestApplications:
    def test_an_application_works_in_its_own_bucket_by_its_own_key_and_a_second_run_is_empty(
        self, kbz: Kbz, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("described")
        describe(kbz, folder / "applications.yaml", DESCRIBED)
        refused = kbz(*RUN)
        assert refused.code == 3
        assert "minio-bucket:shop-files, minio-user:shop for shop" in refused.json()["error"]
        kbz.good(*RUN, *LIFT)
        assert kbz.good(*RUN).json()["plan"]["size"] == 0
        before = environment(kbz, "shop", folder)
        with store(kbz, before) as shop:
            shop.put_object("shop-files", "a", io.BytesIO(b"kept"), 4)
            with pytest.raises(S3Error, match="AccessDenied"):
                shop.put_object("keybuzz-backups", "a", io.BytesIO(b"x"), 1)
        kbz.good("secrets", "rotate", "minio-user-shop", *LIFT)
        with store(kbz, environment(kbz, "shop", folder)) as shop:
            assert shop.get_object("shop-files", "a").data == b"kept"
        with store(kbz, before) as shop, pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            shop.list_buckets()

    def test_a_user_that_no_file_describes_is_told_and_goes_by_its_typed_name(
        self, kbz: Kbz, ledger: ObjectLedger, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        describe(kbz, tmp_path_factory.mktemp("none") / "applications.yaml", "applications: {}\n")
        strays = {"stray/minio/user:shop", "stray/minio/bucket:shop-files"}
        assert strays_inside(kbz, "minio", "--limit", "minio") == strays
        kbz.good("apps", "remove-account", "minio", "shop", "--confirm", "shop", *LIFT)
        assert strays_inside(kbz, "minio", "--limit", "minio") == {"stray/minio/bucket:shop-files"}
        with ledger.node() as client:  # by hand: a bucket is data
            client.remove_object("shop-files", "a")
            client.remove_bucket("shop-files")


@contextmanager
def store(kbz: Kbz, found: Environment) -> Iterator[Minio]:
    """Give the SDK's client of an application, inside the lab's network, by the environment that kbz wrote."""
    with (
        urllib3.PoolManager(timeout=10, retries=False) as pool,
        visiting(NAMESPACES / kbz.root.name),
    ):
        yield Minio(
            found["S3_ENDPOINT"].removeprefix("http://"),
            found["S3_ACCESS_KEY_ID"],
            found["S3_SECRET_ACCESS_KEY"],
            secure=False,
            http_client=pool,
        )


class TestFreeze:
    def test_a_suspended_versioning_is_drift_the_freeze_keeps_it_and_a_lift_repairs_it(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        before = containers(kbz)
        with ledger.node() as client:
            client.set_bucket_versioning(ledger.bucket, VersioningConfig(SUSPENDED))
        done = kbz(*RUN)
        assert (done.code, changed(done)) == (3, {("minio-01", BUCKET)})
        assert "frozen (FRZ-1)" in done.json()["error"]
        kbz.good(*RUN, *LIFT)
        with ledger.node() as client:
            assert client.get_bucket_versioning(ledger.bucket).status == "Enabled"
        assert containers(kbz) == before

    def test_a_second_alias_is_refused_and_its_keys_are_not_shown(self, kbz: Kbz) -> None:
        aliases = {
            "minio": {"url": "http://10.0.0.134:9000", "accessKey": "a", "secretKey": "b"},
            "backup": {"url": "http://10.0.0.131:9000", "accessKey": "a", "secretKey": "needle"},
        }
        text = json.dumps({"version": "10", "aliases": aliases})
        kbz.on("minio-02", f"mkdir -p /root/.mc && echo '{text}' > /root/.mc/config.json")
        done = kbz(*RUN, *LIFT)
        assert done.code == 3
        assert "backup at 10.0.0.131:9000" in done.json()["error"]
        assert "needle" not in done.stdout + done.stderr
        assert not green(kbz)
        kbz.on("minio-02", "rm -r /root/.mc")


class TestFailures:
    def test_one_node_killed_is_missed_by_nobody_and_comes_back(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        kbz.good("lab", "fault", "kill-container", "minio-02", "minio")
        ledger.put()
        assert ledger.lost("minio-03") == []
        document = kbz("health", "minio", "--limit", "minio", "--format", "json").json()
        bad = {
            (found["check"], found["host"]): found["cause"]
            for found in document["findings"]
            if found["level"] != "ok"
        }
        assert {place for place, cause in bad.items() if not cause} == {
            ("minio.node.serves", "minio-02")
        }
        assert bad["minio.drives.online", "minio-01"] == "minio.node.serves"
        assert bad["minio.drives.online", "minio-03"] == "minio.node.serves"
        kbz.good(*RUN, *LIFT)
        assert green(kbz)
        assert ledger.lost("minio-02") == []

    @pytest.mark.long  # test_bad_states has the state; this one adds what else of the host is answered
    def test_a_node_that_is_silent_is_waited_for_once_and_all_else_is_answered(
        self, kbz: Kbz
    ) -> None:
        """SIGSTOP: its ports take connections and say nothing."""
        kbz.on("minio-03", "docker kill --signal=STOP minio")
        try:
            document = kbz("health", "base", *HEALTH[1:]).json()
        finally:
            kbz.on("minio-03", "docker kill --signal=CONT minio")
        mine = [found for found in document["findings"] if found["host"] == "minio-03"]
        told = {found["check"]: found["message"] for found in mine if found["level"] == "critical"}
        assert "minio.node.serves" in told
        assert any(
            f"{ADDRESSES['minio-03']}:9000 is silent" in found["message"] for found in mine
        ), mine
        ok = {found["check"] for found in mine if found["level"] == "ok"}
        assert {"base.system.read", "base.docker.running", "minio.drive.own"} <= ok
        until(lambda: green(kbz), 60, "all serve again")

    def test_a_drive_of_another_deployment_is_refused_and_stays_as_it_is(self, kbz: Kbz) -> None:
        own = form(kbz, "minio-02")
        foreign = json.dumps({**own, "id": "11111111-2222-3333-4444-555555555555"})
        kbz.on("minio-02", f"docker stop minio && echo '{foreign}' > {FORM}")
        done = kbz(*RUN, *LIFT)
        assert done.code == 3
        assert "minio-02 belongs to another deployment" in done.json()["error"]
        assert json.dumps(form(kbz, "minio-02")) == foreign
        assert "true" not in kbz.on("minio-02", "docker inspect -f '{{.State.Running}}' minio")
        kbz.on("minio-02", f"echo '{json.dumps(own)}' > {FORM}")
        kbz.good(*RUN, *LIFT)
        assert green(kbz)

    def test_a_bare_machine_comes_back_as_a_new_member_and_nothing_else_is_touched(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        identity, before = form(kbz, "minio-02"), containers(kbz)
        kbz.good("lab", "replace", "minio-02", "--confirm", kbz.root.name)
        ledger.put()
        kbz.good("hosts", "forget", "minio-02")
        key = kbz.on("minio-02", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        kbz.good("hosts", "trust", "minio-02", "--fingerprint", key)
        assert kbz(*ONE).code == 3, "a frozen cluster is changed by the owner's word only"
        document = kbz.good(*ONE, *LIFT).json()
        assert set(document["hosts"]) == {"minio-02"}
        assert green(kbz)
        assert form(kbz, "minio-02") == identity
        assert ledger.lost("minio-02") == []
        after = containers(kbz)
        assert {host for host in HOSTS if after[host] != before[host]} == {"minio-02"}

    def test_killed_together_they_come_back_by_themselves(
        self, kbz: Kbz, ledger: ObjectLedger
    ) -> None:
        for host in HOSTS:
            kbz.on(host, "kill -9 $(docker inspect -f '{{.State.Pid}}' minio)")
        until(lambda: green(kbz), 120, "all three serve again")
        assert {host: ledger.lost(host) for host in HOSTS} == {host: [] for host in HOSTS}
        assert kbz.good(*RUN).json()["plan"]["size"] == 0

    def test_restart_goes_round_with_the_entry_last(self, kbz: Kbz, ledger: ObjectLedger) -> None:
        before = containers(kbz)
        done = kbz.good("restart", "-v", "minio", "--limit", "minio")
        lines = [line for line in done.stderr.splitlines() if "restart minio on" in line]
        assert [line.split("restart minio on ")[1].split(":")[0] for line in lines] == [
            "minio-02",
            "minio-03",
            "minio-01",
        ]
        assert not set(before.values()) & set(containers(kbz).values())
        assert ledger.lost("minio-01") == []


class TestDrill:
    def test_no_acknowledged_put_is_lost_whoever_goes(self, kbz: Kbz) -> None:
        document = kbz.good("drill", "minio", "--confirm", "minio", "--format", "json").json()
        trials = {trial["scenario"]: trial for trial in document["trials"]}
        recovered = {name for name, trial in trials.items() if trial["verdict"] == "recovered"}
        assert recovered == {"container-killed", "container-stopped", "host-killed", "link-cut"}
        assert {trial["lost"] for trial in trials.values() if trial["verdict"] == "recovered"} == {
            0
        }
        assert trials["link-cut"]["isolated_write_accepted"] is False
        assert green(kbz)


class TestController:
    """The last of this file: install-01 comes into the lab, has mc and its alias, and a rotation reaches both."""

    MC = ("--limit", "install-01")

    def test_mc_reaches_minio_by_its_one_alias_and_other_aliases_stay(self, kbz: Kbz) -> None:
        kbz.good("lab", "up", *self.MC, timeout=600)
        mine = '{"version": "10", "aliases": {"mine": {"url": "https://files.example.com"}}}'
        kbz.on("install-01", f"mkdir -p /root/.mc && echo '{mine}' > /root/.mc/config.json")
        kbz.good("run", "base", "minio-client", *self.MC)
        assert "keybuzz-backups/" in kbz.on("install-01", "mc ls minio/")
        shown = kbz.on("install-01", "mc alias list")
        assert "http://10.0.0.134:9000" in shown
        assert "https://files.example.com" in shown
        assert kbz.on("install-01", "stat -c %a /root/.mc/config.json").strip() == "600"
        assert kbz("plan", "minio-client", *self.MC).code == 0

    @pytest.mark.long  # the flow ring shows the freeze on the stand-ins themselves
    def test_a_frozen_service_refuses_a_restart_until_its_hint_was_run(self, kbz: Kbz) -> None:
        kbz.on("install-01", "mc admin service freeze minio")
        agrees(kbz, "install-01", "timeout 3 mc ls minio || echo held back", "held back")
        found = findings(kbz, "minio", "minio")["minio.service.frozen"]
        assert spare(kbz, "minio", "minio") == 0
        refused = kbz("restart", "minio", "--limit", "minio-02")
        assert "minio.service.frozen" in refused.stdout + refused.stderr
        kbz.on("install-01", found.rpartition(" → ")[2])
        assert green(kbz)
        assert spare(kbz, "minio", "minio") == 1

    def test_a_new_root_password_is_taken_by_all_nodes_at_once_and_by_mc(self, kbz: Kbz) -> None:
        before, old = containers(kbz), kbz.on("install-01", "cat /root/.mc/config.json")
        done = kbz("secrets", "rotate", "minio-root", "--confirm", "minio-root")
        assert done.code == 3
        assert "--lift-freeze minio" in done.stderr
        assert containers(kbz) == before
        kbz.good("secrets", "rotate", "minio-root", "--confirm", "minio-root", *LIFT)
        assert all(before[host] != now for host, now in containers(kbz).items())
        assert "keybuzz-backups/" in kbz.on("install-01", "mc ls minio/")
        assert kbz.on("install-01", "cat /root/.mc/config.json") != old
        with ObjectLedger(kbz).node() as client:
            assert client.bucket_exists("keybuzz-backups")
        assert kbz("plan", "minio", "minio-client", "--limit", "minio,install-01").code == 0
