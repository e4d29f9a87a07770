"""Findings about the entry to MariaDB, from what hosts answer."""

from __future__ import annotations

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.proxysql.checks import checks, not_good, topology
from tasks.proxysql.desired import LOG, SERVERS, WHERE
from tasks.proxysql.members import SESSIONS, login_problem, up
from tasks.proxysql.rotation import ROTATIONS
from tasks.proxysql.values import OFFLINE
from tests.unit.tasks.proxysql.proxysql_world import CONTAINER, HOSTS, MONITOR, NODES, USERS, World


def bad(live: Live) -> list[tuple[str, str, Level]]:
    return [(f.check, f.host, f.level) for f in checks(live) if f.level > Level.OK]


def finding(live: Live, check: str, host: str = HOSTS[0]) -> Finding:
    (found,) = [f for f in checks(live) if f.check == check and f.host in (host, "")]
    return found


def test_everything_good_is_said_host_by_host() -> None:
    live = World.healthy().live()
    assert bad(live) == []
    assert len(checks(live)) == 8 * 2 + 1
    assert finding(live, "proxysql.writer.single").message == f"one writer, {NODES[2]}"


def test_more_than_one_writer_is_critical() -> None:
    world = World.healthy()
    world.nodes["proxysql-02"].settled = False
    assert ("proxysql.writer.single", "proxysql-02", Level.CRITICAL) in bad(world.live())
    assert finding(world.live(), "proxysql.parity").message.endswith("the same writer")


def test_a_node_that_a_killed_run_has_left_raised_is_told_with_a_way_out() -> None:
    world = World.healthy()
    for node in world.nodes.values():
        node.raised = NODES[1]
    found = finding(world.live(), "proxysql.writer.raised")
    assert found.level is Level.WARN
    assert found.message.startswith("10.0.0.171 is raised above the others")
    assert "kbz run galera" in found.hint


def test_no_writer_is_critical_and_points_to_galera() -> None:
    world = World.healthy()
    world.writer = ""
    found = finding(world.live(), "proxysql.writer.single")
    assert (found.level, found.message) == (Level.CRITICAL, "0 writers: none")
    assert found.hint == "kbz health galera"


def test_a_password_that_only_proxysql_does_not_know_is_told_apart() -> None:
    world = World.healthy()
    world.damage("proxysql-01", USERS, runtime=())
    found = finding(world.live(), "proxysql.login")
    assert found.level is Level.CRITICAL
    assert "directly MariaDB lets the application in, through ProxySQL not" in found.message
    world.direct = "Access denied for user 'erpnext'"
    assert "neither through ProxySQL" in finding(world.live(), "proxysql.login").message


def test_the_other_host_with_another_configuration_is_part_of_each_check() -> None:
    world = World.healthy()
    world.damage("proxysql-02", MONITOR, runtime=("mysql-max_connections=1",))
    assert bad(world.live()) == [("proxysql.parity", "", Level.CRITICAL)]
    assert MONITOR in finding(world.live(), "proxysql.parity").message


def test_a_host_out_of_sight_is_unknown() -> None:
    world = World.healthy()
    world.nodes["proxysql-02"].reachable = False
    assert bad(world.live()) == [
        ("proxysql.reachable", "proxysql-02", Level.UNKNOWN),
        ("proxysql.parity", "", Level.UNKNOWN),
    ]


def test_admin_admin_and_an_open_admin_port_are_critical() -> None:
    world = World.healthy()
    world.nodes["proxysql-01"].default = "admin-admin_credentials"
    world.nodes["proxysql-02"].admin_on = "0.0.0.0"
    assert bad(world.live()) == [
        ("proxysql.default-login", "proxysql-01", Level.CRITICAL),
        ("proxysql.listens", "proxysql-02", Level.CRITICAL),
    ]


def test_a_password_that_everybody_knows_is_ended_by_what_can_end_it() -> None:
    """A run where the store has another one; a rotation where the store has it too, and then no gate waits for it."""
    world = World.healthy()
    world.nodes["proxysql-01"].default = "admin-admin_credentials"
    found = finding(world.live(), "proxysql.default-login")
    assert (found.level, found.hint) == (Level.CRITICAL, "kbz secrets rotate proxysql-admin")
    assert not_good(world.live(), ["proxysql-01"]) is None
    assert found.check in ROTATIONS[0].ends
    world.damage("proxysql-01", MONITOR, runtime=("mysql-max_connections=1",))
    assert finding(world.live(), "proxysql.default-login").hint == "kbz run proxysql"


def test_a_stopped_one_serves_nobody() -> None:
    world = World.healthy()
    world.damage("proxysql-01", CONTAINER, running=False)
    assert up(world.live()) == {"proxysql-02"}
    assert finding(world.live(), "proxysql.listens").message.endswith("no listener")
    states = {member.host: member.state for member in topology(world.live()).members}
    assert states == {"proxysql-01": "does not serve", "proxysql-02": "serves"}


def test_a_monitor_that_can_not_log_in_is_critical() -> None:
    live = World.healthy().live()
    answers = live.hosts[HOSTS[0]].answers
    rows = {
        **answers["proxysql.admin"].value["rows"],
        LOG: [
            [NODES[0], None, None, "denied", "9"],
            *([n, "YES", "4", None, "9"] for n in NODES[1:]),
        ],
    }
    admin = Answer("proxysql.admin", {"denied": "", "rows": rows})
    object.__setattr__(live.hosts[HOSTS[0]], "answers", {**answers, "proxysql.admin": admin})
    found = finding(live, "proxysql.monitor")
    assert (found.level, found.message) == (Level.CRITICAL, f"{NODES[0]}: denied")


def test_a_monitor_that_is_off_or_has_not_looked_says_nothing_of_now() -> None:
    """P1 of facts/08: a sample of 27 s ago was told as "3 nodes are Synced", and nothing failed over."""
    world = World.healthy()
    world.nodes[HOSTS[0]].age = 27_000
    found = finding(world.live(), "proxysql.monitor")
    assert found.level is Level.UNKNOWN
    assert "has not looked at" in found.message
    world.nodes[HOSTS[0]].variables["mysql-monitor_enabled"] = "false"
    found = finding(world.live(), "proxysql.monitor")
    assert (found.level, found.hint) == (Level.CRITICAL, "kbz run proxysql")
    assert "switched off" in found.message


def test_a_node_that_is_offline_is_told_though_its_last_sample_is_old() -> None:
    """ProxySQL asks a node no more that missed its pings, and samples of a node that was taken out stay."""
    live = World.healthy().live()
    answers = live.hosts[HOSTS[0]].answers
    known = answers["proxysql.admin"].value["rows"]
    others = [row for row in known[SERVERS] if row[1] != NODES[0]]
    servers = [[OFFLINE, NODES[0], "ONLINE"], *others]
    samples = [[NODES[0], "YES", "4", None, "27000"], ["10.0.0.9", "YES", "4", None, "90000"]]
    samples += [[node, "YES", "4", None, "9"] for node in NODES[1:]]
    rows = {**known, SERVERS: servers, LOG: samples}
    admin = Answer("proxysql.admin", {"denied": "", "rows": rows})
    object.__setattr__(live.hosts[HOSTS[0]], "answers", {**answers, "proxysql.admin": admin})
    found = finding(live, "proxysql.monitor")
    assert (found.level, found.message) == (Level.CRITICAL, f"offline: {NODES[0]}")


def test_a_paused_proxy_is_told_by_its_name() -> None:
    world = World.healthy()
    world.damage(HOSTS[0], SESSIONS, takes_sessions=False)
    found = finding(world.live(), "proxysql.listens")
    assert (found.level, found.hint) == (Level.CRITICAL, "kbz run proxysql")
    assert "PROXYSQL PAUSE" in found.message
    assert up(world.live()) == {HOSTS[1]}


def test_a_variable_that_differs_is_named_with_the_way_out_that_works() -> None:
    """P4 of facts/08: the hint was `kbz run proxysql`, which changes nothing that kbz does not describe."""
    world = World.healthy()
    world.nodes[HOSTS[0]].variables["mysql-hostgroup_manager_verbose"] = "2"
    world.nodes[HOSTS[0]].sums["mysql_variables"] = "0x2"
    found = finding(world.live(), "proxysql.parity")
    assert "mysql-hostgroup_manager_verbose (proxysql-01: 2, proxysql-02: None)" in found.message
    assert "UPDATE global_variables" in found.hint
    world.nodes[HOSTS[1]].variables["mysql-monitor_enabled"] = "false"
    assert finding(world.live(), "proxysql.parity").hint == "kbz run proxysql"


def test_what_no_file_describes_is_no_matter_of_a_run() -> None:
    """A user by hand on one of two: `kbz run proxysql` was the hint, and changed nothing."""
    world = World.healthy()
    world.nodes[HOSTS[0]].sums["mysql_users"] = "0x2"
    found = finding(world.live(), "proxysql.parity")
    assert (found.level, "mysql_users" in found.message) == (Level.CRITICAL, True)
    assert found.hint.startswith("no run ends it")
    assert "kbz drift proxysql" in found.hint
    world.damage(HOSTS[0], MONITOR, runtime=("mysql-max_connections=1",))
    assert finding(world.live(), "proxysql.parity").hint == "kbz run proxysql"


def test_an_error_that_holds_a_1_is_no_answer() -> None:
    """Once `SELECT 1 | grep 1` took ERROR 1045 for good."""
    rows = {WHERE: {"error": "ERROR 1045 (28000): Access denied"}}
    assert "1045" in login_problem(Answer("x", {"denied": "", "rows": rows}))
    assert login_problem(Answer("x", {"denied": "ERROR 1045", "rows": {}})) == "ERROR 1045"
    assert login_problem(Answer("x", {"denied": "", "rows": {WHERE: []}})) == "no node answered"
    assert login_problem(Answer("x", {"denied": "", "rows": {WHERE: [["maria-01"]]}})) == ""
