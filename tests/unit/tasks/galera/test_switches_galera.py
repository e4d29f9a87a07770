"""What somebody set in a running MariaDB: found, judged, no spare. Values as a real server tells them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.change.guard import QuorumError, cluster_of, guard_quorum
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from tasks.galera import MODULE
from tasks.galera.checks import checks
from tasks.galera.desired import OPEN_ACCOUNTS, STATUS, VARIABLES
from tasks.galera.members import able, together, up
from tests.unit.tasks.galera.galera_world import HOSTS, World

OPTIONS = (
    "base_dir = /bitnami/mariadb/data/; evs.inactive_timeout = PT30S; evs.keepalive_period = PT3S; "
    "evs.suspect_timeout = PT10S; gcache.size = 1G; gcs.fc_factor = 1.0; gcs.fc_limit = 256; "
    "gcs.fc_master_slave = YES; pc.ignore_quorum = false; pc.ignore_sb = false; pc.recovery = true; pc.weight = 1; "
)
MODES = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"


def told(live: Live, check: str) -> list[Finding]:
    return [item for item in checks(live) if item.check == check and item.level > Level.OK]


def saying(live: Live, host: str, statement: str, *rows: tuple[str, ...]) -> Live:
    """Return the state with rows added to what one node answers."""
    view = live.hosts[host]
    value = view.answers["galera.node"].value
    had = value["rows"].get(statement, [])
    names = {row[0] for row in rows}
    kept = [row for row in had if row[0] not in names]
    said = {**value["rows"], statement: [*kept, *map(list, rows)]}
    answers = {**view.answers, "galera.node": Answer("galera.node", {**value, "rows": said})}
    return replace(live, hosts={**live.hosts, host: replace(view, answers=answers)})


def variables(host: str = "maria-2", live: Live | None = None, **values: str) -> Live:
    found = live or World.healthy().live()
    return saying(found, host, VARIABLES, *values.items())


def with_one(name: str, value: str) -> Live:
    return saying(World.healthy().live(), "maria-2", VARIABLES, (name, value))


def stopping(host: str) -> Stage:
    container = Container("mariadb", "image:1")
    return Stage("replace", (Change(host, "galera", container, Action.UPDATE, disrupts=True),))


class TestReadOnly:
    """S-30: read_only on the two that do not write."""

    def live(self) -> Live:
        return variables("maria-3", variables("maria-2", read_only="ON"), read_only="ON")

    def test_they_are_named_and_are_no_spare(self) -> None:
        live = self.live()
        assert [item.host for item in told(live, "galera.node.writable")] == ["maria-2", "maria-3"]
        assert able(live) == {"maria-1"}
        assert cluster_of(MODULE, live).spare == 0

    def test_the_only_writer_may_not_be_stopped(self) -> None:
        counted = cluster_of(MODULE, self.live())
        with pytest.raises(QuorumError, match="no other member of galera could take over"):
            guard_quorum(stopping("maria-1"), [counted])
        guard_quorum(stopping("maria-2"), [counted])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("super_read_only", "ON"),
            ("wsrep_on", "OFF"),
            ("wsrep_reject_queries", "ALL"),
            ("read_only", "1"),
        ],
    )
    def test_the_others_of_its_kind(self, name: str, value: str) -> None:
        live = with_one(name, value)
        [found] = told(live, "galera.node.writable")
        assert found.message.startswith(f"{name} is {value}")
        assert "maria-2" not in able(live)

    def test_off_in_either_word_is_off(self) -> None:
        assert told(variables(read_only="0"), "galera.node.writable") == []
        assert told(variables(read_only="OFF"), "galera.node.writable") == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("wsrep_osu_method", "RSU", "TOI"),
        ("wsrep_max_ws_size", "2048", "2147483647"),
        ("wsrep_certify_nonpk", "OFF", "ON"),
        ("wsrep_ignore_apply_errors", "0", "7"),
    ],
)
def test_a_setting_that_no_file_names_and_that_parts_a_node_from_the_others(
    name: str, value: str, said: str
) -> None:
    [found] = told(with_one(name, value), "galera.settings.live")
    assert (found.host, found.level) == ("maria-2", Level.CRITICAL)
    assert f"{name} is {value} by hand" in found.message
    assert f"SET GLOBAL {name} = {said}" in found.hint
    assert told(with_one(name, said), "galera.settings.live") == []


def test_desync_by_hand_is_told_by_its_name_and_not_waited_for() -> None:
    """S-32: a donor is desynced too, and its variable is OFF."""
    live = saying(
        variables(wsrep_desync="ON"),
        "maria-2",
        STATUS,
        ("wsrep_local_state_comment", "Donor/Desynced"),
    )
    [found] = told(live, "galera.node.desync")
    assert (found.host, "wsrep_desync = OFF" in found.hint) == ("maria-2", True)
    assert {i.id for i in MODULE.check_infos if i.lasting} >= {"galera.node.desync"}
    donor = saying(
        World.healthy().live(), "maria-2", STATUS, ("wsrep_local_state_comment", "Donor/Desynced")
    )
    assert told(donor, "galera.node.desync") == []


class TestSettings:
    """S-31: set live, so that no file shows them."""

    def provider(self, text: str) -> list[Finding]:
        return told(variables(wsrep_provider_options=text), "galera.settings.provider")

    def test_described_options_are_good_as_the_server_writes_them(self) -> None:
        described = "gcache.size = 1G"
        live = World.healthy().live()
        files = [
            r for r in live.hosts["maria-1"].resources if getattr(r, "path", "").endswith("my.cnf")
        ]
        text = files[0].text.masked() if files else ""  # type: ignore[attr-defined]
        size = text.partition("gcache.size=")[2].partition(";")[0]
        assert self.provider(OPTIONS.replace(described, f"gcache.size = {size}")) == []

    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("pc.ignore_sb = false", "pc.ignore_sb = true"),
            ("pc.ignore_quorum = false", "pc.ignore_quorum = true"),
            ("evs.suspect_timeout = PT10S", "evs.suspect_timeout = PT1S"),
            ("pc.weight = 1", "pc.weight = 0"),
        ],
    )
    def test_an_option_by_hand_is_critical(self, was: str, now: str) -> None:
        [found] = self.provider(OPTIONS.replace(was, now).replace("gcache.size = 1G; ", ""))
        assert found.level is Level.CRITICAL
        assert now.replace(" =", " is") in found.message

    def test_an_empty_sql_mode_is_critical(self) -> None:
        assert told(variables(sql_mode=MODES), "galera.settings.sql-mode") == []
        [found] = told(variables(sql_mode=""), "galera.settings.sql-mode")
        assert found.level is Level.CRITICAL


def test_an_account_without_a_password_is_critical() -> None:
    """S-34."""
    row = ("evil", "%", "mysql_native_password", "Y", "Y")
    [found] = told(
        saying(World.healthy().live(), "maria-1", OPEN_ACCOUNTS, row), "galera.accounts.open"
    )
    assert "evil@%" in found.message


def test_accounts_that_could_not_be_read_are_unknown_and_not_green() -> None:
    """The statement failed on real servers, by their collations, and every account had a password."""
    live = World.healthy().live()
    view = live.hosts["maria-1"]
    value = view.answers["galera.node"].value
    rows = {**value["rows"], OPEN_ACCOUNTS: {"error": "Illegal mix of collations"}}
    answers = {**view.answers, "galera.node": Answer("galera.node", {**value, "rows": rows})}
    live = replace(live, hosts={**live.hosts, "maria-1": replace(view, answers=answers)})
    [found] = [f for f in checks(live) if f.check == "galera.accounts.open" and f.host == "maria-1"]
    assert (found.level, "Illegal mix" in found.message) == (Level.UNKNOWN, True)


class TestTogether:
    """Quorum numbers count the largest set that sees each other (part 6)."""

    def split(self) -> Live:
        live = World.healthy().live()
        addresses = {host: str(live.hosts[host].server.address) for host in HOSTS}
        pair = ",".join(f"{addresses[host]}:3306" for host in HOSTS[:2])
        for host in HOSTS[:2]:
            live = saying(live, host, STATUS, ("wsrep_incoming_addresses", pair))
        alone = f"{addresses['maria-3']}:3306"
        return saying(live, "maria-3", STATUS, ("wsrep_incoming_addresses", alone))

    def test_two_clusters_are_not_three_up(self) -> None:
        live = self.split()
        assert together(live) == (frozenset(HOSTS[:2]), frozenset({"maria-3"}))
        assert up(live) == set(HOSTS[:2])
        counted = cluster_of(MODULE, live)
        assert (len(counted.up), counted.spare) == (2, 0)
        [found] = told(live, "galera.cluster.one")
        assert found.level is Level.CRITICAL

    def test_nodes_that_do_not_tell_their_addresses_are_together(self) -> None:
        assert up(World.healthy().live()) == set(HOSTS)


class TestSessions:
    """Of `max_connections`, which is settled as 500."""

    @pytest.mark.parametrize(
        ("taken", "level"),
        [("399", Level.OK), ("400", Level.WARN), ("475", Level.CRITICAL), ("", Level.UNKNOWN)],
    )
    def test_they_are_told_before_none_is_left(self, taken: str, level: Level) -> None:
        live = saying(World.healthy().live(), "maria-2", STATUS, ("Threads_connected", taken))
        [found] = [
            f for f in checks(live) if (f.check, f.host) == ("galera.sessions.room", "maria-2")
        ]
        assert found.level is level
