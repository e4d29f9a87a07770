"""The checks of MinIO: what is not well is said with its host, and what nobody knows is never good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.change.guard import cluster_of
from keybuzz.engine.drill.ground import not_green
from keybuzz.engine.look.causes import explained
from keybuzz.engine.roll.next_member import whole
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tasks.minio import MODULE
from tasks.minio.checks import checks, topology
from tasks.minio.members import able, up
from tasks.minio.ready import no_quorum, not_whole
from tests.unit.tasks.minio.minio_world import DEPLOYMENT, HOSTS, World


def worst(live: Live) -> dict[str, Finding]:
    """Return what is wrong, by check and host; what cannot be read for that is told under it."""
    found = (f for f in explained(checks(live), (MODULE,)) if f.level > Level.OK)
    told = (f for f in found if not (f.level is Level.UNKNOWN and f.cause))
    return {f"{f.check} {f.host}".strip(): f for f in told}


def answered(live: Live, host: str, name: str, answer: Answer) -> Live:
    view = live.hosts[host]
    seen = replace(view, answers={**view.answers, name: answer})
    return replace(live, hosts={**live.hosts, host: seen})


def test_a_whole_cluster_is_ok_everywhere_and_says_what_hangs_on_one_node() -> None:
    live = World.healthy().live()
    assert worst(live) == {}
    assert up(live) == frozenset(HOSTS)
    assert not_green(MODULE, live) == ""
    assert not_whole(live, HOSTS) is None
    told = topology(live)
    assert told.cluster == f"minio {DEPLOYMENT}"
    assert [member.role for member in told.members] == ["entry", "member", "member"]
    assert told.summary == "3 of 3 serve, write quorum 2; clients reach minio-01 only (MIN-5)"


def test_two_of_three_are_not_well_and_the_reason_has_the_last_words_of_the_log() -> None:
    world = World.healthy()
    world.stop("minio-02")
    found = worst(world.live())
    assert found["minio.node.serves minio-02"].message == "does not answer (last words)"
    assert found["minio.drives.online minio-01"].message == "2 of 3; not minio-02"
    assert {f.level for f in found.values()} == {Level.CRITICAL}


def test_one_alone_has_no_write_quorum() -> None:
    world = World.healthy()
    world.stop("minio-01", "minio-03")
    live = world.live()
    assert up(live) == frozenset()
    assert "minio-02 has no write quorum" in str(no_quorum(live))
    assert worst(live)["minio.node.serves minio-02"].message.startswith("has no write quorum")


def test_a_member_that_was_not_read_is_unknown_and_not_forgotten() -> None:
    world = World.healthy()
    world.nodes["minio-03"].reachable = False
    found = worst(world.live())
    assert found["minio.member.reachable minio-03"].level is Level.UNKNOWN
    assert "2 of 3 drives have their format.json" in found["minio.deployment.one"].message
    assert topology(world.live()).members[2].state == "unreachable"
    nobody = replace(world.live(), hosts={}, unreachable={})
    assert worst(nobody)["minio.member.reachable minio-01"].message == "was not asked"


def test_a_drive_that_heals_is_not_well_because_no_other_may_stop_now() -> None:
    world = World.healthy()
    world.nodes["minio-02"].healing = True
    found = worst(world.live())
    assert {name.split()[0] for name in found} == {"minio.drives.healed"}
    assert "is being healed" in str(not_whole(world.live(), HOSTS))


def test_a_frozen_service_is_named_with_what_ends_it_and_nobody_can_take_writes() -> None:
    world = World.healthy()
    for host in HOSTS:
        world.nodes[host].frozen = True
    found = worst(world.live())
    assert {name.split()[0] for name in found} == {"minio.service.frozen"}
    assert found["minio.service.frozen minio-01"].hint == "mc admin service unfreeze minio"
    cluster = cluster_of(MODULE, world.live())
    assert (len(cluster.up), cluster.spare) == (3, 0)
    assert "minio.service.frozen" in str(whole(MODULE, 1.0, frozenset()).reason(world.live()))
    assert "minio.service.frozen" in not_green(MODULE, world.live())


@pytest.mark.parametrize("slow", [HOSTS[:1], HOSTS])
def test_nodes_that_are_slow_are_overloaded_and_no_freeze(slow: tuple[str, ...]) -> None:
    """All of them at once were refused as a freeze, whose hint could not help."""
    world = World.healthy()
    for host in slow:
        world.nodes[host].slow = True
    live = world.live()
    found = worst(live)
    assert set(found) == {f"minio.service.frozen {host}" for host in slow}
    everyone = slow == HOSTS
    assert {item.level for item in found.values()} == {Level.CRITICAL if everyone else Level.WARN}
    assert all("no freeze holds them back" in item.message for item in found.values())
    assert {item.hint for item in found.values()} == {"kbz health base"}
    assert able(live) == frozenset(HOSTS) - frozenset(slow)
    assert bool(not_green(MODULE, live)) == everyone


def test_a_freeze_of_some_is_left_from_before_the_others_were_restarted() -> None:
    world = World.healthy()
    for host in HOSTS[:2]:
        world.nodes[host].frozen = True
    found = worst(world.live())[f"minio.service.frozen {HOSTS[0]}"]
    assert (found.level, found.hint) == (Level.WARN, "mc admin service unfreeze minio")
    assert able(world.live()) == frozenset(HOSTS)
    world.nodes[HOSTS[2]].reachable = False
    assert worst(world.live())["minio.service.frozen minio-01"].level is Level.CRITICAL
    assert able(world.live()) == frozenset()


def test_a_drive_that_is_not_mounted_or_foreign_is_critical() -> None:
    world = World.healthy()
    world.nodes["minio-01"].mounted = False
    world.nodes["minio-02"].deployment = ""
    world.nodes["minio-02"].foreign = "photos"
    found = worst(world.live())
    assert "would write to the root disk" in found["minio.drive.own minio-01"].message
    assert "no format.json, and photos" in found["minio.drive.own minio-02"].message


def test_two_deployments_are_critical() -> None:
    world = World.healthy()
    world.nodes["minio-03"].deployment = "another"
    assert "the drive of minio-03" in worst(world.live())["minio.deployment.one"].message


def test_objects_without_parity_are_critical() -> None:
    live = World.healthy().live()
    said = live.hosts["minio-02"].answer("minio.node")
    found = worst(
        answered(live, "minio-02", "minio.node", replace(said, value={**said.value, "parity": 0}))
    )
    assert set(found) == {"minio.deployment.one"}
    assert "minio-02 stores objects without parity" in found["minio.deployment.one"].message


@pytest.mark.parametrize("address", ["*", "203.0.113.33", "0.0.0.0"])
def test_a_listener_outside_the_private_network_is_critical(address: str) -> None:
    world = World.healthy()
    world.nodes["minio-02"].listens = address
    found = worst(world.live())
    assert set(found) == {"minio.listens.private minio-02"}
    assert f"listens on {address}:9000" in found["minio.listens.private minio-02"].message


def test_a_second_alias_is_critical() -> None:
    world = World.healthy()
    world.nodes["minio-03"].aliases = ("s3 at s3.keybuzz.io",)
    [found] = worst(world.live()).values()
    assert (found.check, found.host) == ("minio.alias.one", "minio-03")


def test_another_password_is_up_for_the_quorum_and_not_well() -> None:
    world = World.healthy()
    world.nodes["minio-02"].denied = True
    assert up(world.live()) == frozenset(HOSTS)
    assert "does not let the root user" in worst(world.live())["minio.node.serves minio-02"].message


def test_versions_beside_each_other_are_critical_and_a_silent_console_is_a_warning() -> None:
    live = World.healthy().live()
    view = live.hosts["minio-02"]
    said = {**view.answers["minio.node"].value, "version": "2025-01-01T00:00:00Z"}
    live = answered(live, "minio-02", "minio.node", Answer("minio.node", said))
    live = answered(live, "minio-03", "minio.console", Answer("minio.console", problem="refused"))
    levels = {name: finding.level for name, finding in worst(live).items()}
    assert levels == {
        "minio.version.same": Level.CRITICAL,
        "minio.console minio-03": Level.WARN,
    }
