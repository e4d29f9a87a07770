"""What a worker describes from names is what the controller means by them, on every host and with drift's questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift import inside, strays
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import questions
from keybuzz.engine.shards.remade import remade
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError
from keybuzz.site.module import Description
from tests.unit.support.site_values import memory_nornir, memory_site

if TYPE_CHECKING:
    from nornir.core.task import Result, Task


def test_names_are_enough_to_ask_the_same(subtests: pytest.Subtests) -> None:
    site, modules = memory_site(), all_modules()
    nornir = memory_nornir(site)
    descriptions = {h: dict(d.modules) for h, d in describe_all(nornir, modules).items()}
    for host, known in descriptions.items():
        sweep = strays.sweep(strays.known(site, host, modules, frozenset()))
        known |= {strays.READING: Description((), (sweep,)), **inside.asked(site, host, modules)}

    def again(task: Task) -> Result:
        from nornir.core.task import Result

        return Result(task.host, result=remade(task, descriptions[task.host.name], modules))

    asked = set()
    for host, results in nornir.run(task=again).items():
        with subtests.test(host=host):
            found = questions(results[0].result, Access.LOOK)
            wanted = questions(descriptions[host].values(), Access.LOOK)
            assert found.names == wanted.names
            assert [r.query() for r in found.resources] == [r.query() for r in wanted.resources]
        asked |= set(descriptions[host])
    assert {"patroni", "galera", strays.READING, "inside rabbitmq"} <= asked


def test_a_name_that_there_is_not_is_an_error() -> None:
    def unknown(task: Task) -> Result:
        from nornir.core.task import Result

        return Result(task.host, result=remade(task, ("base", "os:system"), all_modules()))

    nornir = memory_nornir(memory_site())
    chosen = nornir.filter(filter_func=lambda host: host.name == "redis-01")
    (result,) = chosen.run(task=unknown)["redis-01"]
    assert isinstance(result.exception, InputError)
    assert "nothing here is named os:system" in str(result.exception)
