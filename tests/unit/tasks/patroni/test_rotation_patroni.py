"""A rotation of a password: the role first, then the files; from any half-way point, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.adopt.credentials import is_another
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Stage
from keybuzz.model.core.reading import Answer
from tasks.patroni.rotation import (
    LOCAL,
    LOGIN,
    ROTATIONS,
    member_by_member,
    next_stage,
    superuser,
)
from tests.unit.tasks.patroni.cluster_world import World, damaged

ROLE = "postgres-role:kb_repl"
FILE = "file:/opt/keybuzz/patroni/config/patroni.yml"
HOSTS = ("db-1", "db-2", "db-3")


def begun(*, role: bool, files: frozenset[str], leader: str = "db-1") -> World:
    """Return a cluster that still has the old password in the role and in the files of these hosts."""
    world = World.healthy(3, leader)
    if role:
        world.inside = damaged(world.inside, ROLE, password_matches=False)
    for host in files:
        node = world.nodes[host]
        node.states = damaged(node.states, FILE, digest="hmac-sha256:old")
    return world


def stages(world: World) -> list[Stage]:
    """Follow the rotation to its end."""
    for _ in range(9):
        stage = next_stage(world.live())
        if stage is None:
            return world.trail
        assert stage.before is None or stage.before.reason(world.live()) is None
        world.apply(stage)
        assert stage.after is None or stage.after.reason(world.live()) is None
    raise AssertionError([stage.name for stage in world.trail])


@given(
    role=st.booleans(),
    files=st.frozensets(st.sampled_from(HOSTS)),
    leader=st.sampled_from(HOSTS),
)
def test_from_every_half_way_point_it_ends_and_the_role_comes_first(
    role: bool, files: frozenset[str], leader: str
) -> None:
    world = begun(role=role, files=files, leader=leader)
    taken = [(change.host, change.identity) for stage in stages(world) for change in stage.changes]
    expected = [(leader, ROLE)] if role else []
    assert taken[: len(expected)] == expected
    assert set(taken[len(expected) :]) == {(host, FILE) for host in files}
    assert list(world.live().changes()) == []
    assert world.leader == leader


def test_a_replica_that_can_not_come_back_does_not_hold_up_what_lets_it_back() -> None:
    """Cut off between role and files, a replica that reconnects is refused: its file must still be written."""
    world = begun(role=True, files=frozenset(HOSTS))
    world.nodes["db-2"].settled = False
    [first, second] = [stage for stage in stages(world) if stage.changes]
    assert first.before is not None
    assert second.before is None


def test_a_cluster_without_a_leader_is_waited_for() -> None:
    world = begun(role=True, files=frozenset())
    world.leader = None
    stage = next_stage(world.live())
    assert stage is not None
    assert stage.changes == ()
    assert stage.after is not None
    assert "0 leaders" in (stage.after.reason(world.live()) or "")


@pytest.mark.parametrize(
    ("where", "identity", "attributes"),
    [
        ("db-2", "container:patroni", {"image": "another"}),
        ("db-3", "directory:/opt/keybuzz/postgres/data", {"mode": "0755"}),
    ],
)
def test_anything_else_that_differs_is_refused_before_the_role_is_touched(
    where: str, identity: str, attributes: dict[str, str]
) -> None:
    world = begun(role=True, files=frozenset(HOSTS))
    world.nodes[where].states = damaged(world.nodes[where].states, identity, **attributes)
    with pytest.raises(RefusedError, match="a rotation changes passwords only") as caught:
        next_stage(world.live())
    assert caught.value.where == where


def test_each_service_has_one_credential() -> None:
    assert len({rotation.credential for rotation in ROTATIONS}) == len(ROTATIONS) == 5
    assert not any(rotation.refused for rotation in ROTATIONS)


SUPERUSER = "postgres-role:kb_admin"


@dataclass
class Proving(World):
    """A cluster whose members are asked for a login: by the role, or by their own files."""

    by_role: bool = True
    by_network: dict[str, str] = field(default_factory=dict)
    """What Patroni's own connections say that depend on a password."""

    def _answers(self, host: str) -> dict[str, Answer]:
        role = self.inside[SUPERUSER].attributes["password_matches"] is True
        file = "old" not in str(self.nodes[host].states[FILE].attributes["digest"])
        accepted = role if self.by_role else file
        login = Answer(LOGIN, {"accepted": accepted, "reason": "" if accepted else "refused"})
        said = {"exit_code": 0, "stdout": self.by_network.get(host, ""), "stderr": ""}
        return {**super()._answers(host), LOGIN: login, LOCAL: Answer(LOCAL, said)}


def proving(*, role: bool, files: frozenset[str], leader: str, by_role: bool) -> Proving:
    """Return a cluster with the old password in the superuser's role and in the files of these hosts."""
    whole = World.healthy(3, leader)
    world = Proving(3, whole.nodes, whole.inside, leader, by_role=by_role)
    if role:
        world.inside = damaged(world.inside, SUPERUSER, password_matches=False)
    for host in files:
        world.nodes[host].states = damaged(world.nodes[host].states, FILE, digest="hmac-sha256:old")
    return world


@given(
    role=st.booleans(),
    files=st.frozensets(st.sampled_from(HOSTS)),
    leader=st.sampled_from(HOSTS),
    by_role=st.booleans(),
)
def test_a_password_of_patronis_own_goes_member_by_member_and_the_leader_is_last(
    role: bool, files: frozenset[str], leader: str, by_role: bool
) -> None:
    step = superuser if by_role else member_by_member
    world = proving(role=role and by_role, files=files, leader=leader, by_role=by_role)
    for _ in range(9):
        if (stage := step(world.live())) is None:
            break
        assert stage.before is None or stage.before.reason(world.live()) is None
        world.apply(stage)
        assert stage.after is None or stage.after.reason(world.live()) is None
    taken = [(change.host, change.identity) for stage in world.trail for change in stage.changes]
    assert all(len(stage.changes) == 1 for stage in world.trail)
    replicas = sorted(files - {leader})
    order = [*replicas, *({leader} & files)]
    first = [(leader, SUPERUSER)] if role and by_role else []
    assert taken == [*first, *((host, FILE) for host in order)]
    assert list(world.live().changes()) == []


@pytest.mark.parametrize("by_role", [True, False])
def test_a_member_that_does_not_take_it_holds_the_next_one_up(by_role: bool) -> None:
    world = proving(role=False, files=frozenset(HOSTS), leader="db-1", by_role=by_role)
    stage = (superuser if by_role else member_by_member)(world.live())
    assert stage is not None
    assert stage.after is not None
    world.apply(stage)
    world.nodes["db-2"].settled = False
    assert "db-2 is starting" in (stage.after.reason(world.live()) or "")
    world.nodes["db-2"].settled = True
    world.inside = damaged(world.inside, SUPERUSER, password_matches=False)
    world.nodes["db-2"].states = damaged(world.nodes["db-2"].states, FILE, digest="hmac:old")
    assert stage.after.reason(world.live()) == "db-2: refused"


@pytest.mark.parametrize(("role", "changes"), [(True, 0), (False, 1)])
def test_without_a_leader_files_are_written_only_when_a_login_proves_the_role(
    role: bool, changes: int
) -> None:
    """Shut out with the old password, members come back by their files; before the role has it, they would not."""
    world = proving(role=role, files=frozenset(HOSTS), leader="db-1", by_role=True)
    world.leader = None
    stage = superuser(world.live())
    assert stage is not None
    assert len(stage.changes) == changes


def test_a_rotation_of_the_api_password_touches_no_role() -> None:
    world = proving(role=True, files=frozenset(), leader="db-1", by_role=False)
    with pytest.raises(RefusedError, match="a rotation changes passwords only"):
        member_by_member(world.live())


REST = "patroni-rest-password:patroni"


def test_the_api_password_of_living_members_is_changed_by_its_own_rotation_only() -> None:
    """A run that writes patroni.yml would change it: a run refuses another live one, and each other rotation too."""
    world = proving(role=False, files=frozenset(HOSTS), leader="db-1", by_role=False)
    for node in world.nodes.values():
        node.states = damaged(node.states, REST, password_matches=False)
    assert {c.identity for c in world.live().changes() if is_another(c)} == {REST}
    for other in (next_stage, superuser):
        with pytest.raises(RefusedError, match=f"{REST} is not as described"):
            other(world.live())
    while (stage := member_by_member(world.live())) is not None:
        assert len(world.trail) < 3
        [change] = stage.changes
        assert change.identity == FILE
        world.apply(stage)
        node = world.nodes[change.host]
        node.states = damaged(node.states, REST, password_matches=True)
        assert stage.after is not None
        assert stage.after.reason(world.live()) is None
    assert [stage.hosts for stage in world.trail] == [("db-2",), ("db-3",), ("db-1",)]
    assert list(world.live().changes()) == []


def test_a_patroni_that_would_be_shut_out_is_refused_before_the_role_changes() -> None:
    """Patroni 3.3.0 asks PostgreSQL before it reads a new password: without a connection it never gets there."""
    world = proving(role=True, files=frozenset(HOSTS), leader="db-1", by_role=True)
    world.by_network["db-3"] = "Patroni heartbeat comes from 127.0.0.1\n"
    with pytest.raises(RefusedError, match="Patroni heartbeat comes from") as caught:
        superuser(world.live())
    assert caught.value.where == "db-3"
    world.inside = damaged(world.inside, SUPERUSER, password_matches=True)
    assert superuser(world.live()) is not None, "what has begun goes on"
