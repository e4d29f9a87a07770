"""The stages and refusals of MinIO's rollout, each for what it says, changes and waits for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.reading import Answer
from tasks.minio.members import CONTAINER_ID
from tasks.minio.rollout import HEAL_TIMEOUT, START_TIMEOUT, next_stage, release
from tests.unit.tasks.gates import shape, told
from tests.unit.tasks.minio.minio_world import HOSTS, World
from tests.unit.tasks.minio.test_rollout_minio import hurt

EVERYBODY = "kbz run minio --limit minio"


def refused(live: Live) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        next_stage(live)
    return caught.value


def staged(live: Live) -> Stage:
    stage = next_stage(live)
    assert stage is not None
    return stage


def prepared(world: World) -> World:
    stage = staged(world.live())
    assert stage.name == "prepare"
    world.apply(stage)
    return world


def stopped(*hosts: str) -> World:
    world = World.healthy()
    world.stop(*hosts)
    return world


def healing(host: str) -> World:
    world = World.healthy()
    world.nodes[host].healing = True
    return world


def outdated(*hosts: str) -> World:
    world = World.healthy()
    hurt(world, CONTAINER_ID, *hosts, restart="always")
    return world


class TestTogether:
    def test_a_birth_ends_when_all_serve(self) -> None:
        stage = staged(prepared(World.empty()).live())
        assert (stage.name, stage.hosts, stage.before) == ("start together", HOSTS, None)
        assert shape(stage.after) == ("all three serve", START_TIMEOUT)
        assert told(stage.after, World.empty().live()) is not None
        assert told(stage.after, stopped("minio-03").live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    def test_a_birth_needs_all_in_sight(self) -> None:
        world = prepared(World.empty())
        world.nodes["minio-02"].reachable = False
        error = refused(world.live())
        assert error.what == "a first start needs all 3 members, and minio-02 cannot be read"
        assert (error.where, error.hint) == (
            "minio",
            "bring it back: its drive may hold the data of an older cluster",
        )

    def test_a_birth_of_a_part_names_those_that_are_left_out(self) -> None:
        world = prepared(World.empty())
        error = refused(world.live({"minio-02"}))
        assert error.what == (
            "a first start needs all members, and --limit leaves out minio-01, minio-03"
        )
        assert (error.where, error.hint) == ("minio", EVERYBODY)

    def test_those_that_run_already_need_no_selection(self) -> None:
        """A birth that was cut off after two of three goes on by a run of the third."""
        world = prepared(World.empty())
        for change in staged(world.live()).changes[:2]:
            world._apply(change)
        assert world.serving() == []
        stage = staged(world.live({"minio-03"}))
        assert (stage.name, stage.hosts) == ("start together", ("minio-03",))

    def test_drives_that_belong_together_start_without_an_empty_one(self) -> None:
        world = stopped(*HOSTS)
        world.wipe("minio-02")
        stage = staged(prepared(world).live())
        assert (stage.name, stage.hosts) == ("start together", ("minio-01", "minio-03"))
        assert shape(stage.after) == ("there is a write quorum", START_TIMEOUT)
        assert told(stage.after, stopped("minio-01", "minio-03").live()) is not None
        assert told(stage.after, stopped("minio-02").live()) is None

    def test_an_empty_one_starts_beside_those_that_run_and_do_not_serve_yet(self) -> None:
        world = World.healthy()
        world.wipe("minio-02")
        prepared(world)
        live = world.live()
        for host in ("minio-01", "minio-03"):
            view = live.hosts[host]
            mute = Answer("minio.cluster", {"status": 503, "json": None})
            view = replace(view, answers={**view.answers, "minio.cluster": mute})
            live = replace(live, hosts={**live.hosts, host: view})
        stage = staged(live)
        assert (stage.name, stage.hosts) == ("start together", ("minio-02",))
        assert shape(stage.after)[0] == "there is a write quorum"


class TestMajority:
    def test_one_drive_with_data_and_a_member_out_of_sight(self) -> None:
        world = stopped(*HOSTS)
        world.wipe("minio-02")
        prepared(world)
        world.nodes["minio-03"].reachable = False
        error = refused(world.live())
        assert error.what == (
            "minio-01 alone has a format.json, and minio-03 cannot be read: 2 drives are needed"
        )
        assert (error.where, error.hint) == ("minio", "bring it back first")

    def test_one_drive_with_data_beside_empty_ones(self) -> None:
        world = stopped(*HOSTS)
        world.wipe("minio-02")
        world.wipe("minio-03")
        error = refused(world.live())  # before anything is prepared
        assert error.what == (
            "minio-01 alone has a format.json, and the drives of minio-02, minio-03 are empty: "
            "what they held is lost or not mounted"
        )
        assert error.where == "minio"
        assert error.hint == (
            "mount what belongs there; if it is gone, the owner decides about the rest. "
            "kbz formats nothing here"
        )

    def test_two_must_start_together(self) -> None:
        world = stopped(*HOSTS)
        error = refused(world.live({"minio-02"}))
        assert error.what == (
            "2 nodes must start together, and --limit leaves out minio-01, minio-03"
        )
        assert (error.where, error.hint) == ("minio", EVERYBODY)
        stage = staged(world.live({"minio-02", "minio-03"}))
        assert stage.hosts == ("minio-02", "minio-03")

    def test_one_that_runs_already_is_one_of_them(self) -> None:
        world = stopped("minio-02", "minio-03")
        stage = staged(world.live({"minio-02"}))
        assert (stage.name, stage.hosts) == ("start together", ("minio-02",))


class TestJoin:
    def test_it_waits_for_those_that_serve_and_then_for_its_data(self) -> None:
        stage = staged(stopped("minio-03").live())
        assert (stage.name, stage.hosts) == ("start minio-03", ("minio-03",))
        assert shape(stage.before) == ("minio-01 and minio-02 serve", START_TIMEOUT)
        assert told(stage.before, stopped("minio-03").live()) is None
        assert told(stage.before, stopped("minio-02", "minio-03").live()) is not None
        name = "minio-03 serves, and its drive has everything"
        assert shape(stage.after) == (name, HEAL_TIMEOUT)
        assert told(stage.after, stopped("minio-03").live()) is not None
        assert told(stage.after, healing("minio-03").live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    def test_one_with_data_comes_before_an_empty_one(self) -> None:
        five = stopped("minio-03")
        five.wipe("minio-01")
        # Two that serve are beside them only where there are more than three: the gate would say so.
        live = prepared(five).live()
        view = live.hosts["minio-02"]
        good = Answer("minio.cluster", {"status": 200, "json": None})
        view = replace(view, answers={**view.answers, "minio.cluster": good})
        stage = staged(replace(live, hosts={**live.hosts, "minio-02": view}))
        assert stage.name == "start minio-03"
        assert shape(stage.before)[0] == "minio-02 serve"


class TestReplace:
    def test_the_others_must_have_everything_before_and_all_after(self) -> None:
        stage = staged(outdated(*HOSTS).live())
        assert stage.name == "replace minio on minio-02"
        assert shape(stage.before) == ("all but minio-02 serve", START_TIMEOUT)
        assert shape(stage.after) == ("all three serve", HEAL_TIMEOUT)
        assert told(stage.before, World.healthy().live()) is None
        assert told(stage.before, stopped("minio-02").live()) is None, (
            "it may be what the change mends"
        )
        assert told(stage.before, stopped("minio-03").live()) is not None
        assert told(stage.after, stopped("minio-02").live()) is not None
        assert told(stage.after, World.healthy().live()) is None

    @pytest.mark.parametrize("broken", HOSTS)
    def test_one_that_does_not_serve_comes_first_whoever_it_is(self, broken: str) -> None:
        """The gate of any other one would wait for it for ever, and its container may be what is wrong."""
        live = outdated(*HOSTS).live()
        view = live.hosts[broken]
        mute = Answer("minio.cluster", {"status": 503, "json": None})
        view = replace(view, answers={**view.answers, "minio.cluster": mute})
        stage = staged(replace(live, hosts={**live.hosts, broken: view}))
        assert stage.hosts == (broken,)


class TestRelease:
    def test_the_others_must_have_everything(self) -> None:
        stage = release(World.healthy().live(), "minio-02")
        assert stage is not None
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("MinIO can do without minio-02", START_TIMEOUT)
        assert told(stage.after, World.healthy().live()) is None
        assert told(stage.after, stopped("minio-02").live()) is None
        assert told(stage.after, stopped("minio-03").live()) is not None

    def test_one_that_does_not_serve_or_is_alone_is_let_go(self) -> None:
        assert release(stopped("minio-02").live(), "minio-02") is None
        live = World.healthy().live()
        alone = replace(live, hosts={"minio-02": live.hosts["minio-02"]})
        assert release(alone, "minio-02") is None
        two = {host: live.hosts[host] for host in HOSTS[:2]}
        assert release(replace(live, hosts=two), "minio-02") is not None


class TestSettle:
    def test_a_drive_that_heals_is_waited_for_by_a_run_of_any_that_runs(self) -> None:
        world = healing("minio-02")
        stage = staged(world.live({"minio-01"}))
        assert (stage.name, stage.changes) == ("wait", ())
        assert shape(stage.after) == ("the cluster has settled", HEAL_TIMEOUT)
        assert told(stage.after, world.live()) is not None
        assert told(stage.after, World.healthy().live()) is None
        assert next_stage(world.live(())) is None

    def test_one_that_will_be_replaced_is_not_waited_for(self) -> None:
        world = outdated("minio-03")
        live = world.live()
        view = live.hosts["minio-03"]
        mute = Answer("minio.cluster", {"status": 503, "json": None})
        view = replace(view, answers={**view.answers, "minio.cluster": mute})
        assert staged(replace(live, hosts={**live.hosts, "minio-03": view})).changes

    def test_another_one_is_waited_for_before_it(self) -> None:
        world = outdated("minio-03")
        world.nodes["minio-02"].healing = True
        assert staged(world.live()).name == "wait"


def test_the_bucket_comes_last() -> None:
    world = outdated("minio-03")
    world.bucket = ""
    assert staged(world.live()).name == "replace minio on minio-03"
    world = World.healthy()
    world.bucket = ""
    stage = staged(world.live())
    assert (stage.name, stage.hosts) == ("bucket", ("minio-01",))
    assert staged(stopped("minio-03").live()).name == "start minio-03"
