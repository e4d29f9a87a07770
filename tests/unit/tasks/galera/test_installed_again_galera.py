"""All hosts were installed again and kept their data: the recovery brings back what it needs, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.plan import Action, State
from keybuzz.model.core.reading import Answer
from keybuzz.report.text.positions import positions_text
from keybuzz.site.module import Position
from tasks.galera import values
from tasks.galera.members import DATA_ID
from tasks.galera.recover.recovery import (
    askable,
    choose,
    halt,
    position,
    question,
    start,
    startable,
)
from tests.unit.tasks.galera.galera_world import HISTORY, HOSTS, World, roll, site

FOLDER = f"directory:{values.VOLUME}"


class TestInstalledAgain:
    """The operating system is new and the data was kept: no file of kbz, no image, no container."""

    @staticmethod
    def world(*hosts: str) -> World:
        world, bare = World.healthy(), World.empty()
        world.stop(*HOSTS)
        for host in hosts:
            kept = {FOLDER: world.nodes[host].states[FOLDER]}
            world.nodes[host].states = {**bare.nodes[host].states, **kept}
        return world

    def test_where_the_data_folder_is_gone_nothing_is_made_before_the_start_is_agreed_to(
        self,
    ) -> None:
        """Its disk may only not be mounted: what is made there lies below the mount point."""
        world = self.world("maria-2", "maria-3")
        world.nodes["maria-3"].states[FOLDER] = State(FOLDER, False)
        stage = askable(world.live())
        assert stage is not None
        assert stage.hosts == ("maria-2",)
        world.apply(stage)
        assert askable(world.live()) is None
        last = startable(world.live())
        assert last is not None
        assert "maria-3" in last.hosts

    def test_a_member_that_holds_nothing_is_told_with_what_to_rule_out(self) -> None:
        whole = Position("maria-1", HISTORY, 9, True, "wsrep-recover")
        nothing = position("maria-3", Answer("galera.position", {"there": False, "databases": 0}))
        assert choose((whole, nothing)) == "maria-1"
        last = positions_text((whole, nothing), "maria-1").splitlines()[-1]
        assert last.startswith("maria-3 holds nothing")
        assert "if its disk is only not mounted" in last
        assert "not mounted" not in positions_text((whole,), "maria-1")

    def test_a_run_names_the_recovery_which_brings_back_what_positions_are_read_with(self) -> None:
        world = self.world(*HOSTS)
        assert "kbz recover galera" in roll(world).why
        assert halt(world.live()) is None
        stage = askable(world.live())
        assert stage is not None
        for host in HOSTS:
            asked, made = question(site(), site().server(host)), stage.of(host)
            assert {change.action for change in made} == {Action.CREATE}
            names = [change.resource.name for change in made]
            assert names[-2:] == [asked.image, values.MY_CNF]
        world.apply(stage)
        assert askable(world.live()) is None
        last = startable(world.live())
        assert last is not None
        assert [c.resource.name for c in last.changes] == [values.START] * len(HOSTS)
        world.apply(last)
        assert startable(world.live()) is None
        world.apply(start(world.live(), "maria-2"))
        assert roll(world).word == "done"
        assert world.births == 1

    def test_only_the_hosts_that_lost_something_get_it_back(self) -> None:
        for made in (askable, startable):
            stage = made(self.world("maria-3").live())
            assert stage is not None
            assert stage.hosts == ("maria-3",)
            assert made(self.world().live()) is None

    def test_what_is_there_stays_as_it_is(self) -> None:
        world = self.world()
        states = world.nodes["maria-1"].states
        for identity in (f"file:{values.MY_CNF}", f"directory:{values.VOLUME}"):
            old = states[identity]
            states[identity] = replace(old, attributes={**old.attributes, "mode": "0755"})
        differing = {change.identity for change in world.live().hosts["maria-1"].changes}
        assert {f"file:{values.MY_CNF}", f"directory:{values.VOLUME}"} <= differing
        assert askable(world.live()) is None
        assert startable(world.live()) is None

    def test_a_host_without_docker_is_named_with_what_makes_it_ready(self) -> None:
        world = self.world("maria-1")
        states = world.nodes["maria-1"].states
        [image] = [identity for identity in states if identity.startswith("image:")]
        states[image] = State(image, False, problem="Docker does not answer")
        with pytest.raises(RefusedError, match="Docker does not answer") as error:
            askable(world.live())
        assert "kbz run base --limit maria-1" in error.value.hint

    def test_data_of_another_server_gets_nothing(self) -> None:
        world = self.world(*HOSTS)
        data = world.nodes["maria-1"].states[DATA_ID]
        world.nodes["maria-1"].states[DATA_ID] = replace(
            data, attributes={**data.attributes, "layout": "official", "loadable": False}
        )
        with pytest.raises(RefusedError, match="layout of official"):
            askable(world.live())
