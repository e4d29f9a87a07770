"""The Galera rollout in a small world: its birth, every half-way point, and every mixture of damages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from tasks.galera import MODULE, values
from tasks.galera.checks import checks
from tasks.galera.members import CONTAINER_ID, DATA_ID, MARKER_ID, unborn, up, virgin, writer
from tasks.galera.recover import recovery
from tasks.galera.rollout import bootstrap
from tests.unit.tasks.galera.galera_world import FLAG, HISTORY, HOSTS, INSIDE, World, roll
from tests.unit.tasks.patroni.cluster_world import damaged

CONF = "file:/opt/keybuzz/mariadb/conf/my.cnf"
RARELY = settings(max_examples=80, phases=(Phase.explicit, Phase.generate))
BIRTH = [
    "prepare",
    "mark the first start",
    "bootstrap maria-1",
    "the first start has ended",
    "join maria-2",
    "join maria-3",
    "replace mariadb on maria-1",
    "database and users",
]


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail if stage.changes]


def hurt(world: World, identity: str, *hosts: str, **attributes: object) -> None:
    for host in hosts:
        world.nodes[host].states = damaged(world.nodes[host].states, identity, **attributes)


def wipe(world: World, host: str) -> None:
    """Replace a server by a bare one."""
    world.crash(host)
    node = World.empty().nodes[host]
    world.nodes[host] = node


def exited(world: World, host: str) -> None:
    """Let a bootstrap container end: Docker does not start it again."""
    hurt(world, CONTAINER_ID, host, running=False, restart="no", environment=(FLAG,))
    node = world.nodes[host]
    node.states[CONTAINER_ID] = replace(node.states[CONTAINER_ID], present=True)


class TestBirth:
    def test_a_first_install_bootstraps_one_and_ends_with_joiners_only(self) -> None:
        world = World.empty()
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert names(world) == BIRTH
        assert world.births == 1
        assert not any(node.flagged for node in world.nodes.values())
        restarts = {n.states[CONTAINER_ID].attributes["restart"] for n in world.nodes.values()}
        assert restarts == {"unless-stopped"}

    def test_a_second_run_does_nothing(self) -> None:
        world = World.empty()
        roll(world)
        world.trail.clear()
        assert roll(world).word == "done"
        assert world.trail == []

    @pytest.mark.parametrize("after", range(1, len(BIRTH)))
    def test_a_run_that_was_cut_off_anywhere_goes_on_with_one_birth(self, after: int) -> None:
        world = World.empty()
        assert roll(world, stages=after).word == "cut"
        assert names(world) == BIRTH[:after]
        assert roll(world).word == "done"
        assert names(world) == BIRTH
        assert world.births == 1

    @pytest.mark.parametrize("after", range(3, len(BIRTH)))
    def test_it_also_goes_on_after_every_server_of_it_was_killed(self, after: int) -> None:
        """Docker starts nobody with the flag: the members that remember each other begin again by themselves."""
        world = World.empty()
        roll(world, stages=after)
        world.crash(*HOSTS)
        assert roll(world).word == "done"
        # While it is marked, it is bootstrapped again over what it has made: with the same history.
        assert world.births == (2 if after == 3 else 1)
        assert {node.history for node in world.nodes.values()} == {HISTORY}

    def test_a_bootstrap_that_died_before_there_was_data_is_begun_again(self) -> None:
        world = World.empty()
        roll(world, stages=3)
        world.crash("maria-1")
        node = world.nodes["maria-1"]
        node.history, node.number, node.view, world.births = "", -1, None, 0
        assert unborn(world.live())
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert world.births == 1

    @pytest.mark.parametrize("left", HOSTS)
    def test_a_first_start_of_a_part_is_refused(self, left: str) -> None:
        world = World.empty()
        end = roll(world, set(HOSTS) - {left})
        assert (end.word, world.births) == ("refused", 0)
        assert f"--limit leaves out {left}" in end.why

    @pytest.mark.parametrize("away", HOSTS)
    def test_a_first_start_with_a_member_out_of_sight_is_refused(self, away: str) -> None:
        world = World.empty()
        world.nodes[away].reachable = False
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)
        assert f"{away} cannot be read" in end.why

    @pytest.mark.parametrize("host", HOSTS)
    def test_data_on_any_node_forbids_a_birth(self, host: str) -> None:
        world = World.empty()
        world.nodes[host].history, world.nodes[host].number = HISTORY, 5
        assert not virgin(world.live())
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)
        assert "kbz recover galera" in end.why

    @pytest.mark.parametrize(
        ("names", "proven"), [(("lost+found",), True), (("ibdata1",), False), (("x",), False)]
    )
    def test_virgin_is_an_empty_volume(self, names: tuple[str, ...], proven: bool) -> None:
        world = World.empty()
        world.nodes["maria-2"].volume = names
        assert virgin(world.live()) is proven

    def test_data_that_could_not_be_looked_at_counts_as_data(self) -> None:
        live = World.empty().live()
        view = live.hosts["maria-2"]
        blind = Answer("galera.data", problem="Input/output error")
        seen = replace(view, answers={**view.answers, "galera.data": blind})
        live = replace(live, hosts={**live.hosts, "maria-2": seen})
        assert not unborn(live)
        assert not virgin(live)


class TestFirstStartCutOff:
    """The image's own setup is killed: system tables and no users, which it would take for persisted data."""

    def world(self, *, half: bool) -> World:
        world = World.empty()
        roll(world, stages=2)
        assert world.nodes["maria-1"].marked
        world.nodes["maria-1"].half = half
        exited(world, "maria-1")
        return world

    @pytest.mark.parametrize("half", [True, False])
    def test_the_same_command_begins_it_again(self, half: bool) -> None:
        world = self.world(half=half)
        assert virgin(world.live()), "the freeze lets it pass, also on another controller"
        assert roll(world).word == "done"
        assert names(world) == BIRTH
        assert (world.births, world.nodes["maria-1"].marked) == (1, False)

    def test_a_setup_that_is_still_at_it_is_waited_for(self) -> None:
        world = World.empty()
        roll(world, stages=3)
        node = world.nodes["maria-1"]
        node.primary, node.history, node.number, node.half = False, "", -1, True
        stage = MODULE.next_stage(world.live())
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())
        assert stage.after is not None
        assert stage.after.hopeless(world.live()) is None

    def test_a_container_that_ended_for_good_fails_the_gate_at_once(self) -> None:
        world = self.world(half=True)
        stage = bootstrap(world.live(), "maria-1", values.first_start)
        assert stage.after is not None
        why = stage.after.hopeless(world.live())
        assert why is not None
        assert "has ended and is not started again (7 restarts; last words)" in why
        assert "begins the first start again" in why

    def test_half_made_data_without_the_mark_is_never_touched(self) -> None:
        world = World.empty()
        world.nodes["maria-1"].half = True
        assert not virgin(world.live())
        assert not unborn(world.live())
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)

    def test_a_mark_beside_data_on_another_node_begins_nothing(self) -> None:
        world = self.world(half=True)
        world.nodes["maria-2"].history, world.nodes["maria-2"].number = HISTORY, 5
        assert not virgin(world.live())
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)

    def test_recover_and_health_say_what_it_is(self) -> None:
        live = self.world(half=True).live()
        with pytest.raises(RefusedError, match="first start was cut off on maria-1"):
            recovery.halt(live)
        [found] = [f for f in checks(live) if f.check == "galera.cluster.one"]
        assert "first start was cut off on maria-1" in found.message
        assert "kbz run galera" in found.hint

    def test_the_mark_stays_until_the_node_serves(self) -> None:
        world = self.world(half=False)
        world.nodes["maria-1"].denied = ""
        live = world.live()
        assert MARKER_ID in {change.identity for change in live.changes()}
        stage = MODULE.next_stage(live)
        assert stage is not None
        assert MARKER_ID not in {change.identity for change in stage.changes}


class TestLife:
    @pytest.mark.parametrize("host", HOSTS)
    def test_a_stopped_node_joins_again(self, host: str) -> None:
        world = World.healthy()
        world.stop(host)
        assert host not in up(world.live())
        assert roll(world).word == "done"
        assert names(world) == [f"join {host}"]
        assert world.births == 0

    def test_two_stopped_nodes_join_one_by_one(self) -> None:
        world = World.healthy()
        world.stop("maria-1", "maria-3")
        assert roll(world).word == "done"
        assert names(world) == ["join maria-1", "join maria-3"]

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_bare_host_joins_as_a_new_member(self, host: str) -> None:
        world = World.healthy()
        wipe(world, host)
        assert roll(world).word == "done"
        assert names(world) == ["prepare", f"join {host}"]
        assert (world.births, world.nodes[host].history) == (0, HISTORY)

    def test_a_changed_configuration_is_rolled_one_by_one_and_the_writer_comes_last(self) -> None:
        world = World.healthy()
        hurt(world, CONF, *HOSTS, digest="sha256:other")
        hurt(world, CONTAINER_ID, *HOSTS, environment=("KBZ_CONFIGURATION=old",))
        assert roll(world).word == "done"
        replaced = [f"replace mariadb on maria-{number}" for number in (1, 2, 3)]
        assert names(world) == ["prepare", *replaced]

    def test_a_lone_node_is_not_restarted(self) -> None:
        world = World.healthy()
        world.stop("maria-2", "maria-3")
        for host in ("maria-2", "maria-3"):
            world.nodes[host].reachable = False
        hurt(world, CONTAINER_ID, "maria-1", restart="always")
        end = roll(world)
        assert (end.word, world.serving()) == ("refused", ["maria-1"])

    def test_a_flag_left_by_hand_is_a_change_and_goes_first(self) -> None:
        world = World.healthy()
        hurt(world, CONTAINER_ID, "maria-2", environment=(FLAG,))
        hurt(world, CONTAINER_ID, "maria-3", restart="always")
        assert "container:mariadb" in {c.identity for c in world.live().changes()}
        assert roll(world).word == "done"
        assert names(world) == ["replace mariadb on maria-2", "replace mariadb on maria-3"]
        assert world.births == 0

    def test_what_is_inside_is_written_where_it_serves(self) -> None:
        world = World.healthy()
        world.users.discard("mysql-user:erpnext")
        assert writer(world.live()) == "maria-3", (
            "where ProxySQL leads writes, as one of 2.6.4 chooses"
        )
        world.stop("maria-3")
        live = world.live({"maria-1"})
        assert writer(live) == "maria-2"
        assert roll(world, {"maria-1"}).word == "done"
        assert world.users == set(INSIDE)

    def test_a_node_on_its_way_is_waited_for(self) -> None:
        world = World.healthy()
        world.nodes["maria-2"].settled = False
        assert roll(world).word == "done"
        assert [stage.name for stage in world.trail] == ["wait"]

    def test_another_password_is_adopted_by_the_owner_and_never_written(self) -> None:
        world = World.healthy()
        world.nodes["maria-2"].denied = "Access denied for user 'root'"
        end = roll(world)
        assert end.word == "refused"
        assert "kbz adopt galera --take-credentials" in end.why

    @pytest.mark.parametrize(
        ("attributes", "said"),
        [
            ({"loadable": False, "newest": "11.4"}, "MariaDB 11.4"),
            ({"layout": "another image's"}, "layout of another image's"),
        ],
    )
    def test_newer_or_foreign_data_is_never_touched(
        self, attributes: dict[str, object], said: str
    ) -> None:
        world = World.empty()
        hurt(world, DATA_ID, "maria-2", **attributes)
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert said in end.why


class TestTotalStop:
    def test_killed_together_they_come_back_by_themselves(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        assert roll(world).word == "done"
        assert names(world) == ["start together"]
        assert world.births == 0

    def test_stopped_one_after_the_other_nobody_is_bootstrapped(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "kbz recover galera" in end.why

    def test_a_gate_that_does_not_hold_names_the_verb(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        world.nodes["maria-2"].view = None
        world.nodes["maria-2"].history = ""
        end = roll(world)
        assert end.word == "gate"
        assert "kbz recover galera" in end.why
        assert world.births == 0

    def test_the_freeze_lets_only_a_first_install_pass(self) -> None:
        world = World.healthy()
        world.crash(*HOSTS)
        assert MODULE.virgin is not None
        assert not MODULE.virgin(world.live())


damages = st.sampled_from(
    ["none", "stop", "crash", "wipe", "flag", "outdate", "conf", "away", "joining"]
)


@RARELY
@given(st.lists(damages, min_size=3, max_size=3), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_no_mixture_of_damages_makes_a_second_cluster_or_ends_the_one(
    damage: list[str], selected: set[str]
) -> None:
    world = World.healthy()
    for host, word in zip(HOSTS, damage, strict=True):
        _damage(world, host, word)
    served, births = world.serving(), world.births
    end = roll(world, selected)
    # Three bare hosts are virgin ground, and no other mixture is.
    assert world.births == births + (set(damage) == {"wipe"} and selected == set(HOSTS))
    assert world.serving() or not served, "the run ended the cluster"
    assert end.word in ("done", "refused", "gate", "left")
    healthy = set(damage) <= {"none", "stop", "flag", "outdate", "conf", "joining"}
    if healthy and served and selected == set(HOSTS):
        # The guard counts before any gate is asked: a member that joins is not up yet, and no other is stopped.
        assert end.word == "done" or (end.word == "refused" and "joining" in damage)


def _damage(world: World, host: str, word: str) -> None:
    match word:
        case "stop":
            world.stop(host)
        case "crash":
            world.crash(host)
        case "wipe":
            wipe(world, host)
        case "flag":
            hurt(world, CONTAINER_ID, host, environment=(FLAG,))
        case "outdate":
            hurt(world, CONTAINER_ID, host, image="old:1.0")
        case "conf":
            hurt(world, CONF, host, digest="sha256:other")
        case "away":
            world.nodes[host].reachable = False
        case "joining":
            world.nodes[host].settled = False
