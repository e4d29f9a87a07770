"""What a host says of itself, judged; and hosts against each other."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.readings import system_look
from keybuzz.engine.change.proof import require_healthy
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from tasks.base import MODULE
from tasks.base.alike import alike
from tasks.base.limits import limits
from tasks.base.system import system
from tests.unit.support.site_values import described, with_parameters
from tests.unit.support.system_values import DISK, NOW, WELL
from tests.unit.tasks.patroni.cluster_world import site_of

SITE = site_of(3)
HOSTS = ("db-1", "db-2", "db-3")
CONTAINER = {
    "name": "redis",
    "restarting": False,
    "running": True,
    "restarts": 0,
    "oom_killed": False,
    "paused": False,
    "up": 90_000.0,
}


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    return described(SITE, MODULE)


def _docker() -> dict[str, State]:
    identity = "docker-daemon:docker"
    return {identity: State(identity, True, {"running": True, "version": "27.1.1"})}


def live(facts: Mapping[str, Mapping[str, Any]], seconds: float = 0.2) -> Live:
    """Return hosts that say this of themselves, each within that many seconds."""
    seen = {
        host: Observation(
            _docker(), {"base.system": Answer("base.system", said, between=(NOW, NOW + seconds))}
        )
        for host, said in facts.items()
    }
    view = View(descriptions(), Snapshot(seen), frozenset(facts), SITE.digest_key)
    return view.live(MODULE, SITE)


def alone(**facts: Any) -> dict[str, Finding]:
    found = live({"db-1": {**WELL, **facts}})
    return {finding.check: finding for finding in system("db-1", found.hosts["db-1"])}


def together(**facts: Mapping[str, Any]) -> dict[tuple[str, str], Finding]:
    """Return what is said when single hosts differ from a well one in this."""
    hosts = {host: {**WELL, **facts.get(host.replace("-", "_"), {})} for host in HOSTS}
    return {(finding.check, finding.host): finding for finding in alike(live(hosts))}


def test_a_host_that_is_well_has_nothing_above_ok() -> None:
    assert {finding.level for finding in alone().values()} == {Level.OK}
    assert len(alone()) == 10


def test_a_paused_container_is_named_with_what_lets_it_go_on() -> None:
    found = alone(containers=[{**CONTAINER, "paused": True}])["base.containers.paused"]
    assert (found.level, found.message) == (Level.CRITICAL, "paused: redis")
    assert "docker unpause redis" in found.hint


@pytest.mark.parametrize(
    ("used", "level"),
    [(74.9, Level.OK), (75.0, Level.WARN), (89.9, Level.WARN), (90.0, Level.CRITICAL)],
)
@pytest.mark.parametrize(
    ("check", "share"), [("base.disk.space", "used"), ("base.disk.inodes", "inodes_used")]
)
def test_a_file_system_that_fills_up(check: str, share: str, used: float, level: Level) -> None:
    disks = [DISK, {**DISK, "path": "/var/lib/docker", share: used}]
    found = alone(disks=disks)
    assert found[check].level is level
    assert "/var/lib/docker" in found[check].message
    assert {f.check for f in found.values() if f.level is not Level.OK} == (
        set() if level is Level.OK else {check}
    )


def test_each_file_system_that_is_too_full_is_named_and_the_worst_decides() -> None:
    disks = [{**DISK, "used": 76.0}, {**DISK, "path": "/b", "used": 99.0}, {**DISK, "path": "/c"}]
    found = alone(disks=disks)["base.disk.space"]
    assert found.level is Level.CRITICAL
    assert found.message == "/b is 99 % full; / is 76 % full"


def test_a_file_system_that_takes_no_writes() -> None:
    found = alone(disks=[DISK, {**DISK, "path": "/data", "read_only": True}])["base.disk.read-only"]
    assert (found.level, found.message) == (Level.CRITICAL, "takes no writes: /data")


def test_a_mount_that_does_not_answer_is_named_with_what_detaches_it() -> None:
    sick = [("/mnt/a b", "/mnt/a b (nfs4) does not answer: what asks for it hangs")]
    found = alone(sick_mounts=sick)["base.mounts.answer"]
    assert (found.level, found.message) == (Level.CRITICAL, sick[0][1])
    assert found.hint.endswith("kbz exec --limit db-1 -- umount -l '/mnt/a b'")


@pytest.mark.parametrize(
    ("percent", "level"), [(10, Level.OK), (9, Level.WARN), (5, Level.WARN), (4, Level.CRITICAL)]
)
def test_memory_that_runs_out(percent: int, level: Level) -> None:
    found = alone(memory={"total": 100 * 2**30, "available": percent * 2**30})
    assert found["base.memory.available"].level is level


def test_load_counts_for_each_processor() -> None:
    assert alone(load=[0, 0, 7.9])["base.load.average"].level is Level.OK
    assert alone(load=[0, 0, 8.1])["base.load.average"].level is Level.WARN
    assert alone(load=[0, 0, 8.1], cpus=4)["base.load.average"].level is Level.OK


def test_what_was_killed_for_want_of_memory_is_named_once() -> None:
    dead = {**CONTAINER, "oom_killed": True}
    found = alone(oom_kills=["postgres", "postgres"], containers=[dead])["base.memory.oom"]
    assert found.level is Level.WARN
    assert found.message == "the kernel killed postgres, redis for want of memory"
    assert alone(oom_kills=None)["base.memory.oom"].level is Level.OK


@pytest.mark.parametrize(
    ("container", "level"),
    [
        ({"restarts": 500}, Level.OK),
        ({"restarts": 2, "up": 5.0}, Level.OK),
        ({"restarts": 3, "up": 5.0}, Level.CRITICAL),
        ({"restarts": 3, "up": 600.0}, Level.WARN),
        ({"restarting": True, "running": False, "restarts": 1}, Level.CRITICAL),
        ({"restarts": 0, "up": None, "running": False}, Level.OK),
    ],
)
def test_containers_that_restart(container: dict[str, Any], level: Level) -> None:
    found = alone(containers=[CONTAINER | {"name": "other"}, CONTAINER | container])
    assert found["base.containers.restarting"].level is level
    if level is not Level.OK:
        assert found["base.containers.restarting"].message.startswith("redis restarted")


def test_a_host_that_can_not_say_how_it_is_is_unknown_and_never_ok() -> None:
    view = replace(
        live({"db-1": WELL}).hosts["db-1"],
        answers={"base.system": Answer("base.system", problem="no /proc")},
    )
    found = explained(system("db-1", view), (MODULE,))
    assert {finding.level for finding in found} == {Level.UNKNOWN}
    assert {finding.check for finding in found} == set(alone())
    assert [finding.check for finding in found if not finding.cause] == ["base.system.read"]


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 10), st.floats(-1e6, 1e6))
def test_a_clock_is_never_blamed_for_the_time_an_answer_took(
    moments: list[float], seconds: float, ahead: float
) -> None:
    """Whenever within its answer each clock was read: clocks that agree are never told apart."""
    hosts = {
        host: {**WELL, "clock": NOW + ahead + seconds * at}
        for host, at in zip(HOSTS, moments, strict=True)
    }
    found = [f for f in alike(live(hosts, seconds)) if f.check == "base.clock.median"]
    assert [f.level for f in found] == [Level.OK] * 3


@pytest.mark.parametrize(
    ("skew", "level", "word"),
    [
        (0.3, Level.OK, "agrees"),
        (2.0, Level.WARN, "ahead of"),
        (-2.0, Level.WARN, "behind"),
        (90.0, Level.CRITICAL, "ahead of"),
        (-90.0, Level.CRITICAL, "behind"),
    ],
)
def test_a_clock_away_from_the_median(skew: float, level: Level, word: str) -> None:
    found = together(db_2={"clock": NOW + skew})
    assert found["base.clock.median", "db-2"].level is level
    assert word in found["base.clock.median", "db-2"].message
    assert found["base.clock.median", "db-1"].level is Level.OK
    assert found["base.clock.median", "db-3"].level is Level.OK


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        ("base.kernel.same", {"kernel": "6.8.0-39-generic"}),
        ("base.clock.source", {"time_servers": ["10.0.9.9"]}),
    ],
)
def test_who_differs_from_most_is_named_and_nobody_else(check: str, fact: dict[str, Any]) -> None:
    bad = {key: f for key, f in together(db_3=fact).items() if f.level is not Level.OK}
    assert set(bad) == {(check, "db-3")}
    assert bad[check, "db-3"].level is Level.WARN
    assert "2 of 3 hosts" in bad[check, "db-3"].message


def test_a_limit_that_is_no_number_is_refused_with_its_name() -> None:
    with pytest.raises(InputError, match=r"health\.disk_warn is '75%'"):
        limits(with_parameters(SITE, {"health.disk_warn": "75%"}))


def test_a_site_decides_its_own_limits() -> None:
    assert limits(with_parameters(SITE, {"health.disk_warn": "50"})).disk_warn == 50


LOOPING = CONTAINER | {"restarting": True, "running": False}


@pytest.mark.parametrize(
    ("facts", "stops"),
    [
        ({"disks": [{**DISK, "used": 99.0}]}, False),
        ({"memory": {"total": 100, "available": 1}}, False),
        ({"containers": [LOOPING]}, False),
        ({"disks": [{**DISK, "read_only": True}]}, True),
    ],
)
def test_what_a_run_may_cure_does_not_stop_it(facts: dict[str, Any], stops: bool) -> None:
    def only_system(found: Live) -> tuple[Finding, ...]:
        return system("db-1", found.hosts["db-1"])

    module = replace(MODULE, checks=only_system)
    seen = live({"db-1": {**WELL, **facts}})
    assert max(finding.level for finding in only_system(seen)) is Level.CRITICAL
    if stops:
        with pytest.raises(RefusedError, match="is not healthy"):
            require_healthy(module, seen)
    else:
        require_healthy(module, seen)


def host_findings(**facts: Any) -> dict[str, Finding]:
    found = MODULE.checks(live({"db-1": {**WELL, **facts}}))
    return {finding.check: finding for finding in found if finding.host == "db-1"}


def test_a_host_under_another_name_is_told() -> None:
    """S-43."""
    assert host_findings()["base.hostname"].level is Level.OK
    found = host_findings(hostname="ubuntu")["base.hostname"]
    assert found.level is Level.WARN
    assert found.hint.endswith("hostnamectl set-hostname db-1")


@pytest.mark.parametrize(
    ("asked", "level"),
    [
        (["127.0.0.53"], Level.OK),
        (["1.1.1.1", "8.8.8.8"], Level.OK),
        ([], Level.OK),
        (["192.0.2.7"], Level.WARN),
        (["127.0.0.53", "192.0.2.7"], Level.WARN),
    ],
)
def test_a_resolv_conf_of_its_own_is_told(asked: list[str], level: Level) -> None:
    """S-43: systemd-resolved was as described, and no program asked it."""
    found = host_findings(name_servers=asked)["base.resolvers.used"]
    assert found.level is level
    assert ("192.0.2.7" in found.message) == (level is Level.WARN)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([("10.0.0.1", ["db-1"]), ("10.0.0.2", ["other"]), ("fe80::1", ["ip6-x"])], ""),
        ([("127.0.1.1", ["db-1.example", "db-1"])], ""),
        ([("10.9.9.9", ["x", "db-1"])], "db-1 is 10.9.9.9 there, and {own} in servers.tsv"),
        ([("10.9.9.9", ["DB-1"])], "DB-1 is 10.9.9.9 there, and {own} in servers.tsv"),
        ([("no address", ["db-1"])], "db-1 is no address there, and {own} in servers.tsv"),
    ],
)
def test_a_wrong_line_in_etc_hosts_is_told(lines: list[tuple[str, list[str]]], told: str) -> None:
    """S-43: programs believe it before any name server. Of a name the first line counts."""
    seen = live({"db-1": {**WELL, "names": lines}})
    own = str(seen.members[0].address)
    lines = [(own if address == "10.0.0.1" else address, names) for address, names in lines]
    seen = live(
        {"db-1": {**WELL, "names": [*lines, ("10.8.8.8", ["db-1"])][: len(lines) + (not told)]}}
    )
    [found] = [f for f in MODULE.checks(seen) if f.check == "base.hosts.file"]
    assert found.level is (Level.WARN if told else Level.OK)
    assert told.format(own=own) in found.message
    if told and lines[0][0] == "10.9.9.9":
        assert "sed -E -i" in found.hint


def test_the_way_out_takes_one_name_and_leaves_what_is_like_it(tmp_path: Path) -> None:
    seen = live({"db-1": {**WELL, "names": [("10.9.9.9", ["db-1"])]}})
    [found] = [f for f in MODULE.checks(seen) if f.check == "base.hosts.file"]
    words = shlex.split(found.hint)
    file = tmp_path / "hosts"
    file.write_text(
        "10.9.9.9 old-db-1 db-1-vip\n10.9.9.9\tweb db-1 db-1.example\n"
        "10.9.9.9 db-1\n10.9.9.9 db-1 # by hand\n10.9.9.91 db-1\n"
    )
    command = [*words[words.index("sed") : -1], str(file)]
    subprocess.run(command, check=True)
    assert file.read_text().splitlines() == [
        "10.9.9.9 old-db-1 db-1-vip",
        "10.9.9.9\tweb db-1.example",
        "10.9.9.91 db-1",
    ]


def test_a_file_that_was_not_read_whole_is_not_called_good() -> None:
    seen = live({"db-1": {**WELL, "names_cut": True}})
    [found] = [f for f in MODULE.checks(seen) if f.check == "base.hosts.file"]
    assert found.level is Level.UNKNOWN


def test_how_much_of_etc_hosts_is_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("0.0.0.0 ads.example\n" * 2001)
    assert system_look.names(str(file))["names_cut"] is True
    file.write_text("10.0.0.1 db-1\n")
    assert system_look.names(str(file)) == {"names": [("10.0.0.1", ["db-1"])], "names_cut": False}
