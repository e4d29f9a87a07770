"""kbz is a Nornir framework (CARD-2): a plain Nornir, its filters, and anybody's own tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nornir.core import Nornir
from nornir.core.filter import F
from nornir.core.task import Result, Task
from nornir.plugins.runners import SerialRunner, ThreadedRunner

from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.tasks import HostTask, checking, converging, judging, planning, stepping
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action
from keybuzz.site.files.plugins import RunnerChoice
from keybuzz.site.load import read_configuration
from keybuzz.site.module import Module
from keybuzz.transport.link import session
from keybuzz.transport.runner import BoundedRunner
from tasks import galera, patroni, redis
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet
from tests.flow.support.links import AWAY, COUNTING, CountingLink, register


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture
def nornir(three: Fleet) -> Nornir:
    """What `keybuzz.init()` returns, for the configuration in git, without entering the lab."""
    configuration = read_configuration(Path(__file__).parents[3] / "nornir_config.yaml")
    return make_nornir(configuration, three.site, Access.CHANGE)


@pytest.mark.parametrize(
    ("group", "size"), [("patroni", 3), ("redis", 3), ("haproxy", 2), ("all", 48), ("db", 0)]
)
def test_a_closed_group_is_a_nornir_filter(nornir: Nornir, group: str, size: int) -> None:
    assert len(nornir.filter(F(groups__contains=group)).inventory.hosts) == size


def test_patroni_is_its_three_hosts_and_no_other_database(nornir: Nornir) -> None:
    chosen = nornir.filter(F(groups__contains="patroni")).inventory.hosts
    assert sorted(chosen) == list(HOSTS)
    assert len(nornir.filter(F(role="db", subrole="postgres")).inventory.hosts) == 5
    assert {str(chosen[host]["server"].address) for host in HOSTS} == {
        "10.0.0.120",
        "10.0.0.121",
        "10.0.0.122",
    }


def hostname(task: Task, suffix: str) -> Result:
    """A task as anybody would write it, on the connection that the host already has."""
    done = session(task).execute(["sh", "-c", f"echo {task.host.name}{suffix}"], timeout=20)
    return Result(host=task.host, result=done.stdout.strip())


def test_a_task_of_anybody_has_one_result_for_each_host(three: Fleet) -> None:
    results = three.nornir.filter(F(groups__contains="patroni")).run(task=hostname, suffix="!")
    assert {host: result[0].result for host, result in results.items()} == {
        host: f"{host}!" for host in HOSTS
    }
    assert not results.failed


def test_a_host_that_is_away_is_one_failed_result(three: Fleet) -> None:
    three.connect_by(AWAY, SECOND)
    results = three.nornir.run(task=hostname, suffix="")
    assert list(results) == list(three.nornir.inventory.hosts)
    assert list(results.failed_hosts) == [SECOND]
    assert "nothing answers at" in str(results[SECOND][0].exception)


def alive(live: Live) -> tuple[Finding, ...]:
    return tuple(
        Finding("demo.alive", Level.CRITICAL if host == SECOND else Level.OK, "", host)
        for host in live.hosts
    )


def test_a_module_gives_tasks_for_scripts(three: Fleet) -> None:
    module = Demo(three.hosts, checks=alive).module()
    planned = three.nornir.run(task=planning(module))
    assert {host: [c.action for c in r[0].result] for host, r in planned.items()} == {
        host: [Action.CREATE] for host in HOSTS
    }
    assert all("+new" in result[0].diff for result in planned.values())
    assert [three.text(host) for host in HOSTS] == [None] * 3

    converged = three.nornir.run(task=converging(module))
    assert {host: result[0].changed for host, result in converged.items()} == dict.fromkeys(
        HOSTS, True
    )
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3
    again = three.nornir.run(task=converging(module))
    assert not any(result[0].changed or result[0].failed for result in again.values())

    checked = three.nornir.run(task=checking(module))
    assert list(checked.failed_hosts) == [SECOND]
    assert [finding.host for finding in checked[SECOND][0].result] == [SECOND]


def whole(live: Live) -> tuple[Finding, ...]:
    """A check as of a cluster: a host is well only where all its members are seen."""
    level = Level.OK if len(live.hosts) == len(live.members) else Level.CRITICAL
    seen = f"{len(live.hosts)} of {len(live.members)}"
    each = (Finding("demo.whole", level, seen, host) for host in live.hosts)
    return (*each, Finding("demo.quorum", level, seen))


def test_a_check_judges_with_the_whole_cluster_read_once_for_each_run(three: Fleet) -> None:
    three.connect_by(COUNTING, *HOSTS)
    check = checking(Demo(three.hosts, checks=whole).module())
    for run in (1, 2):
        results = three.nornir.run(task=check)
        assert not results.failed_hosts, "no host of a green cluster fails"
        assert {r[0].result[0].message for r in results.values()} == {"3 of 3"}
        for host in HOSTS:
            link = three.nornir.inventory.hosts[host].connections[COUNTING]
            assert isinstance(link, CountingLink)
            assert [name for name, _ in link.asked] == ["probe"] * run


def test_a_member_that_is_away_fails_alone_and_is_seen_by_the_others(three: Fleet) -> None:
    three.connect_by(AWAY, SECOND)
    results = three.nornir.run(task=checking(Demo(three.hosts, checks=whole).module()))
    assert "nothing answers at" in str(results[SECOND][0].exception)
    assert results[FIRST][0].result[0].message == "2 of 3"
    assert three.nornir.data.failed_hosts == set(HOSTS)


def test_the_quorum_is_judged_as_a_task_of_its_own(three: Fleet) -> None:
    module = Demo(three.hosts, checks=whole).module()
    results = three.nornir.run(task=judging(module, "demo.quorum"))
    assert not results.failed
    assert [f.check for f in results[FIRST][0].result] == ["demo.quorum"]


@pytest.mark.parametrize(
    ("module", "task"),
    [(patroni.MODULE, patroni.peers), (redis.MODULE, redis.quorum)],
    ids=["patroni.peers", "redis.quorum"],
)
def test_what_has_a_name_in_the_field_judges_checks_that_exist(
    module: Module, task: HostTask
) -> None:
    """CARD-2 names Patroni's RAFT peers, the Sentinels' quorum, and the first node of Galera (`galera.bootstrap`)."""
    named = re.findall(rf"\b{module.name}\.[a-z-]+\.[a-z-]+", task.__doc__ or "")
    assert named
    assert set(named) <= {info.id for info in module.check_infos}
    assert galera.bootstrap.__doc__


def only_first(live: Live) -> Stage | None:
    """A rollout whose first step is for one host."""
    changes = tuple(change for change in live.changes() if change.host == FIRST)
    return Stage(f"bootstrap {FIRST}", changes) if changes else None


def test_a_step_is_taken_on_its_host_and_refused_elsewhere_and_again(three: Fleet) -> None:
    module = Demo(three.hosts, next_stage=only_first).module()
    results = three.nornir.run(task=stepping(module, "bootstrap"))
    assert results[FIRST][0].changed
    assert three.text(FIRST) == "new\n"
    for host in HOSTS[1:]:
        assert isinstance(results[host][0].exception, RefusedError)
    three.nornir.data.reset_failed_hosts()
    again = three.nornir.run(task=stepping(module, "bootstrap"))
    assert "nothing is left to do" in str(again[FIRST][0].exception)


def test_a_step_is_refused_while_a_member_is_away(three: Fleet) -> None:
    three.connect_by(AWAY, SECOND)
    module = Demo(three.hosts, next_stage=only_first).module()
    results = three.nornir.run(task=stepping(module, "bootstrap"))
    assert "cannot be asked" in str(results[FIRST][0].exception)
    assert three.text(FIRST) is None


@pytest.mark.parametrize(
    ("section", "runner"),
    [
        (RunnerChoice("serial", {}), SerialRunner),
        (RunnerChoice("threaded", {"num_workers": 2}), ThreadedRunner),
        (RunnerChoice("kbz_bounded", {"num_workers": 2}), BoundedRunner),
    ],
)
def test_tasks_run_on_the_runner_that_the_configuration_names(
    three: Fleet, section: RunnerChoice, runner: type[object]
) -> None:
    configuration = read_configuration(Path(__file__).parents[3] / "nornir_config.yaml")
    made = make_nornir(replace(configuration, runner=section), three.site, Access.CHANGE)
    assert type(made.runner) is runner
    names = sorted(made.filter(F(groups__contains="patroni")).run(task=named))
    assert names == list(HOSTS)


def named(task: Task) -> str:
    return task.host.name


def test_a_runner_that_does_not_take_its_options_is_refused_in_words(three: Fleet) -> None:
    configuration = read_configuration(Path(__file__).parents[3] / "nornir_config.yaml")
    choice = RunnerChoice("serial", {"num_workers": 2})
    with pytest.raises(InputError, match=r"the runner serial does not start: .*num_workers"):
        make_nornir(replace(configuration, runner=choice), three.site, Access.CHANGE)
