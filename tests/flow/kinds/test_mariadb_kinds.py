"""How the agent reads and writes MariaDB: the version of its data, databases, users, and a stopped node's position."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.kinds.docker import containers
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.mysql import DeniedError, ShutOutError, stored
from keybuzz.model.core.secret import Secret
from tasks.galera.agent import mariadb as kind
from tasks.galera.agent.position import answer_galera_position as position
from tasks.galera.agent.query import answer_mysql_checksums as checksums
from tasks.galera.service.checksums import MysqlChecksums
from tasks.galera.service.resources import MysqlAccess, MysqlDatabase, MysqlNoUser, MysqlUser
from tests.flow.servers.mysql_server import FakeMysql, Rows, fake_mysql

LOCAL = "127.0.0.1"
ROOT, PASSWORD = "PlantedNeedle-root-1234", "PlantedNeedle-app-12345"
FORMER = "PlantedNeedle-before-1234"
NOWHERE: Any = SimpleNamespace()
UUID = "b4b69ad2-e994-11f1-94c9-5a6ffdb6ac67"


@dataclass
class Account:
    """What the server knows of the application's user."""

    there: bool = True
    grants: list[str] = field(default_factory=list)
    server: FakeMysql | None = None
    repairs: bool = True
    """False for a server on which another account matches first."""
    ways: str = ""
    """How it logs in, as SHOW CREATE USER says it; empty: by the right password and no other."""

    def answer(self, statement: str) -> Rows | None:
        if statement.startswith("SELECT 1 FROM mysql.global_priv"):
            return [("1",)] if self.there else []
        if statement.startswith("SHOW CREATE USER"):
            ways = self.ways or f"IDENTIFIED VIA mysql_native_password USING '{stored(PASSWORD)}'"
            return [(f"CREATE USER `erp`@`%` {ways}",)]
        if statement.startswith("SHOW GRANTS"):
            usage = "GRANT USAGE ON *.* TO `erp`@`%` IDENTIFIED BY PASSWORD '*8C1'"
            return [(usage,), *((grant,) for grant in self.grants)]
        if statement.startswith(("CREATE USER", "ALTER USER")) and self.repairs:
            assert self.server is not None
            if statement.startswith("ALTER USER") or not self.there:
                self.server.users["erp"] = PASSWORD
                self.ways = statement.partition("'%' ")[2]
            self.there = True
        return None


def user(port: int, former: str = "") -> dict[str, Any]:
    access = MysqlAccess(LOCAL, "root", Secret("R", ROOT), port)
    grants = (("ALL PRIVILEGES", "erp_next.*"),)
    before = Secret("P", former) if former else None
    return MysqlUser(access, "erp", Secret("P", PASSWORD), grants, before).order()


class TestUsers:
    def test_a_real_login_and_the_grants_are_read(self) -> None:
        account = Account(grants=["GRANT ALL PRIVILEGES ON `erp\\_next`.* TO `erp`@`%`"])
        with fake_mysql(account.answer, {"root": ROOT, "erp": PASSWORD}) as server:
            found = kind.read_mysql_user(user(server.port), NOWHERE)
        assert found["attributes"] == {
            "logs_in": True,
            "grants": ["ALL PRIVILEGES ON erp_next.*"],
            "others": [],
        }

    def test_a_password_that_does_not_log_in_is_a_difference(self) -> None:
        with fake_mysql(Account().answer, {"root": ROOT, "erp": "another"}) as server:
            found = kind.read_mysql_user(user(server.port), NOWHERE)
        assert found["attributes"] == {"logs_in": False, "grants": [], "others": []}

    def test_it_is_created_once_and_never_dropped(self) -> None:
        account = Account(there=False)
        with fake_mysql(account.answer, {"root": ROOT}) as server:
            account.server = server
            kind.write_mysql_user(user(server.port), NOWHERE)
        changes = [line for line in server.said if not line.startswith(("SELECT", "SHOW"))]
        assert [line.split(" ")[0] for line in changes] == ["CREATE", "GRANT"]
        assert "CREATE USER IF NOT EXISTS 'erp'@'%'" in changes[0]
        assert changes[1] == "GRANT ALL PRIVILEGES ON `erp\\_next`.* TO 'erp'@'%'"

    def test_its_password_is_set_again_only_when_the_login_fails(self) -> None:
        account = Account()
        with fake_mysql(account.answer, {"root": ROOT, "erp": "another"}) as server:
            account.server = server
            kind.write_mysql_user(user(server.port), NOWHERE)
            assert any(line.startswith("ALTER USER") for line in server.said)
            server.said.clear()
            kind.write_mysql_user(user(server.port), NOWHERE)
            assert not any(line.startswith("ALTER USER") for line in server.said)

    def test_while_a_rotation_lasts_it_has_two_passwords_and_afterwards_one(self) -> None:
        way = "mysql_native_password USING"
        account = Account(ways=f"IDENTIFIED VIA {way} '{stored(FORMER)}'")
        with fake_mysql(account.answer, {"root": ROOT, "erp": FORMER}) as server:
            account.server = server
            both = user(server.port, FORMER)
            before = kind.read_mysql_user(both, NOWHERE)["attributes"]
            kind.write_mysql_user(both, NOWHERE)
            during = kind.read_mysql_user(both, NOWHERE)["attributes"]
            found = kind.read_mysql_user(user(server.port), NOWHERE)["attributes"]
            kind.write_mysql_user(user(server.port), NOWHERE)
            after = kind.read_mysql_user(user(server.port), NOWHERE)["attributes"]
            alters = [line for line in server.said if line.startswith("ALTER USER")]
        assert (before["logs_in"], before["others"]) == (False, ["the former one"])
        assert (during["logs_in"], during["others"]) == (True, ["the former one"])
        assert (found["logs_in"], found["others"]) == (True, ["another one"])
        assert (after["logs_in"], after["others"]) == (True, [])
        ways = f"{way} '{stored(FORMER)}' OR {way} '{stored(PASSWORD)}'"
        assert alters == [
            f"ALTER USER 'erp'@'%' IDENTIFIED VIA {ways}",
            f"ALTER USER 'erp'@'%' IDENTIFIED VIA {way} '{stored(PASSWORD)}'",
        ]

    def test_an_administrator_comes_in_by_the_former_password_where_the_new_one_is_not_taken(
        self,
    ) -> None:
        order = user(0)
        with fake_mysql(Account().answer, {"root": FORMER, "erp": PASSWORD}) as server:
            order["access"] |= {"port": server.port, "former": FORMER}
            assert kind.read_mysql_user(order, NOWHERE)["attributes"]["logs_in"]
            order["access"]["former"] = ""
            with pytest.raises(DeniedError):
                kind.read_mysql_user(order, NOWHERE)

    def test_the_server_gets_a_hash_and_never_the_password(self) -> None:
        account = Account(there=False)
        with fake_mysql(account.answer, {"root": ROOT}) as server:
            account.server = server
            kind.write_mysql_user(user(server.port), NOWHERE)
        said = json.dumps(server.said)
        assert "PlantedNeedle" not in said
        # SELECT PASSWORD('PlantedNeedle-app-12345') of MariaDB 10.11 is 41 characters of this form.
        assert stored(PASSWORD) in said
        assert stored("root") == "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"

    def test_a_user_that_still_can_not_log_in_is_an_error(self) -> None:
        account = Account(repairs=False)
        with (
            fake_mysql(account.answer, {"root": ROOT, "erp": "another"}) as server,
            pytest.raises(AgentError, match="still cannot log in"),
        ):
            kind.write_mysql_user(user(server.port), NOWHERE)

    def test_each_statement_travels_alone(self) -> None:
        account = Account(there=False)
        with fake_mysql(account.answer, {"root": ROOT}) as server:
            account.server = server
            kind.write_mysql_user(user(server.port), NOWHERE)
        assert [line for line in server.said if ";" in line] == []


class TestAccountsOfTheImage:
    def order(self, port: int) -> dict[str, Any]:
        access = MysqlAccess(LOCAL, "root", Secret("R", ROOT), port)
        return MysqlNoUser(access, "kb_monitor", "localhost").order()

    def test_it_is_read_by_name_and_host_and_dropped(self) -> None:
        there: Rows = [("1",)]
        with fake_mysql(lambda statement: there, {"root": ROOT}) as server:
            found = kind.read_mysql_no_user(self.order(server.port), NOWHERE)
            assert found == {"present": True, "attributes": {"there": True}}
            kind.write_mysql_no_user(self.order(server.port), NOWHERE)
            there.clear()
            found = kind.read_mysql_no_user(self.order(server.port), NOWHERE)
            assert found["attributes"] == {"there": False}
        assert server.said[0].endswith("WHERE User = 'kb_monitor' AND Host = 'localhost'")
        assert server.said[1] == "DROP USER IF EXISTS 'kb_monitor'@'localhost'"

    def test_a_server_that_shuts_us_out_is_no_wrong_password(self) -> None:
        """A password would be set again for an application that has the right one."""

        def full(statement: str) -> Rows | None:
            return Account().answer(statement)

        with (
            fake_mysql(full, {"root": ROOT, "erp": PASSWORD}) as server,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(kind, "Connection", _crowded)
            with pytest.raises(ShutOutError):
                kind.read_mysql_user(user(server.port), NOWHERE)


def _crowded(*place: object) -> None:
    raise ShutOutError(1040, "Too many connections")


class TestDatabases:
    def order(self, port: int) -> dict[str, Any]:
        access = MysqlAccess(LOCAL, "root", Secret("R", ROOT), port)
        return MysqlDatabase(access, "erp`next", "utf8mb4", "utf8mb4_unicode_ci").order()

    def test_it_is_read_and_created_if_it_is_absent(self) -> None:
        rows: Rows = []
        with fake_mysql(lambda statement: rows, {"root": ROOT}) as server:
            assert not kind.read_mysql_database(self.order(server.port), NOWHERE)["present"]
            kind.write_mysql_database(self.order(server.port), NOWHERE)
            rows.append(("utf8mb4", "latin1_bin"))
            found = kind.read_mysql_database(self.order(server.port), NOWHERE)
        assert found["attributes"] == {"character_set": "utf8mb4", "collation": "latin1_bin"}
        created = next(line for line in server.said if line.startswith("CREATE"))
        assert created.startswith("CREATE DATABASE IF NOT EXISTS `erp``next` CHARACTER SET utf8mb4")
        assert not any("DROP" in line for line in server.said)


def binlog(version: str) -> bytes:
    return b"\xfebin" + bytes(19) + b"\4\0" + version.encode().ljust(50, b"\0") + bytes(60)


class TestData:
    @pytest.mark.parametrize(
        ("names", "loadable", "layout"),
        [
            ({}, True, "bitnami"),
            ({"data/mysql_upgrade_info": b"10.11.6-MariaDB"}, True, "bitnami"),
            ({"data/mysql-bin.000001": binlog("10.11.19-MariaDB-log")}, True, "bitnami"),
            ({"data/mariadb_upgrade_info": b"11.4.2-MariaDB"}, False, "bitnami"),
            ({"data/mysql-bin.000003": binlog("11.0.2-MariaDB-log")}, False, "bitnami"),
            ({"ibdata1": b"x", "mysql_upgrade_info": b"10.6.1"}, True, "another image's"),
            ({"mariadb_upgrade_info": b"11.8.1"}, False, "bitnami"),
        ],
    )
    def test_newer_or_foreign_data_is_seen_before_an_image_opens_it(
        self, tmp_path: Path, names: dict[str, bytes], loadable: bool, layout: str
    ) -> None:
        (tmp_path / "data").mkdir()
        for name, content in names.items():
            (tmp_path / name).write_bytes(content)
        query = {"name": str(tmp_path), "newest": "10.11"}
        found = kind.read_mariadb_data(query, NOWHERE)["attributes"]
        assert (found["loadable"], found["layout"]) == (loadable, layout)

    def test_data_is_never_written(self) -> None:
        with pytest.raises(AgentError) as error:
            kind.write_mariadb_data({"name": "/data"}, NOWHERE)
        assert error.value.outcome == "refused"


def engine(state: dict[str, Any] | None, output: str = "", code: int = 0) -> Any:
    ran: list[Any] = []
    found = None if state is None else {"State": state}

    def run_once(image: str, argv: list[str], binds: list[str], *, timeout: float) -> Any:
        ran.append(argv)
        return code, output

    docker = SimpleNamespace(inspect=lambda name: found, run_once=run_once)
    return SimpleNamespace(docker=docker, ran=ran)


def question(data: Path) -> dict[str, Any]:
    return {
        "container": "mariadb",
        "data": str(data),
        "image": "i",
        "argv": ["mysqld", "--wsrep-recover"],
        "binds": [],
        "timeout": 5.0,
    }


def grastate(folder: Path, seqno: int, safe: int) -> None:
    text = f"# GALERA saved state\nversion: 2.1\nuuid:    {UUID}\nseqno:   {seqno}\nsafe_to_bootstrap: {safe}\n"
    (folder / "grastate.dat").write_text(text)


FOUND = f"2026-11-26 [Note] WSREP: Recovered position: {UUID}:42\n"


class TestPosition:
    @pytest.mark.parametrize(("seqno", "safe"), [(42, 1), (-1, 0), (99999999, 1)])
    def test_the_server_is_asked_whatever_the_file_says(
        self, tmp_path: Path, seqno: int, safe: int
    ) -> None:
        grastate(tmp_path, seqno, safe)
        (tmp_path / "ibdata1").write_bytes(b"x")
        (tmp_path / "erpnext").mkdir()
        (tmp_path / "mysql").mkdir()
        view = "kbz-view 40 maria-01,maria-02\n"
        context = engine({"Running": False}, FOUND + view)
        assert position(question(tmp_path), context) == {
            "there": True,
            "uuid": UUID,
            "seqno": seqno,
            "safe": safe == 1,
            "recovered": f"{UUID}:42",
            "view": 40,
            "members": ["maria-01", "maria-02"],
            "databases": 1,
        }
        assert len(context.ran) == 1

    def test_data_without_a_file_is_data(self, tmp_path: Path) -> None:
        (tmp_path / "ibdata1").write_bytes(b"x")
        found = position(question(tmp_path), engine(None, FOUND))
        assert (found["there"], found["uuid"], found["recovered"]) == (True, "", f"{UUID}:42")

    def test_a_server_that_does_not_find_it_is_a_problem(self, tmp_path: Path) -> None:
        grastate(tmp_path, -1, 0)
        (tmp_path / "ibdata1").write_bytes(b"x")
        with pytest.raises(AgentError, match="InnoDB: corrupt"):
            position(question(tmp_path), engine(None, "x\nInnoDB: corrupt\n", 1))

    def test_no_state_is_no_data(self, tmp_path: Path) -> None:
        assert position(question(tmp_path), engine(None))["there"] is False

    @pytest.mark.parametrize("state", [{"Running": True}, {"Running": False, "Restarting": True}])
    def test_a_running_server_is_left_alone(self, tmp_path: Path, state: dict[str, Any]) -> None:
        grastate(tmp_path, -1, 0)
        context = engine(state)
        with pytest.raises(AgentError, match="mariadb runs"):
            position(question(tmp_path), context)
        assert context.ran == []


class TestChecksums:
    def test_each_table_has_a_number_but_one_that_is_too_large(self) -> None:
        rows: dict[str, Rows] = {
            "information_schema.TABLES": [
                ("erp", "a`b", "InnoDB", "2", "16384"),
                ("erp", "old", "MyISAM", "1", "2048"),
                ("erp", "large", "InnoDB", "9", "99999999"),
            ],
            "`erp`.`a``b`": [("erp.a`b", "17")],
            "`erp`.`old`": [("erp.old", None)],
        }

        def said(statement: str) -> Rows | None:
            return next((found for key, found in rows.items() if key in statement), None)

        with fake_mysql(said, {"root": ROOT}) as server:
            access = MysqlAccess(LOCAL, "root", Secret("P", ROOT), server.port)
            asked = MysqlChecksums("x", access, largest=1 << 20).query()
            found = checksums(asked)
        assert found["denied"] == ""
        assert {name: table["checksum"] for name, table in found["tables"].items()} == {
            "erp.a`b": "17",
            "erp.old": "none",
            "erp.large": "",
        }
        assert found["tables"]["erp.old"]["engine"] == "MyISAM"

    def test_more_tables_than_it_may_read_are_a_problem(self) -> None:
        many: Rows = [("erp", str(number), "InnoDB", "0", "0") for number in range(3)]
        with fake_mysql(lambda statement: many, {"root": ROOT}) as server:
            access = MysqlAccess(LOCAL, "root", Secret("P", ROOT), server.port)
            with pytest.raises(AgentError, match="more than 2 tables"):
                checksums(MysqlChecksums("x", access, most=2).query())


class TestStopping:
    @pytest.mark.parametrize(
        ("state", "runs"),
        [
            (None, False),
            ({"Running": False}, False),
            ({"Running": True}, True),
            ({"Running": False, "Restarting": True}, True),
        ],
    )
    def test_a_container_that_docker_starts_again_and_again_runs(
        self, state: dict[str, Any] | None, runs: bool
    ) -> None:
        found = containers.read_container_stopped({"name": "mariadb"}, engine(state))
        assert found["attributes"] == {"running": runs}

    def test_it_is_stopped_with_patience(self) -> None:
        calls: list[Any] = []

        def act(*words: Any, **more: Any) -> None:
            calls.append((words, more))

        context: Any = SimpleNamespace(docker=SimpleNamespace(act=act))
        order = {"name": "mariadb", "stop_timeout": 120}
        containers.write_container_stopped(order, context)
        [(words, more)] = calls
        assert words == ("POST", "/containers/mariadb/stop?t=120")
        assert more["timeout"] > 120
