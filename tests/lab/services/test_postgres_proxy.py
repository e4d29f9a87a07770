"""The entry to PostgreSQL on real servers: routing by role, reloads under sessions, failovers, damage.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.postgres_proxy.desired import TRIAL
from tests.lab.conftest import Done, Kbz, until, write_site
from tests.lab.ledgers.application import BALANCER, PORTS, Application

pytestmark = pytest.mark.lab

HOSTS = ("haproxy-01", "haproxy-02")
ADDRESSES = ("10.0.0.11", "10.0.0.12")
CFG = "/opt/keybuzz/haproxy/conf/haproxy.cfg"
USERS = "/opt/keybuzz/pgbouncer/conf/userlist.txt"
PGBOUNCER = "edoburu/pgbouncer:v1.23.1-p3"
PATIENCE = 120


@pytest.fixture(scope="module")
def kbz(postgres_lab: Kbz) -> Kbz:
    """A Patroni cluster, and two bare entry hosts."""
    postgres_lab.good("run", "patroni", "--limit", "db")
    return postgres_lab


@pytest.fixture(scope="module")
def application(kbz: Kbz) -> Application:
    return Application(kbz)


def run(kbz: Kbz, *words: str) -> Done:
    return kbz("run", "postgres-proxy", "--limit", "haproxy", "--format", "json", *words)


def containers(kbz: Kbz, *hosts: str) -> dict[str, str]:
    """Return id and start time of both containers of each host."""
    shown = "docker inspect -f '{{.Id}} {{.State.StartedAt}}' haproxy pgbouncer"
    return {host: kbz.on(host, shown) for host in hosts or HOSTS}


def lead(kbz: Kbz) -> dict[str, str]:
    """Return where each entry host leads, from `kbz health`."""
    [topology] = kbz("health", "postgres-proxy", "--format", "json").json()["topologies"]
    return {member["host"]: member.get("leader", "none") for member in topology["members"]}


def changed(done: Done) -> set[tuple[str, str]]:
    return {(item["host"], item["resource"]) for item in done.json()["plan"]["changes"]}


def probes(done: Done) -> dict[tuple[int, str], str]:
    """Return the verdicts of `kbz lb check` at the load balancer of this module, by port and place."""
    return {
        (probe["port"], probe["place"]): probe["verdict"]
        for probe in done.json()["probes"]
        if probe["load_balancer"] == "lb-haproxy"
    }


class TestFirstInstall:
    def test_green_and_one_host_after_the_other(self, kbz: Kbz) -> None:
        done = kbz.good("run", "-v", "postgres-proxy", "--limit", "haproxy")
        stages = [line.split(": ")[1] for line in done.stderr.splitlines() if "-proxy: " in line]
        assert stages == ["directories and images", "change haproxy-01", "change haproxy-02"]
        assert done.stderr.index("haproxy-01 is proven good") < done.stderr.index(
            "change haproxy-02"
        )

    def test_again_0_changes(self, kbz: Kbz) -> None:
        before = containers(kbz)
        document = kbz.good(
            "run", "postgres-proxy", "--limit", "haproxy", "--format", "json"
        ).json()
        assert document["plan"]["size"] == 0
        assert {item["outcome"] for item in document["hosts"].values()} == {"ok"}
        assert containers(kbz) == before
        assert kbz("drift", "postgres-proxy", "--limit", "haproxy").code == 0

    @pytest.mark.parametrize("port", PORTS)
    def test_the_application_writes_and_reads_through_the_load_balancer(
        self, application: Application, port: int
    ) -> None:
        until(lambda: application.writes(port), 15, "the load balancer has found its targets")
        with closing(application.connect(port)) as session:
            assert application.query(session, "select pg_is_in_recovery()") == (False,)
            assert application.query(session, "select count(*) >= 1 from probe") == (True,)

    def test_lb_check_asks_each_target_and_calls_nothing_green_that_it_did_not_ask(
        self, kbz: Kbz
    ) -> None:
        done = kbz("lb", "check", "--format", "json")
        assert done.code == 2, "the other services of these hosts are not installed here"
        found = probes(done)
        for port in PORTS:
            for place in (*HOSTS, "through it"):
                assert found[port, place] == "good"
        assert found[5672, "through it"] == "bad"
        websites = [p for p in done.json()["probes"] if p["load_balancer"] == "lb-public-1"]
        assert {probe["verdict"] for probe in websites} == {"not checked"}
        assert BALANCER in kbz.good("lb", "show").stdout

    def test_no_password_in_a_process_a_container_or_a_log(self, kbz: Kbz) -> None:
        seen = "ps axww; docker inspect haproxy pgbouncer; docker logs haproxy 2>&1; docker logs pgbouncer 2>&1"
        path = kbz.root / "credentials/postgres.env"
        lines = [line.partition("=") for line in path.read_text().splitlines() if "PASS" in line]
        values = [value.strip("'\"") for _, _, value in lines]
        assert len(values) >= 4
        text = kbz.on("haproxy-01", seen)
        assert not [value for value in values if value in text]
        files = kbz.on("haproxy-01", "cat /opt/keybuzz/*/conf/*")
        assert sum(value in files for value in values) == 1, "the application's alone is there"


class TestReload:
    def test_an_edited_haproxy_cfg_is_repaired_without_a_restart_and_without_dropping_a_session(
        self, kbz: Kbz, application: Application
    ) -> None:
        before = containers(kbz)
        kbz.on("haproxy-01", f"sed -i 's/timeout queue 5s/timeout queue 7s/' {CFG}")
        drift = kbz("drift", "postgres-proxy", "--limit", "haproxy", "--format", "json")
        assert drift.code == 2
        assert changed(drift) == {("haproxy-01", f"file:{CFG}")}
        with ExitStack() as stack:
            held = [
                stack.enter_context(closing(application.connect(port, address)))
                for port in PORTS
                for address in ADDRESSES
            ]
            identities = [self._backend(application, session) for session in held[:2]]
            with application.traffic() as traffic:
                done = run(kbz)
            assert done.code == 0, done.stdout
            assert traffic.failures == []
            assert traffic.sessions > 5
            assert [self._backend(application, session) for session in held[:2]] == identities
            for session in held:
                assert application.query(session, "select 1") == (1,)
        assert containers(kbz) == before
        assert run(kbz).json()["plan"]["size"] == 0

    def _backend(self, application: Application, session: Any) -> Any:
        return application.query(session, "select pg_backend_pid()")

    def test_a_userlist_that_pgbouncer_can_not_read_is_drift_and_the_login_works_again(
        self, kbz: Kbz, application: Application
    ) -> None:
        kbz.on("haproxy-02", f"chown root:root {USERS}")
        before = containers(kbz)
        drift = kbz("drift", "postgres-proxy", "--limit", "haproxy", "--format", "json")
        assert changed(drift) == {("haproxy-02", f"file:{USERS}")}
        assert run(kbz).code == 0
        assert application.writes(6432, "10.0.0.12")
        assert containers(kbz) == before


class TestBrokenFiles:
    def test_a_broken_value_is_refused_by_haproxy_and_the_old_file_stays(
        self, kbz: Kbz, application: Application, tmp_path: Path
    ) -> None:
        before = containers(kbz), kbz.on("haproxy-01", f"sha256sum {CFG}")
        broken = write_site(tmp_path, kbz.root.name)
        overlay = tmp_path / "lab.yaml"
        text = overlay.read_text()
        value = "parameters:\n  haproxy.session_timeout: 99999d\n"  # more than its timers hold
        overlay.write_text(text.replace("parameters:\n", value))
        done = run(replace(kbz, config=broken.config))
        assert done.code == 1
        document = done.json()
        assert document["hosts"]["haproxy-01"]["outcome"] == "failed"
        assert "haproxy does not accept the new file" in document["hosts"]["haproxy-01"]["what"]
        assert document["hosts"]["haproxy-02"]["changed"] == 0
        assert (containers(kbz), kbz.on("haproxy-01", f"sha256sum {CFG}")) == before
        assert application.writes(5432)
        assert run(kbz).json()["plan"]["size"] == 0

    def test_pgbouncer_is_tried_on_its_file_because_it_has_no_mode_that_checks(
        self, kbz: Kbz
    ) -> None:
        mounted = "/etc/pgbouncer/pgbouncer.ini"
        good, broken = "/opt/keybuzz/pgbouncer/conf/pgbouncer.ini", "/opt/broken.ini"
        copy = f"sed 's/pool_mode = .*/pool_mode = often/' {good} > {broken} && chown 70 {broken}"
        kbz.on("haproxy-01", copy)
        try:
            for path, wanted in ((good, 0), (broken, 1)):
                words = f"docker run --rm --network none -v {path}:{mounted}:ro --entrypoint sh"
                script = f"{words} {PGBOUNCER} -c '{TRIAL}' {mounted}"
                done = kbz("lab", "exec", "haproxy-01", "--", "sh", "-c", script)
                assert done.code == wanted, done.stdout + done.stderr
        finally:
            kbz.on("haproxy-01", f"rm {broken}")


class TestRotation:
    def test_a_new_password_of_the_application_reaches_pgbouncer_and_sessions_stay(
        self, kbz: Kbz, application: Application
    ) -> None:
        with ExitStack() as stack:
            held = [
                stack.enter_context(closing(application.connect(6432, address)))
                for address in ADDRESSES
            ]
            kbz.good("secrets", "rotate", "postgres-app")
            assert not application.writes(6432), "PgBouncer cannot know it yet"
            done = run(kbz)
            assert done.code == 0, done.stdout
            assert changed(done) == {(host, f"file:{USERS}") for host in HOSTS}
            for session in held:
                assert application.query(session, "select 1") == (1,)
        for address in ADDRESSES:
            assert application.writes(6432, address)


class TestFailover:
    def test_leader_killed_writes_through_both_ports_work_again_within_ttl(
        self, kbz: Kbz, application: Application
    ) -> None:
        [old] = set(lead(kbz).values())
        kbz.good("lab", "fault", "kill-container", old, "patroni")
        took = [
            until(lambda: application.writes(port), PATIENCE, f"writes through {port}")  # noqa: B023 - called at once
            for port in PORTS
        ]
        until(lambda: len(set(lead(kbz).values())) == 1, 15, "both hosts lead to one")
        assert set(lead(kbz).values()) != {old}
        print(f"writes after {took[0]:.0f} s through 5432, {sum(took):.0f} s through 6432")
        kbz.good("run", "patroni", "--limit", "db")

    def test_haproxy_01_killed_the_load_balancer_keeps_serving(
        self, kbz: Kbz, application: Application
    ) -> None:
        kbz.good("lab", "fault", "stop", "haproxy-01")
        try:
            for port in PORTS:
                took = until(
                    lambda: all(application.writes(port) for _ in range(4)),  # noqa: B023 - called at once
                    20,
                    f"every session through {port} is served",
                )
                print(f"{port}: all sessions served again after {took:.0f} s")
            done = kbz("lb", "check", "--format", "json")
            assert done.code == 2
            assert probes(done)[6432, "haproxy-01"] == "bad"
            assert probes(done)[6432, "through it"] == "good"
            self._last_one_is_not_interrupted(kbz)
        finally:
            kbz.good("lab", "fault", "start", "haproxy-01")
        done = run(kbz)
        assert done.code == 0, done.stdout + done.stderr
        # Its containers were told to reload before: Docker must not take that for a stop by hand.
        assert done.json()["plan"]["size"] == 0
        kbz.good("health", "postgres-proxy")

    def _last_one_is_not_interrupted(self, kbz: Kbz) -> None:
        """An outdated container of the only host that serves is replaced when the other is back."""
        kbz.on("haproxy-02", "docker update --restart always haproxy")
        before = containers(kbz, "haproxy-02")
        done = run(kbz)
        assert done.code == 3, done.stdout
        assert "bring back haproxy-01 first" in done.stdout
        assert containers(kbz, "haproxy-02") == before
        kbz.on("haproxy-02", "docker update --restart unless-stopped haproxy")
