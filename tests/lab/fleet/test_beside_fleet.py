"""All 48 servers from bare, side by side: killed on its way, the same command ends green, and nothing is left to do."""

from __future__ import annotations

import re
import signal
import subprocess
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


WORDS = ("run", "all", "--all", "--side-by-side")


def test_a_run_is_killed_while_chains_are_at_work(kbz: Kbz) -> None:
    with subprocess.Popen(
        kbz.argv(*WORDS), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        found = [name for line in run.stderr for name, _ in _DONE.findall(line) if _kill(run, name)]
    assert found[0] == "base"
    assert (len(found) > 1, run.returncode) == (True, -signal.SIGKILL)


def _kill(run: subprocess.Popen[str], done: str) -> str:
    """Kill the run when the first module after `base` is done: those of other chains are half done."""
    if done != "base":
        run.kill()
    return done


def test_the_same_command_makes_the_whole_platform_of_what_is_there(kbz: Kbz) -> None:
    done = kbz.good(*WORDS, timeout=3000)
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
    document = kbz.good(*WORDS, "--format", "json").json()
    assert document["plan"]["size"] == 0
    assert document["checked"] == {"answered": SERVERS, "selected": SERVERS}
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
