"""The rollout of base settings: gentle first, dangerous kinds one by one, Docker one host at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change, State
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.resource import Attributes
from keybuzz.model.host.files import Directory, File, UnitReload
from tasks.base import MODULE
from tasks.base.system import READING
from tests.unit.support.resource_values import applied
from tests.unit.support.site_values import described
from tests.unit.support.system_values import WELL
from tests.unit.tasks.patroni.cluster_world import damaged, site_of

SITE = site_of(3)
HOSTS = ("db-1", "db-2", "db-3")
DOCKER = "docker-daemon:docker"
ENGINE = "package:docker-ce"
SERVICE = "service:docker.service"
SSHD = "ssh-server:sshd"
UFW = "firewall:ufw"
RELEASE = "operating-system:release"
States = dict[str, dict[str, State]]


@lru_cache(maxsize=1)
def descriptions() -> dict[str, HostDescription]:
    return described(SITE, MODULE)


def good() -> States:
    """Return hosts that are as described, with containers at work."""
    return {
        host: {
            r.identity: State(
                r.identity, True, {**r.wanted(SITE.digest_key), "containers_running": 2}
            )
            for r in found.modules["base"].resources
        }
        for host, found in descriptions().items()
    }


def live(states: States, selected: tuple[str, ...] = HOSTS) -> Live:
    observations = {host: Observation(found, {}) for host, found in states.items()}
    away = {host: "no route" for host in HOSTS if host not in states}
    view = View(descriptions(), Snapshot(observations, away), frozenset(selected), SITE.digest_key)
    return view.live(MODULE, SITE)


def roll(states: States) -> list[Stage]:
    """Apply stage after stage until nothing is left; each gate must hold afterwards."""
    trail: list[Stage] = []
    while stage := MODULE.next_stage(live(states)):
        assert len(trail) < 20, [done.name for done in trail]
        trail.append(stage)
        for host in stage.hosts:
            states[host] = answering(applied(states[host], stage.of(host)))
        if stage.after is not None:
            assert stage.after.reason(live(states)) is None
    return trail


def answering(states: dict[str, State]) -> dict[str, State]:
    """Docker can be read as soon as its service runs."""
    if states[DOCKER].problem and states[SERVICE].attributes.get("running") is True:
        old: Attributes = {"log_driver": "local", "containers_running": 2, "running": True}
        return {**states, DOCKER: State(DOCKER, True, old)}
    return states


def test_hosts_as_described_need_no_stage() -> None:
    assert roll(good()) == []


def test_packages_come_first_and_alone() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], "package:ufw")
        states[host] = damaged(states[host], UFW)
        states[host] = damaged(states[host], "sysctl:vm.swappiness", value="60")
    trail = roll(states)
    assert [stage.name for stage in trail] == ["packages", "settings", "firewall, with undo armed"]
    assert {change.identity for change in trail[0].changes} == {"package:ufw"}
    assert all(stage.hosts == HOSTS for stage in trail)


def test_where_packages_come_from_is_right_before_them() -> None:
    """Only a site that installs Docker from its own source describes one."""
    states = good()
    states["db-2"] = damaged(states["db-2"], ENGINE)
    seen = live(states)
    view = seen.hosts["db-2"]
    source = Change("db-2", "base", Directory("/etc/apt/keyrings"), Action.CREATE)
    changed = replace(view, changes=(*view.changes, source))
    stage = MODULE.next_stage(replace(seen, hosts={**seen.hosts, "db-2": changed}))
    assert stage is not None
    assert (stage.name, stage.changes) == ("package sources", (source,))


def test_another_version_of_docker_is_replaced_one_host_at_a_time() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], ENGINE, version="5:24.0.7-1")
    trail = roll(states)
    assert [stage.hosts for stage in trail] == [(host,) for host in HOSTS]
    assert all(change.disrupts for stage in trail for change in stage.changes)


def test_a_first_docker_comes_with_the_other_packages_to_all_hosts() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], ENGINE)
    (stage,) = roll(states)
    assert (stage.name, stage.hosts) == ("packages", HOSTS)


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (Answer(READING, {**WELL, "clock_synchronised": True}), "ok"),
        (Answer(READING, {**WELL, "clock_synchronised": False}), "warn"),
        (Answer(READING, {**WELL, "clock_synchronised": None}), "unknown"),
        (Answer(READING, problem="no answer"), "unknown"),
    ],
)
def test_a_clock_that_follows_nobody_is_told(answer: Answer, level: str) -> None:
    seen = live(good())
    hosts = {h: replace(view, answers={READING: answer}) for h, view in seen.hosts.items()}
    found = [
        f for f in MODULE.checks(replace(seen, hosts=hosts)) if f.check == "base.clock.synchronised"
    ]
    assert [finding.level.word for finding in found] == [level] * 3
    without = {
        h: replace(view, resources=tuple(r for r in view.resources if r.kind != "service"))
        for h, view in hosts.items()
    }
    checks = {f.check for f in MODULE.checks(replace(seen, hosts=without))}
    assert "base.clock.synchronised" not in checks


def test_what_can_lock_us_out_goes_one_kind_at_a_time() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], SSHD, usedns="yes")
        states[host] = damaged(states[host], UFW, active=False)
    trail = roll(states)
    kinds = [{change.resource.kind for change in stage.changes} for stage in trail]
    assert kinds == [{"ssh-server"}, {"firewall"}]


def test_docker_restarts_one_host_at_a_time_behind_a_gate() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], DOCKER, log_driver="local")
    trail = roll(states)
    assert [stage.hosts for stage in trail] == [(host,) for host in HOSTS]
    for stage in trail:
        assert stage.after is not None
        assert all(change.disrupts for change in stage.changes)


@pytest.mark.parametrize(
    ("differing", "joins"),
    [
        ({"log_driver": "local"}, True),
        ({"configuration_loaded": False}, True),
        ({"storage_driver": "vfs"}, False),
        ({"configuration_loaded": False, "root": "/data/docker", "in_root": ()}, False),
    ],
)
def test_a_restart_may_come_with_the_step_of_a_member_unless_images_would_be_gone_by_then(
    differing: Attributes, joins: bool
) -> None:
    states = good()
    states["db-2"] = damaged(states["db-2"], DOCKER, **differing)
    assert [stage.joins for stage in roll(states)] == [joins]


def test_no_file_restarts_docker_on_all_hosts_at_once() -> None:
    reloads = [
        resource.reload
        for found in descriptions().values()
        for resource in found.modules["base"].resources
        if isinstance(resource, File) and isinstance(resource.reload, UnitReload)
    ]
    docker = {reload.verb for reload in reloads if reload.unit == "docker.service"}
    assert docker == {"reload"}


def test_another_version_of_docker_waits_for_no_step() -> None:
    states = good()
    states["db-2"] = damaged(states["db-2"], ENGINE, version="5:24.0.7-1")
    assert [stage.joins for stage in roll(states)] == [False]


def test_docker_without_containers_restarts_everywhere_at_once() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], DOCKER, log_driver="local", containers_running=0)
    assert [stage.hosts for stage in roll(states)] == [HOSTS]


def test_the_gate_after_docker_tells_what_it_waits_for() -> None:
    states = good()
    states["db-1"] = damaged(states["db-1"], DOCKER, log_driver="local")
    stage = MODULE.next_stage(live(states))
    assert stage is not None
    assert stage.after is not None
    states["db-1"] = damaged(states["db-1"], DOCKER, running=False)
    assert stage.after.reason(live(states)) == "Docker does not run on db-1"
    del states["db-1"]
    assert stage.after.reason(live(states)) == "db-1 does not answer"


def test_only_selected_hosts_are_touched() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(states[host], "package:jq")
    stage = MODULE.next_stage(live(states, ("db-2",)))
    assert stage is not None
    assert stage.hosts == ("db-2",)


def test_another_system_is_refused_before_anything_is_changed() -> None:
    states = good()
    states["db-2"] = damaged(states["db-2"], RELEASE, release="debian 11")
    states["db-1"] = damaged(states["db-1"], "package:jq")
    with pytest.raises(RefusedError) as caught:
        MODULE.next_stage(live(states))
    assert str(caught.value) == (
        "db-2: the system is debian 11; site.yaml says ubuntu 24.04\n"
        "  → reinstall the server, or change base.operating_system"
    )


def test_a_system_that_can_not_be_told_is_refused_with_its_reason() -> None:
    states = good()
    states["db-2"][RELEASE] = State(RELEASE, False, problem="No such file: /etc/os-release")
    with pytest.raises(RefusedError, match="No such file: /etc/os-release"):
        MODULE.next_stage(live(states))


def test_what_can_not_be_read_is_left_for_the_engine_to_name() -> None:
    states = good()
    states["db-1"][UFW] = State(UFW, False, problem="ufw is locked")
    assert MODULE.next_stage(live(states)) is None
    (left,) = live(states).changes()
    assert (left.action, left.reason) == (Action.LATER, "ufw is locked")


def test_findings_say_who_does_not_answer_and_what_has_failed() -> None:
    states = good()
    del states["db-3"]
    states["db-2"] = damaged(states["db-2"], DOCKER, running=False)
    seen = live(states)
    told = {"db-1": "a.service loaded failed failed A\n", "db-2": ""}
    answers = {
        host: Answer("base.failed-units", {"exit_code": 0, "stdout": stdout, "stderr": ""})
        for host, stdout in told.items()
    }
    hosts = {
        host: replace(view, answers={"base.failed-units": answers[host]})
        for host, view in seen.hosts.items()
    }
    found = {
        (finding.check, finding.host): (finding.level.word, finding.message)
        for finding in MODULE.checks(replace(seen, hosts=hosts))
    }
    assert found["base.reachable", "db-3"] == ("unknown", "no route")
    assert found["base.docker.running", "db-2"] == ("critical", "Docker does not answer")
    assert found["base.docker.running", "db-1"][0] == "ok"
    assert found["base.units.failed", "db-1"] == ("warn", "failed: a.service")
    assert found["base.units.failed", "db-2"] == ("ok", "no failed unit")
    unread = {f.check: f.level.word for f in MODULE.checks(seen) if f.host == "db-1"}
    assert unread["base.units.failed"] == "unknown"


@st.composite
def mixtures(draw: st.DrawFn) -> States:
    """Return three hosts with any mixture of damages."""
    states = good()
    identities = sorted(set(states["db-1"]) - {RELEASE})
    for host in HOSTS:
        for identity in draw(st.sets(st.sampled_from(identities), max_size=6)):
            wanted = states[host][identity].attributes
            name = draw(
                st.sampled_from([name for name in sorted(wanted) if name != "containers_running"])
            )
            there = {**wanted, name: "something else"}
            kind = draw(st.sampled_from([State(identity, False), State(identity, True, there)]))
            states[host] = {**states[host], identity: kind}
        if draw(st.booleans()):
            stopped = State(SERVICE, True, {"enabled": True, "running": False})
            unread = State(DOCKER, False, problem="Docker does not answer")
            states[host] = {**states[host], SERVICE: stopped, DOCKER: unread}
    return states


@settings(max_examples=30, phases=(Phase.explicit, Phase.generate))
@given(mixtures())
def test_any_mixture_of_damages_ends_with_nothing_left(states: States) -> None:
    trail = roll(states)
    assert list(live(states).changes()) == []
    for stage in trail:
        resources = [change.resource for change in stage.changes]
        guarded = {resource.kind for resource in resources if resource.guarded}
        assert len(guarded) <= 1
        assert not guarded or all(resource.guarded for resource in resources)
        if any(change.disrupts for change in stage.changes):
            assert len(stage.hosts) == 1
            assert stage.after is not None


@pytest.mark.parametrize(
    ("used", "level"),
    [
        (["1.1.1.1", "8.8.8.8"], "ok"),
        (["127.0.0.53", "1.1.1.1"], "warn"),
        ([], "warn"),
        (None, "warn"),
    ],
)
def test_resolvers_are_a_drop_in_and_judged_by_what_resolved_uses(
    used: list[str] | None, level: str
) -> None:
    written = {name for name in good()["db-1"] if "resolv" in name}
    assert written == {
        "directory:/etc/systemd/resolved.conf.d",
        "file:/etc/systemd/resolved.conf.d/keybuzz.conf",
    }
    seen = live(good())
    answer = Answer(READING, {**WELL, "resolvers": used})
    hosts = {h: replace(v, answers={READING: answer}) for h, v in seen.hosts.items()}
    checked = MODULE.checks(replace(seen, hosts=hosts))
    found = [f for f in checked if f.check == "base.resolvers.effective"]
    assert [f.level.word for f in found] == [level] * len(HOSTS)
