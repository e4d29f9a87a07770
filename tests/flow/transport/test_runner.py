"""Every host has a result, in the order of the hosts, whatever a task does."""

from __future__ import annotations

import signal
import threading

import pytest
from nornir.core import Nornir
from nornir.core.inventory import Defaults, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPlugin
from nornir.core.task import MultiResult, Result, Task

from keybuzz.model.core.errors import ContactError
from keybuzz.transport.runner import BoundedRunner
from tests.support.signals import to_main

NAMES = [f"host-{number:02}" for number in range(12)]


def nornir(workers: int = 4) -> Nornir:
    hosts = Hosts({name: Host(name=name, defaults=Defaults()) for name in NAMES})
    return Nornir(inventory=Inventory(hosts=hosts), runner=BoundedRunner(num_workers=workers))


def test_results_keep_the_order_of_the_hosts() -> None:
    turn = threading.Barrier(len(NAMES))

    def task(task: Task) -> str:
        turn.wait(10)  # all hosts at once: they end in any order
        return task.host.name

    results = nornir(len(NAMES)).run(task)
    assert [(name, result[0].result) for name, result in results.items()] == [
        (name, name) for name in NAMES
    ]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), ValueError("odd")])
def test_one_host_that_escapes_takes_no_other_result_with_it(error: BaseException) -> None:
    def task(task: Task) -> str:
        if task.host.name == NAMES[5]:
            raise error
        return "fine"

    results = nornir().run(task)
    assert list(results) == NAMES
    assert [name for name, result in results.items() if result.failed] == [NAMES[5]]
    assert results[NAMES[5]][0].exception is error
    assert host_of(results[NAMES[5]]) == NAMES[5]


def host_of(results: MultiResult) -> str:
    host = results[0].host
    assert host is not None
    return host.name


def test_a_contact_error_is_kept_whole() -> None:
    def task(task: Task) -> None:
        raise ContactError("lost", where=task.host.name, inside_step=True)

    results = nornir().run(task)
    assert results.failed
    for name, result in results.items():
        error = result[0].exception
        assert isinstance(error, ContactError)
        assert (error.where, error.inside_step) == (name, True)
    assert list(results) == NAMES


def test_a_result_without_a_host_gets_one() -> None:
    results = nornir().run(lambda task: Result(host=None, result=1), name="forgetful")
    assert [host_of(result) for result in results.values()] == NAMES


def test_no_more_workers_than_allowed() -> None:
    now, most, lock = set(), [0], threading.Lock()
    full = threading.Barrier(3)

    def task(task: Task) -> None:
        with lock:
            now.add(task.host.name)
            most[0] = max(most[0], len(now))
        full.wait(10)  # breaks unless exactly three hosts run together
        with lock:
            now.remove(task.host.name)

    assert not nornir(workers=3).run(task).failed
    assert most[0] == 3


class Link(ConnectionPlugin):
    """A connection that a task waits on until somebody closes it."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    @property
    def connection(self) -> threading.Event:
        return self.closed

    def open(self, *_given: object, **_named: object) -> None:
        raise AssertionError("the task opens it by itself")

    def close(self) -> None:
        self.closed.set()


def test_control_c_starts_no_further_host_and_closes_the_others() -> None:
    started: list[str] = []
    ended = threading.Semaphore(0)
    both = threading.Barrier(2)

    def task(task: Task) -> None:
        started.append(task.host.name)
        task.host.connections["link"] = link = Link()
        if both.wait(10) == 0:
            to_main(signal.SIGINT)
        if link.closed.wait(10):
            ended.release()

    with pytest.raises(KeyboardInterrupt):
        nornir(workers=2).run(task)
    assert ended.acquire(timeout=10)
    assert ended.acquire(timeout=10)
    assert sorted(started) == NAMES[:2]


def test_no_host_is_no_error() -> None:
    empty = Nornir(inventory=Inventory(hosts=Hosts()), runner=BoundedRunner())
    assert dict(empty.run(lambda task: None, name="nothing")) == {}
