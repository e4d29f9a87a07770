"""The main job on real servers: from three bare hosts to a cluster, through kills, damage and failover.

The tests of this file build on each other, in the order of the file: an operator's week with one cluster.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.credentials.store import load_credentials
from tests.lab.conftest import DB, ONE_LOOK, Kbz, until
from tests.lab.ledgers.ledger import Ledger
from tests.lab.support.patroni_cluster import (
    CONFIGURATION,
    DATA,
    containers,
    file_times,
    leader,
    repaired,
)
from tests.lab.support.states import agrees, findings, spare, take
from tests.lab.verdicts.rows import Seen, wrong

pytestmark = pytest.mark.lab


def word_itself(word: str) -> str:
    return word


def kind_of_step(word: str) -> str:
    """Return one word for all steps of a kind, whether they begin or have ended."""
    is_step = word.startswith(("step ", "done "))
    return "step " + word.split()[1].partition(":")[0] if is_step else word


class TestFirstInstall:
    def test_plan_of_bare_hosts_changes_nothing(self, kbz: Kbz) -> None:
        done = kbz("plan", "patroni", "--limit", "db", "--format", "json")
        assert done.code == 2
        document = done.json()
        assert document["plan"]["size"] > 60
        assert document["checked"] == {"answered": 3, "selected": 3}
        again = kbz("plan", "patroni", "--limit", "db", "--format", "json").json()
        assert again["plan"] == document["plan"]
        assert kbz.on("db-master-01", "docker ps -aq; ls -A /opt") == ""

    def test_a_lone_node_does_not_start_a_cluster(self, kbz: Kbz) -> None:
        done = kbz("run", "patroni", "--limit", "db-slave-01")
        assert done.code == 3
        assert "a first start needs all 3 members" in done.stdout
        assert kbz.on("db-slave-01", f"docker ps -aq; ls -A {DATA}") == ""

    def test_kill_at_every_step(self, kbz: Kbz, in_full: bool) -> None:
        """SIGKILL at the first sight of each gate, stage and kind of step; the next run goes on from there.

        With --long at each single step, and at its end.
        """
        moment = word_itself if in_full else kind_of_step
        seen: set[str] = set()
        for _ in range(120):
            if self._kill_at_something_new(kbz, seen, moment):
                break
        else:
            pytest.fail(f"the install did not end; killed at {sorted(seen)}")
        wanted = ("step container:patroni", f"step file:{CONFIGURATION}", "step firewall:ufw")
        assert {moment(word) for word in wanted} <= seen
        assert any(word.startswith("gate ") for word in seen)
        for host in DB:
            assert (
                kbz.on(host, "find /etc /opt/keybuzz -name '*kbz-new*' -o -name '*kbz-pending*'")
                == ""
            )
            # The undo of a change that a killed run did not confirm must not fire after a green run.
            assert kbz.on(host, "systemctl list-timers --all 'kbz-undo*' --no-legend") == ""

    def _kill_at_something_new(
        self, kbz: Kbz, seen: set[str], moment: Callable[[str], str]
    ) -> bool:
        """Start a run and kill it at the first word that no run was killed at; True when it ended well."""
        with subprocess.Popen(
            [sys.executable, "-m", "tests.lab.support.stepping", str(kbz.config), "patroni", "db"],
            stdout=subprocess.PIPE,
            text=True,
        ) as run:
            assert run.stdout is not None
            for line in run.stdout:
                word = line.strip()
                if word.startswith("end "):
                    assert word.split()[1] == "0", word
                    return True
                if moment(word) not in seen:
                    seen.add(moment(word))
                    os.kill(run.pid, signal.SIGKILL)
                    return False
        pytest.fail(f"the run ended without a word (exit {run.returncode})")

    def test_the_cluster_is_what_was_described(self, kbz: Kbz) -> None:
        document = kbz.good("health", "patroni", "--limit", "db", "--format", "json").json()
        [topology] = document["topologies"]
        assert sorted(member["state"] for member in topology["members"]) == [
            "running",
            "streaming",
            "streaming",
        ]
        assert {member["pgvector"] for member in topology["members"]} == {"0.6.2"}
        assert {finding["level"] for finding in document["findings"]} == {"ok"}

    def test_effective_state_of_the_base_system(self, kbz: Kbz) -> None:
        for host in DB:
            sshd = kbz.on(host, "sshd -T").lower().splitlines()
            assert {"passwordauthentication no", "maxsessions 4", "allowtcpforwarding no"} <= set(
                sshd
            )
            assert kbz.on(host, "sysctl -n net.core.somaxconn").strip() == "65535"
            assert "deny (incoming)" in kbz.on(host, "ufw status verbose")
            assert kbz.on(host, "docker info -f '{{.LoggingDriver}} {{.Driver}}'").split() == [
                "json-file",
                "overlay2",
            ]

    def test_what_a_lab_host_can_not_hold_is_said(self, kbz: Kbz) -> None:
        document = kbz("plan", "base", "--limit", "db-master-01", "--format", "json").json()
        left_out = {item["resource"]: item["reason"] for item in document["plan"]["not_applicable"]}
        assert "shares the kernel" in left_out["sysctl:vm.swappiness"]
        assert (
            "not applicable on 1 host: sysctl:vm.swappiness"
            in kbz("plan", "base", "--limit", "db-master-01").stdout
        )


class TestSecondRun:
    def test_nothing_changes_and_each_host_is_asked_once(self, kbz: Kbz) -> None:
        before = containers(kbz), file_times(kbz)
        document = repaired(kbz).json()
        assert document["plan"]["size"] == 0
        assert {item["outcome"] for item in document["hosts"].values()} == {"ok"}
        assert document["round_trips"] == dict.fromkeys(DB, ONE_LOOK)
        assert (containers(kbz), file_times(kbz)) == before
        assert kbz.good("drift", "patroni", "--limit", "db").code == 0

    def test_the_application_can_work(self, kbz: Kbz) -> None:
        with Ledger(kbz) as ledger:
            ledger.write()
            assert ledger.rows() == 1
            assert ledger.query("select '[1,2,3]'::vector <-> '[1,2,4]'::vector") == 1


DAMAGES = {
    "a deleted container": ("docker rm -f patroni", "container:patroni"),
    "an edited patroni.yml": (
        f"sed -i 's/max_wal_size: .*/max_wal_size: \"999MB\"/' {CONFIGURATION}",
        f"file:{CONFIGURATION}",
    ),
    "a wrong owner on PGDATA": (f"chown root:root {DATA}", f"directory:{DATA}"),
    "a stopped docker daemon": (
        "systemctl stop docker.socket docker.service",
        "service:docker.service",
    ),
    "a loosened sshd": (
        "rm /etc/ssh/sshd_config.d/00-keybuzz.conf && systemctl try-restart ssh",
        "ssh-server:sshd",
    ),
    "a closed firewall rule": ("ufw --force delete allow from 10.0.0.0/16", "firewall:ufw"),
    "a rule that the kernel lost": (
        "iptables -D ufw-user-input -s 10.0.0.0/16 -j ACCEPT",
        "firewall:ufw",
    ),
    "a changed sysctl": ("sysctl -w net.core.somaxconn=128", "sysctl:net.core.somaxconn"),
    "a directory where patroni.yml should be": (
        f"docker stop patroni && rm {CONFIGURATION} && mkdir {CONFIGURATION}",
        f"file:{CONFIGURATION}",
    ),
    "a role that may not log in": (
        'docker exec patroni psql -qh /var/run/postgresql -U kb_admin postgres -c "alter role kb_app nologin"',
        "postgres-role:kb_app",
    ),
}


class TestRepairs:
    @pytest.mark.parametrize("what", DAMAGES)
    def test_drift_names_it_and_run_repairs_only_that(self, kbz: Kbz, what: str) -> None:
        damage, identity = DAMAGES[what]
        leading = str(leader(kbz))
        assert leading is not None
        victim = leading if "role" in what else next(host for host in DB if host != leading)
        kbz.on(victim, damage)
        before = containers(kbz)
        times = file_times(kbz)

        drift = kbz("drift", "patroni", "--limit", "db", "--format", "json")
        assert drift.code == 2, drift.stdout
        changed = {
            (change["host"], change["resource"]) for change in drift.json()["plan"]["changes"]
        }
        assert (victim, identity) in changed
        assert {host for host, _ in changed} <= {victim, leading}, changed

        document = repaired(kbz).json()
        assert document["hosts"][victim]["changed"] >= 1
        others = [host for host in DB if host != victim]
        assert all(document["hosts"][host]["outcome"] == "ok" for host in others)
        after = file_times(kbz)
        assert all(after[host] == times[host] for host in others)
        now = containers(kbz)
        assert all(now[host] == before[host] for host in others)
        assert repaired(kbz).json()["plan"]["size"] == 0

    def test_a_live_password_that_is_not_the_stores_is_refused_and_kept(self, kbz: Kbz) -> None:
        """With another store, a run changed every password of a live cluster without a question."""
        leading = str(leader(kbz))

        def ask(statement: str) -> str:
            psql = "docker exec -i patroni psql -h /var/run/postgresql -XqAt -U kb_admin postgres"
            return kbz.on(leading, f"{psql} <<'END'\n{statement};\nEND\n")

        read = "select rolpassword from pg_authid where rolname = 'kb_app'"
        before = ask(read).strip()
        ask("alter role kb_app password 'the-live-one-that-applications-have'")
        live = ask(read).strip()
        assert live != before
        refused = kbz("run", "patroni", "--limit", "db", "--format", "json")
        assert refused.code == 3
        assert "POSTGRES_APP_PASS" in refused.json()["error"]
        assert ask(read).strip() == live
        shown = kbz("adopt", "patroni", "--limit", "db")
        assert shown.code == 2
        assert "needs a decision:\n    postgres-role:kb_app" in shown.stdout
        assert ask(read).strip() == live
        ask(f"alter role kb_app password '{before}'")
        assert repaired(kbz).json()["plan"]["size"] == 0

    def test_a_firewall_that_somebody_flushed_is_whole_again(self, kbz: Kbz) -> None:
        """What the kernel lost is in no file of ufw, and for the stale rule ufw would fill one of its chains only."""
        host, whole = "db-slave-01", "iptables -S | grep -e ufw -e '^-P INPUT' | sort"
        before = kbz.on(host, whole)
        assert "-P INPUT DROP" in before
        kbz.on(host, "ufw allow from 10.9.0.0/16 comment kbz:internal")
        kbz.on(host, "iptables -P INPUT ACCEPT; iptables -F INPUT; iptables -F ufw-user-input")
        assert repaired(kbz).json()["hosts"][host]["changed"] == 1
        assert kbz.on(host, whole) == before


PATRONICTL = "docker exec patroni patronictl -c /etc/patroni/patroni.yml"


def psql(kbz: Kbz, host: str, *statements: str) -> None:
    """Run statements as the superuser on a member itself."""
    user = load_credentials(kbz.root / "credentials")["POSTGRES_SUPERUSER"].reveal()
    for statement in statements:
        argv = f'psql -h /var/run/postgresql -XqAt -U {user} -d postgres -c "{statement}"'
        kbz.on(host, f"docker exec patroni {argv}")


class TestBadStates:
    """Rows of docs/states.md, each made by hand and taken back by the way out that kbz names."""

    def test_a_paused_cluster_has_no_spare_and_restarts_nothing(self, kbz: Kbz) -> None:
        kbz.good("run", "patroni", "--limit", "db")
        assert spare(kbz, "patroni", "db") == 1
        kbz.on("db-master-01", f"{PATRONICTL} pause --wait")
        agrees(kbz, "db-master-01", "pc list", "Maintenance mode: on")
        found = findings(kbz, "patroni", "db")
        assert "no member takes over" in found["patroni.paused"]
        assert spare(kbz, "patroni", "db") == 0
        refused = kbz("restart", "patroni", "--limit", "db-slave-01")
        assert refused.code != 0
        assert "can hold no more" in refused.stdout + refused.stderr
        assert "patroni.paused" in refused.stdout + refused.stderr
        take(kbz, found["patroni.paused"])
        until(lambda: "patroni.paused" not in findings(kbz, "patroni", "db"), 60, "it is resumed")

    def test_what_was_set_inside_by_hand_is_told(self, kbz: Kbz) -> None:
        leading = str(leader(kbz))
        psql(kbz, leading, "ALTER SYSTEM SET synchronous_commit=off", "SELECT pg_reload_conf()")
        psql(kbz, leading, "CREATE ROLE evil SUPERUSER LOGIN")
        kbz.on(leading, f"{PATRONICTL} edit-config -s synchronous_mode_strict=true --force")
        agrees(kbz, leading, 'p "SHOW synchronous_commit"', "off")
        agrees(kbz, leading, "p \"SELECT rolsuper FROM pg_roles WHERE rolname='evil'\"", "t")
        agrees(kbz, leading, "pc show-config", "synchronous_mode_strict: true")
        found = findings(kbz, "patroni", "db")
        assert "synchronous_commit=off" in found["patroni.settings.by-hand"]
        assert "evil" in found["patroni.superusers.described"]
        assert "synchronous_mode_strict = true" in found["patroni.settings.undescribed"]
        psql(kbz, leading, "ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()")
        psql(kbz, leading, "DROP ROLE evil")
        kbz.on(leading, f"{PATRONICTL} edit-config -s synchronous_mode_strict=null --force")
        until(lambda: not _patroni(findings(kbz, "patroni", "db")), 60, "all of it is taken back")

    def test_a_paused_container_is_named_and_a_run_lets_it_go_on(self, kbz: Kbz) -> None:
        follower = next(host for host in DB if host != leader(kbz))
        kbz.on(follower, "docker pause patroni")
        agrees(kbz, follower, "docker ps", "(Paused)")
        assert "paused: patroni" in findings(kbz, "patroni", "db")["base.containers.paused"]
        kbz.good("run", "patroni", "--limit", "db")
        assert "false" in kbz.on(follower, "docker inspect -f '{{.State.Paused}}' patroni")

    def test_doors_and_rights_by_hand_are_strays(self, kbz: Kbz) -> None:
        host = "db-slave-01"
        sudo, drop_in = "/etc/sudoers.d/deploy", "/etc/systemd/system/docker.service.d/x.conf"
        drift = ("drift", "base", "--limit", host, "--format", "json")
        kbz.good(*drift)
        kbz.on(host, "ufw allow 5432/tcp; iptables -I INPUT -p tcp --dport 9 -j ACCEPT")
        kbz.on(host, f"mkdir -p {Path(drop_in).parent} /etc/sudoers.d; touch {sudo} {drop_in}")
        agrees(kbz, host, "ufw status", "5432/tcp")
        agrees(kbz, host, "iptables -S INPUT", "--dport 9 -j ACCEPT")
        items = kbz(*drift).json()["drift"]["items"]
        assert {item["id"].removeprefix(f"stray/{host}/") for item in items} == {
            "door:ufw 5432/tcp from anywhere",
            "door:IPv4 -A INPUT -p tcp -m tcp --dport 9 -j ACCEPT",
            f"added:{sudo}",
            f"added:{drop_in}",
        }
        kbz.on(host, "ufw delete allow 5432/tcp; iptables -D INPUT -p tcp --dport 9 -j ACCEPT")
        kbz.on(host, f"rm {sudo} {drop_in}")
        kbz.good(*drift)

    def test_two_that_take_writes_are_seen_by_asking_each(self, kbz: Kbz) -> None:
        old = str(leader(kbz))
        # The container's first process only waits for the manager.
        manager = "'[p]atroni /etc/patroni/patroni.yml'"
        kbz.on(old, f"pkill -STOP -f {manager}")
        try:
            until(
                lambda: "patroni.writer.single" in findings(kbz, "patroni", "db"), 120, "two write"
            )
            for host in {old, str(leader(kbz))}:
                agrees(kbz, host, "p 'SELECT pg_is_in_recovery()'", "f")
            assert f"--limit {old}" in findings(kbz, "patroni", "db")["patroni.writer.single"]
            assert wrong(kbz, [Seen("S-05", old, "patroni.writer.single", ())], "db") == []
            other = next(host for host in DB if host != old)
            refused = kbz("restart", "patroni", "--limit", other)
            assert refused.code == ExitCode.FAILED, refused.stdout
            assert re.search(r"can hold no more: \S*patroni\.writer\.single", refused.stdout)
        finally:
            kbz.on(old, f"pkill -CONT -f {manager}")
        until(lambda: not _patroni(findings(kbz, "patroni", "db")), 120, "one leads, two follow")


def _patroni(found: dict[str, str]) -> list[str]:
    return [check for check in found if check.startswith("patroni.")]


class TestSavedPlan:
    def test_it_is_applied_exactly_or_not_at_all(self, kbz: Kbz, tmp_path: Path) -> None:
        saved = str(tmp_path / "plan.json")
        kbz.on("db-slave-02", "sysctl -qw net.core.somaxconn=128")
        assert kbz("plan", "base", "--limit", "db", "--out", saved).code == 2
        kbz.on("db-slave-01", "sysctl -qw net.core.somaxconn=128")
        refused = kbz("run", "--plan", saved)
        assert refused.code == 3
        assert "the hosts have moved since" in " ".join(refused.stdout.split())
        assert kbz.on("db-slave-02", "sysctl -n net.core.somaxconn").strip() == "128"
        assert kbz("plan", "base", "--limit", "db", "--out", saved).code == 2
        done = kbz("run", "--plan", saved, "--format", "json")
        assert done.code == 0
        assert sum(host["changed"] for host in done.json()["hosts"].values()) == 2

    def test_more_than_one_cluster_needs_a_word(self, kbz: Kbz) -> None:
        done = kbz("run", "base")
        assert done.code == 3
        assert "--all" in done.stderr
