"""All 48 servers from bare, side by side: green, and nothing left to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.chains.order import arrange
from keybuzz.site.load import load_site, read_configuration
from tests.lab.conftest import SERVERS, Kbz, bare_lab

pytestmark = [pytest.mark.lab, pytest.mark.long]

_DONE = re.compile(r"✓ ([a-z0-9-]+): done after ([0-9.]+) s")


@pytest.fixture(scope="module")
def kbz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    with bare_lab(tmp_path_factory.mktemp("site"), "kbz-beside") as made:
        yield made


def test_bare_servers_become_the_whole_platform_side_by_side(kbz: Kbz) -> None:
    done = kbz.good("run", "all", "--all", "--side-by-side", timeout=3000)
    took = {name: float(seconds) for name, seconds in _DONE.findall(done.stderr)}
    places = arrange(all_modules(), all_modules(), load_site(read_configuration(kbz.config)))
    assert set(took) == {place.name for place in places if not place.module.on_request}
    ends: dict[str, float] = {}
    for place in places:
        begins = max((ends[name] for name in place.before & took.keys()), default=0.0)
        ends[place.name] = begins + took.get(place.name, 0.0)
    print(
        f"{sum(took.values()):.0f} s added up, the longest chain {max(ends.values()):.0f} s: {took}"
    )


def test_the_second_run_changes_nothing(kbz: Kbz) -> None:
    document = kbz.good("run", "all", "--all", "--side-by-side", "--format", "json").json()
    assert document["plan"]["size"] == 0
    assert document["checked"] == {"answered": SERVERS, "selected": SERVERS}
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
