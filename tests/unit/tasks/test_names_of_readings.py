"""A reading's name begins with its module's: two modules on one host do not read each other's answers."""

from __future__ import annotations

import pytest

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import Observation, Snapshot, View
from keybuzz.model.core.reading import Answer
from keybuzz.site.modules import all_modules
from tests.unit.support.site_values import described, memory_site

MODULES = {module.name: module for module in all_modules()}


@pytest.mark.parametrize("name", MODULES)
def test_the_names_of_a_modules_readings_are_its_own(name: str) -> None:
    known = described(memory_site(), MODULES[name])
    asked = {reading.name for host in known.values() for reading in host.modules[name].readings}
    assert asked
    assert {one for one in asked if not one.startswith(f"{name}.")} == set()


def test_a_module_sees_no_answer_of_another_one() -> None:
    site, first, second = memory_site(), MODULES["postgres-proxy"], MODULES["redis-proxy"]
    known, more = described(site, first), described(site, second)
    host = next(iter(known))
    both = {host: HostDescription({**known[host].modules, **more[host].modules}, ())}
    said = ("postgres-proxy.balancer.10.0.0.10", "redis-proxy.balancer.10.0.0.10")
    seen = Observation({}, {name: Answer(name, problem="none") for name in (*said, "a login")})
    view = View(both, Snapshot({host: seen}), frozenset(), site.digest_key)
    assert tuple(view.live(first, site).hosts[host].answers) == (said[0], "a login")
    assert tuple(view.live(second, site).hosts[host].answers) == (said[1], "a login")
