"""The MinIO rollout in a small world: its birth, every half-way point, and every mixture of damages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import State
from tasks.minio import MODULE, values
from tasks.minio.members import CONTAINER_ID, DRIVE_ID, nodes, up, virgin, writer
from tests.unit.tasks.minio.minio_world import (
    BUCKET,
    DEPLOYMENT,
    HOSTS,
    World,
    descriptions,
    roll,
    site,
)
from tests.unit.tasks.patroni.cluster_world import damaged

RARELY = settings(max_examples=80, phases=(Phase.explicit, Phase.generate))
BIRTH = ["prepare", "start together", "bucket"]
OTHER = "99999999-aaaa-4000-8000-000000000009"


def names(world: World) -> list[str]:
    return [stage.name for stage in world.trail if stage.changes]


def hurt(world: World, identity: str, *hosts: str, **attributes: object) -> None:
    for host in hosts:
        world.nodes[host].states = damaged(world.nodes[host].states, identity, **attributes)


class TestBirth:
    def test_three_bare_hosts_start_together_and_get_the_bucket(self) -> None:
        world = World.empty()
        assert virgin(world.live())
        assert roll(world).word == "done"
        assert names(world) == BIRTH
        [start] = [stage for stage in world.trail if stage.name == "start together"]
        assert start.hosts == HOSTS
        assert (world.births, world.bucket) == (1, "Enabled")

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
        assert roll(world).word == "done"
        assert names(world) == BIRTH
        assert world.births == 1

    @pytest.mark.parametrize("host", HOSTS)
    def test_it_also_goes_on_where_only_one_had_been_started(self, host: str) -> None:
        world = World.empty()
        roll(world, stages=1)
        found = world.live().hosts[host].resources
        wanted = next(item for item in found if item.identity == CONTAINER_ID)
        attributes = dict(wanted.wanted(site().digest_key))
        world.nodes[host].states[CONTAINER_ID] = State(CONTAINER_ID, True, attributes)
        assert roll(world).word == "done"
        assert world.births == 1

    @pytest.mark.parametrize("left", HOSTS)
    def test_a_first_start_of_a_part_is_refused(self, left: str) -> None:
        world = World.empty()
        end = roll(world, set(HOSTS) - {left})
        assert (end.word, world.births) == ("refused", 0)
        assert f"--limit leaves out {left}" in end.why
        assert not any(node.running for node in world.nodes.values())

    @pytest.mark.parametrize("away", HOSTS)
    def test_a_first_start_with_a_member_out_of_sight_is_refused(self, away: str) -> None:
        world = World.empty()
        world.nodes[away].reachable = False
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)
        assert f"{away} cannot be read" in end.why

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_drive_with_data_beside_two_empty_ones_is_a_loss_and_no_birth(
        self, host: str
    ) -> None:
        world = World.empty()
        world.nodes[host].deployment, world.nodes[host].place = DEPLOYMENT, HOSTS.index(host) + 1
        assert not virgin(world.live())
        end = roll(world)
        assert (end.word, world.births) == ("refused", 0)
        assert f"{host} alone has a format.json" in end.why
        assert not any(node.running for node in world.nodes.values())

    def test_a_drive_that_could_not_be_read_is_no_virgin_ground(self) -> None:
        live = World.empty().live()
        view = live.hosts["minio-02"]
        blind = State(DRIVE_ID, False, problem="Input/output error")
        seen = replace(view, states={**view.states, DRIVE_ID: blind})
        assert not virgin(replace(live, hosts={**live.hosts, "minio-02": seen}))


class TestIdentity:
    @pytest.mark.parametrize("host", HOSTS)
    def test_foreign_content_stops_everything_and_is_left_alone(self, host: str) -> None:
        world = World.empty()
        world.nodes[host].foreign = "photos"
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "no format.json, and photos" in end.why
        assert "never formats, empties or moves" in end.why

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_volume_that_is_not_mounted_stops_the_run_before_a_start(self, host: str) -> None:
        world = World.healthy()
        world.stop(host)
        node = world.nodes[host]
        node.mounted, node.deployment, node.place = False, "", 0
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "is not a mounted volume" in end.why

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_drive_of_another_deployment_is_never_started(self, host: str) -> None:
        world = World.healthy()
        world.stop(host)
        world.nodes[host].deployment = OTHER
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert f"the drive of {host} belongs to another deployment" in end.why

    def test_drives_that_were_exchanged_are_refused(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        world.nodes["minio-01"].place, world.nodes["minio-02"].place = 2, 1
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "the drive of minio-01 is number 2 of its set" in end.why

    def test_a_set_of_another_size_is_refused(self) -> None:
        world = World.healthy()
        world.nodes["minio-03"].size = 4
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "a set of 4 drives" in end.why

    def test_a_second_alias_is_refused(self) -> None:
        world = World.healthy()
        world.nodes["minio-02"].aliases = ("backup at 10.0.0.131:9000",)
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "backup at 10.0.0.131:9000" in end.why
        assert "MIN-5" in end.why

    def test_another_password_is_adopted_by_the_owner_and_never_written(self) -> None:
        world = World.healthy()
        world.nodes["minio-02"].denied = True
        end = roll(world)
        assert end.word == "refused"
        assert "kbz adopt minio --take-credentials" in end.why

    def test_a_described_list_that_no_node_has_is_never_rolled_out(self) -> None:
        """Another order, or another address, is another cluster: MIN-1."""
        world = World.healthy()
        drives = tuple(reversed(values.drives(site())))
        hurt(world, CONTAINER_ID, *HOSTS, command=("server", *drives))
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        assert "the cluster was made with the drives" in end.why

    def test_another_version_on_all_nodes_is_the_owners_matter(self) -> None:
        world = World.healthy()
        hurt(world, CONTAINER_ID, *HOSTS, image="minio/minio:latest (0123456789ab)")
        for node in world.nodes.values():
            node.version = "2025-01-01T00:00:00Z"
        end = roll(world)
        assert (end.word, world.trail) == ("refused", [])
        said = "the image minio/minio:latest (0123456789ab), which is 2025-01-01T00:00:00Z"
        assert said in end.why
        with pytest.raises(RefusedError, match="which is 2025"):
            MODULE.foreign(world.live())

    def test_the_described_release_under_another_name_is_rolled(self) -> None:
        """Older scripts ran `latest`; what it is, each node says itself."""
        world = World.healthy()
        hurt(world, CONTAINER_ID, *HOSTS, image="minio/minio:latest (0123456789ab)")
        assert roll(world).word == "done"
        assert names(world)[-1] == "replace minio on minio-01"
        assert len(names(world)) == len(HOSTS)

    def test_one_node_with_another_list_by_hand_is_repaired(self) -> None:
        world = World.healthy()
        drives = tuple(reversed(values.drives(site())))
        hurt(world, CONTAINER_ID, "minio-03", command=("server", *drives))
        assert roll(world).word == "done"
        assert names(world) == ["replace minio on minio-03"]
        assert sorted(world.serving()) == list(HOSTS)


class TestLife:
    @pytest.mark.parametrize("host", HOSTS)
    def test_a_stopped_node_starts_again(self, host: str) -> None:
        world = World.healthy()
        world.stop(host)
        assert up(world.live()) == set(HOSTS) - {host}
        assert roll(world).word == "done"
        assert names(world) == [f"start {host}"]

    @pytest.mark.parametrize("host", HOSTS)
    def test_a_bare_host_comes_back_by_its_own_run_and_nothing_else_is_touched(
        self, host: str
    ) -> None:
        world = World.healthy()
        world.wipe(host)
        assert roll(world, {host}).word == "done"
        assert names(world) == ["prepare", f"start {host}"]
        assert {h for stage in world.trail for h in stage.hosts} == {host}
        node = world.nodes[host]
        assert (world.births, node.deployment, node.healing) == (0, DEPLOYMENT, False)

    @pytest.mark.parametrize("bare", HOSTS)
    def test_after_a_stop_of_all_those_with_data_start_before_the_bare_one(self, bare: str) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        world.wipe(bare)
        assert roll(world).word == "done"
        assert names(world) == ["prepare", "start together", f"start {bare}"]
        assert world.births == 0

    def test_a_bare_host_does_not_start_beside_one_that_is_alone(self) -> None:
        world = World.healthy()
        world.stop("minio-02")
        world.nodes["minio-02"].reachable = False
        world.wipe("minio-03")
        end = roll(world)
        assert end.word == "refused"
        assert "minio-02 cannot be read" in end.why
        assert not world.nodes["minio-03"].running

    def test_killed_together_they_start_together(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        assert roll(world).word == "done"
        assert names(world) == ["start together"]
        assert world.births == 0

    def test_one_of_three_stopped_ones_can_not_begin_alone(self) -> None:
        world = World.healthy()
        world.stop(*HOSTS)
        end = roll(world, {"minio-03"})
        assert (end.word, world.trail) == ("refused", [])
        assert "--limit leaves out minio-01, minio-02" in end.why

    def test_what_differs_is_replaced_one_by_one_and_the_entry_comes_last(self) -> None:
        world = World.healthy()
        hurt(world, CONTAINER_ID, *HOSTS, restart="always")
        assert roll(world).word == "done"
        assert names(world) == [f"replace minio on minio-0{number}" for number in (2, 3, 1)]

    def test_nothing_is_replaced_while_a_drive_heals_or_a_node_is_away(self) -> None:
        world = World.healthy()
        hurt(world, CONTAINER_ID, "minio-02", restart="always")
        world.stop("minio-03")
        world.nodes["minio-03"].reachable = False
        end = roll(world)
        assert end.word == "refused"
        assert world.serving() == ["minio-01", "minio-02"]

    def test_a_drive_that_heals_is_waited_for(self) -> None:
        world = World.healthy()
        world.nodes["minio-02"].healing = True
        assert roll(world).word == "done"
        assert [stage.name for stage in world.trail] == ["wait"]

    def test_another_module_waits_until_the_others_have_everything(self) -> None:
        world = World.healthy()
        world.nodes["minio-02"].healing = True
        stage = MODULE.release(world.live(), "minio-03")
        assert stage is not None
        assert stage.after is not None
        assert "is being healed" in str(stage.after.reason(world.live()))
        world.wait()
        assert stage.after.reason(world.live()) is None

    def test_the_bucket_is_made_at_the_entry_only_and_waits_while_it_is_away(self) -> None:
        world = World.healthy()
        world.bucket = ""
        world.stop("minio-01")
        world.nodes["minio-01"].reachable = False
        assert writer(world.live()) is None
        assert roll(world).word == "left"
        assert world.bucket == ""
        world.nodes["minio-01"].reachable = True
        assert roll(world).word == "done"
        assert world.bucket == "Enabled"

    def test_a_bucket_whose_versions_were_suspended_is_drift(self) -> None:
        world = World.healthy()
        world.bucket = "Suspended"
        assert {change.identity for change in world.live().changes()} == {BUCKET}
        assert roll(world, {"minio-03"}).word == "done"
        assert names(world) == ["bucket"]


damages = st.sampled_from(
    ["none", "stop", "wipe", "outdate", "away", "heal", "foreign", "other", "unmounted", "order"]
)
GOOD = {"none", "stop", "outdate", "heal"}


@RARELY
@given(st.lists(damages, min_size=3, max_size=3), st.sets(st.sampled_from(HOSTS), min_size=1))
def test_no_mixture_of_damages_makes_a_second_cluster_or_ends_the_one(
    damage: list[str], selected: set[str]
) -> None:
    world = World.healthy()
    for host, word in zip(HOSTS, damage, strict=True):
        _damage(world, host, word)
    served, births = world.serving(), world.births
    before = {host: node.deployment for host, node in world.nodes.items()}
    end = roll(world, selected)
    # Three bare hosts are virgin ground, and no other mixture is.
    assert world.births == births + (set(damage) == {"wipe"} and selected == set(HOSTS))
    assert world.serving() or not served, "the run ended the cluster"
    assert end.word in ("done", "refused", "gate", "left")
    for host, node in world.nodes.items():
        assert node.deployment == before[host] or not before[host], "a drive changed its owner"
    if {"foreign", "other", "unmounted"} & set(damage) and selected == set(HOSTS):
        assert (end.word, world.trail) == ("refused", [])
    if set(damage) <= GOOD and selected == set(HOSTS):
        assert end.word == "done"


def _damage(world: World, host: str, word: str) -> None:
    node = world.nodes[host]
    match word:
        case "stop":
            world.stop(host)
        case "wipe":
            world.wipe(host)
        case "outdate":
            hurt(world, CONTAINER_ID, host, restart="always")
        case "away":
            node.reachable = False
        case "heal":
            node.healing = True
        case "foreign":
            world.wipe(host)
            world.nodes[host].foreign = "photos"
        case "other":
            world.stop(host)
            node.deployment, node.size = OTHER, 4
        case "unmounted":
            world.stop(host)
            node.deployment, node.place, node.mounted = "", 0, False
        case "order":
            drives = tuple(reversed(values.drives(site())))
            hurt(world, CONTAINER_ID, host, command=("server", *drives))


def test_every_node_is_described_alike_whoever_is_the_entry() -> None:
    assert set(descriptions()) == set(HOSTS)
    assert set(nodes(World.healthy().live())) == set(HOSTS)
