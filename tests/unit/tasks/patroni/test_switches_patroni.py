"""What somebody set by hand on PostgreSQL HA: found, judged, and never counted as a spare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keybuzz.engine.change.guard import QuorumError, cluster_of, guard_quorum
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from tasks.patroni import MODULE
from tasks.patroni.checks import checks
from tasks.patroni.members import UNPROTECTED, able
from tasks.patroni.service.readings import PostgresLogin
from tests.unit.tasks.patroni.cluster_world import World
from tests.unit.tasks.patroni.test_checks_patroni import HOSTS, Cluster

WELL = ["true", "", "", "kb_super", "false", "", "", "2", "3 197 1000"]


def told(live: Live, check: str) -> list[Finding]:
    """Return the findings of one check that are not ok."""
    return [item for item in checks(live) if item.check == check and item.level > Level.OK]


def answering(live: Live, **rows: list[str]) -> Live:
    """Return the state with what each PostgreSQL says of itself; underscores stand for hyphens in names.

    The columns that a row leaves out are as in health.
    """
    hosts = dict(live.hosts)
    for name, row in rows.items():
        host = name.replace("_", "-")
        whole = [*row, *WELL[len(row) :]]
        answer = Answer("patroni.server", {"accepted": True, "reason": "", "row": whole})
        hosts[host] = replace(hosts[host], answers={**hosts[host].answers, answer.name: answer})
    return replace(live, hosts=hosts)


def stopping(host: str) -> Stage:
    container = Container("patroni", "image:1")
    return Stage("replace", (Change(host, "patroni", container, Action.UPDATE, disrupts=True),))


class TestPaused:
    """S-01: `patronictl pause`, as every member then tells it in GET /patroni."""

    def paused(self) -> Live:
        cluster = Cluster()
        for host in HOSTS:
            cluster.change(host, pause=True)
        return cluster.live()

    def test_it_is_critical_with_the_command_that_ends_it(self) -> None:
        [found] = told(self.paused(), "patroni.paused")
        assert found.level is Level.CRITICAL
        assert "no member takes over" in found.message
        assert found.hint.endswith("patronictl -c /etc/patroni/patroni.yml resume")

    def test_no_spare_is_counted_and_the_leader_may_not_be_stopped(self) -> None:
        counted = cluster_of(MODULE, self.paused())
        assert (len(counted.up), counted.spare) == (3, 0)
        with pytest.raises(QuorumError, match="no other member of patroni could take over"):
            guard_quorum(stopping("db-1"), [counted])
        guard_quorum(stopping("db-2"), [counted])

    def test_no_gate_waits_for_it(self) -> None:
        assert {i.id for i in MODULE.check_infos if i.lasting} >= {"patroni.paused"}

    def test_without_it_there_is_one_to_spare(self) -> None:
        counted = cluster_of(MODULE, Cluster().live())
        assert counted.spare == 1
        guard_quorum(stopping("db-1"), [counted])


class TestTags:
    @pytest.mark.parametrize("tags", [{"nofailover": True}, {"failover_priority": 0}])
    def test_one_that_never_leads_is_no_spare(self, tags: dict[str, Any]) -> None:
        cluster = Cluster()
        cluster.change("db-2", tags=tags)
        cluster.change("db-3", tags=tags)
        live = cluster.live()
        assert able(live) == {"db-1"}
        assert {item.level for item in told(live, "patroni.member.tags")} == {Level.CRITICAL}

    def test_one_that_takes_no_readers_is_told(self) -> None:
        cluster = Cluster()
        cluster.change("db-2", tags={"noloadbalance": True})
        [found] = told(cluster.live(), "patroni.member.tags")
        assert (found.level, found.host) == (Level.WARN, "db-2")
        assert "db-2" in able(cluster.live())


class TestServers:
    def test_two_that_take_writes_are_seen_by_asking_each(self) -> None:
        """S-05: the old leader's Patroni is stopped in place, and its PostgreSQL goes on."""
        cluster = Cluster()
        cluster.own["db-2"] = None
        live = answering(cluster.live(), db_1=["false", "", "", ""], db_2=["false", "", "", ""])
        [found] = told(live, "patroni.writer.single")
        assert "db-1 and db-2 take writes" in found.message
        assert "--limit db-2" in found.hint
        assert found.hint.endswith("docker stop patroni")
        assert any(i.lasting for i in MODULE.check_infos if i.id == found.check), "not waited for"

    def test_a_setting_of_alter_system_is_named(self) -> None:
        """S-03."""
        live = answering(Cluster().live(), db_1=["false", "synchronous_commit=off", "", ""])
        [found] = told(live, "patroni.settings.by-hand")
        assert "synchronous_commit=off" in found.message

    @pytest.mark.parametrize(("kept", "level"), [(1 << 20, Level.WARN), (16 << 30, Level.CRITICAL)])
    def test_a_slot_without_a_reader_is_weighed_by_what_it_keeps(
        self, kept: int, level: Level
    ) -> None:
        """S-04: slots of members come and go with them, and are Patroni's."""
        row = ["false", "", f"db_2=999, old_standby={kept}", ""]
        [found] = told(answering(Cluster().live(), db_1=row), "patroni.slots.inactive")
        assert found.level is level
        assert "old_standby" in found.message
        assert "db_2" not in found.message

    @pytest.mark.parametrize("kept", [1 << 20, 64 << 30])
    def test_the_slot_of_the_backups_is_never_advised_away(self, kept: int) -> None:
        """While backup-01 is down nothing reads it, and it keeps what the backups still need."""
        row = ["false", "", f"kbz_backup={kept}", ""]
        [found] = told(answering(Cluster().live(), db_1=row), "patroni.slots.inactive")
        assert found.level is Level.WARN
        assert "pg_drop_replication_slot" not in found.hint
        assert "kbz health backup" in found.hint

    def test_the_slot_of_the_backups_hides_no_other(self) -> None:
        row = ["false", "", f"kbz_backup=1, old_standby={16 << 30}", ""]
        [found] = told(answering(Cluster().live(), db_1=row), "patroni.slots.inactive")
        assert found.level is Level.CRITICAL
        assert "pg_drop_replication_slot" in found.hint
        assert "never drop kbz_backup" in found.hint

    def test_a_superuser_that_no_file_describes_is_critical(self) -> None:
        """S-06."""
        live = World.healthy(3).live()
        roles = [r for r in live.hosts["db-1"].resources if getattr(r, "superuser", False)]
        own = str(getattr(roles[0], "role", ""))
        good = answering(live, db_1=["false", "", "", own])
        assert told(good, "patroni.superusers.described") == []
        bad = answering(live, db_1=["false", "", "", f"{own}, evil"])
        [found] = told(bad, "patroni.superusers.described")
        assert (found.level, "evil" in found.message) == (Level.CRITICAL, True)

    def test_what_a_server_does_not_say_is_unknown(self) -> None:
        live = answering(Cluster().live(), db_1=[*WELL, "more"])
        found = [item for item in checks(live) if item.level > Level.OK]
        assert {item.level for item in found} == {Level.UNKNOWN}
        assert {item.check: item.host for item in found} == {
            "patroni.writer.single": "",
            "patroni.server.answers": "db-1",
            "patroni.settings.by-hand": "db-1",
            "patroni.replay.paused": "db-1",
            "patroni.hba.open": "db-1",
            "patroni.slots.inactive": "db-1",
            "patroni.superusers.described": "db-1",
            "patroni.settings.of-roles": "db-1",
            "patroni.sessions.room": "db-1",
            "patroni.transactions.age": "db-1",
        }


class TestStore:
    """S-02: keys of GET /config that nobody described."""

    def holding(self, *, pending: bool = False, **more: Any) -> Live:
        live = World.healthy(3).live()
        document = {"ttl": 30, "loop_wait": 10, "pause": None, **more}
        hosts = {}
        for host, view in live.hosts.items():
            own = view.answers["patroni.self"].value
            said = {**own, "json": {**own["json"], "pending_restart": pending}}
            answers = {
                **view.answers,
                "patroni.config": Answer("patroni.config", {"status": 200, "json": document}),
                "patroni.self": Answer("patroni.self", said),
            }
            hosts[host] = replace(view, answers=answers)
        return replace(live, hosts=hosts)

    def test_described_keys_are_no_news(self) -> None:
        assert told(self.holding(), "patroni.settings.undescribed") == []

    def test_a_key_by_hand_is_named_with_its_value(self) -> None:
        live = self.holding(postgresql={"parameters": {"archive_mode": "on"}})
        [found] = told(live, "patroni.settings.undescribed")
        assert found.level is Level.WARN
        assert 'postgresql.parameters.archive_mode = "on"' in found.message

    def test_one_that_waits_for_a_restart_refuses_the_restart(self) -> None:
        live = self.holding(pending=True, postgresql={"parameters": {"archive_mode": "on"}})
        [found] = told(live, "patroni.settings.undescribed")
        assert found.level is Level.CRITICAL
        assert "a restart would put it into effect" in found.message

    @pytest.mark.parametrize("key", ["synchronous_mode", "synchronous_mode_strict"])
    def test_one_that_can_stop_writes_is_critical(self, key: str) -> None:
        [found] = told(self.holding(**{key: True}), "patroni.settings.undescribed")
        assert found.level is Level.CRITICAL
        [off] = told(self.holding(**{key: False}), "patroni.settings.undescribed")
        assert off.level is Level.WARN


class TestInside:
    """What was done inside a server by hand, past its configuration."""

    def test_replay_that_was_paused_is_told_where_it_was(self) -> None:
        live = answering(Cluster().live(), db_2=["true", "", "", "", "true", "", ""])
        [found] = told(live, "patroni.replay.paused")
        assert (found.host, found.level) == ("db-2", Level.WARN)
        assert "pg_wal_replay_resume" in found.hint

    @pytest.mark.parametrize(
        ("setting", "level"),
        [
            ("every role in keybuzz: default_transaction_read_only=on", Level.CRITICAL),
            ("kb_app in every database: session_replication_role=replica", Level.CRITICAL),
            ("kb_app in keybuzz: synchronous_commit=off", Level.CRITICAL),
            ("kb_app in keybuzz: default_transaction_read_only=off", Level.WARN),
            ("kb_app in keybuzz: search_path=own, public", Level.WARN),
        ],
    )
    def test_settings_of_roles_and_databases_are_weighed(self, setting: str, level: Level) -> None:
        row = ["false", "", "", "", "false", setting, ""]
        [found] = told(answering(Cluster().live(), db_1=row), "patroni.settings.of-roles")
        assert (found.level, setting in found.message) == (level, True)
        assert "6432" in found.hint, "sessions of the pool keep it after a RESET"
        # The whole cluster has the same: a replica is not asked a second time.
        live = answering(Cluster().live(), db_2=["true", "", "", "", "false", setting, ""])
        assert told(live, "patroni.settings.of-roles") == []

    def of_roles(self, *settings: str) -> tuple[Level, str]:
        """Judge settings of the cluster that describes kb_app and its own roles."""
        row = ["false", "", "", "kb_admin", "false", ", ".join(settings), ""]
        live = answering(World.healthy(3).live(), db_1=row)
        [found] = told(live, "patroni.settings.of-roles")
        return found.level, found.message

    @pytest.mark.parametrize(
        "setting",
        [
            "grafana_ro in every database: default_transaction_read_only=on",
            "grafana_ro in keybuzz: search_path=own, public default_transaction_read_only=on",
            "grafana_ro in my base: synchronous_commit=off",
            "a reader in keybuzz: session_replication_role=replica",
        ],
    )
    def test_a_reporting_role_that_no_file_describes_stops_nothing(self, setting: str) -> None:
        """ALTER ROLE … SET default_transaction_read_only is how one is made: it once held back every run."""
        level, message = self.of_roles(setting)
        assert (level, setting in message) == (Level.WARN, True)

    @pytest.mark.parametrize("role", ["every role", "kb_app", "kb_admin", "kb_repl"])
    @pytest.mark.parametrize(
        "before",
        [
            "grafana_ro in every database: work_mem=64MB",
            "grafana_ro in a: application_name=x, y in z: ",
            "grafana_ro in a: application_name=x, every role in",
            f"grafana_ro in a: search_path={'x' * 300}",
            "a reader in my base: search_path=own, public",
        ],
    )
    def test_what_stops_kbz_own_roles_is_critical_and_shown_first(
        self, role: str, before: str
    ) -> None:
        bad = f"{role} in keybuzz: default_transaction_read_only=on"
        level, message = self.of_roles(before, bad)
        assert (level, bad in message) == (Level.CRITICAL, True)

    def test_a_line_that_asks_for_no_password_is_an_open_door(self) -> None:
        row = ["true", "", "", "", "false", "", "10.0.0.0/16\nhost all all 10.0.0.7 trust"]
        [found] = told(answering(Cluster().live(), db_2=row), "patroni.hba.open")
        assert (found.host, found.level) == ("db-2", Level.CRITICAL)
        assert "10.0.0.7 trust" in found.message

    @pytest.mark.parametrize(
        "line",
        [
            "host all all 10.0.0.0/255.0.0.0 scram-sha-256",
            "host all all 128.0.0.0/128.0.0.0 scram-sha-256",
            "host all all 192.168.0.0/255.255.0.0 md5",
            "host all all 0.0.0.0/0.0.0.0 scram-sha-256",
            "host all all ::/:: scram-sha-256",
            "host all all all scram-sha-256",
            "host all all samenet scram-sha-256",
            "hostssl all some one db.example scram-sha-256",
            "host all all 127.0.0.1 trust",
            "host all all 10.0.0.7 password",
            "line 7 is not read",
        ],
    )
    def test_a_line_that_lets_in_more_than_this_network_is_an_open_door(self, line: str) -> None:
        good = ("host all all 127.0.0.1 scram-sha-256", "host all all ::1 scram-sha-256")
        ours = "host replication kb_repl 10.0.0.0/255.255.0.0 scram-sha-256"
        near = "host all all 10.0.5.0/255.255.255.0 scram-sha-256"
        well = [*good, ours, near, "host all all 10.0.0.7 md5", "host all all samehost md5"]

        def said(*lines: str) -> list[Finding]:
            row = ["true", "", "", "", "false", "", "\n".join(["10.0.0.0/16", *lines])]
            return told(answering(Cluster().live(), db_2=row), "patroni.hba.open")

        assert said(*well) == []
        [found] = said(*well, line)
        assert found.level is Level.CRITICAL
        assert found.message == f"pg_hba.conf lets in more than is described: {line}"
        assert found.hint == "kbz restart patroni --limit db-2"

    def test_a_line_that_rejects_is_not_asked_for_and_the_network_is_told(self) -> None:
        view = World.healthy(3).live().hosts["db-1"]
        [asked] = [item for item in view.readings if isinstance(item, PostgresLogin)]
        assert "auth_method <> 'reject'" in asked.statement
        assert "'10.0.0.0/16' || chr(10)" in asked.statement

    def test_a_login_that_meets_no_question_is_an_open_door_and_the_rest_unknown(self) -> None:
        live = Cluster().live()
        refused = {"accepted": False, "reason": UNPROTECTED, "row": None}
        view = live.hosts["db-2"]
        answers = {**view.answers, "patroni.server": Answer("patroni.server", refused)}
        live = replace(live, hosts={**live.hosts, "db-2": replace(view, answers=answers)})
        [door] = told(live, "patroni.hba.open")
        assert (door.host, door.level) == ("db-2", Level.CRITICAL)
        [replay] = told(live, "patroni.replay.paused")
        assert (replay.host, replay.level) == ("db-2", Level.UNKNOWN)

    def test_a_switchover_that_waits_is_told_with_its_time(self) -> None:
        live = Cluster().live()
        answer = live.hosts["db-1"].answers["patroni.cluster"]
        planned = {"at": "2030-01-01T00:00:00+00:00", "from": "db-1"}
        document = {**answer.value["json"], "scheduled_switchover": planned}
        said = replace(answer, value={"status": 200, "json": document})
        view = live.hosts["db-1"]
        view = replace(view, answers={**view.answers, "patroni.cluster": said})
        [found] = told(
            replace(live, hosts={**live.hosts, "db-1": view}), "patroni.switchover.scheduled"
        )
        assert (found.level, "2030-01-01T00:00:00+00:00 from db-1" in found.message) == (
            Level.WARN,
            True,
        )
        assert found.hint.endswith("switchover --force")

    def test_a_replica_that_hangs_is_named_and_is_no_spare(self) -> None:
        """SIGSTOP of the postmaster: Patroni goes on calling it streaming."""
        live = Cluster().live()
        view = live.hosts["db-2"]
        late = Answer("patroni.server", problem="the answer did not come in time")
        view = replace(view, answers={**view.answers, "patroni.server": late})
        hung = replace(live, hosts={**live.hosts, "db-2": view})
        [found] = told(hung, "patroni.server.answers")
        assert (found.host, found.level) == ("db-2", Level.CRITICAL)
        assert "db-2" in able(live)
        assert "db-2" not in able(hung)
        [replay] = told(hung, "patroni.replay.paused")
        assert replay.level is Level.UNKNOWN
