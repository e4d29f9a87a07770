"""All 48 servers at once: `kbz run all --all` from bare to green, again, and one look at everything.

The tests of this file build on each other, in the order of the file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.lab.conftest import Kbz, until, write_site

pytestmark = [pytest.mark.lab, pytest.mark.long]

LAB = "kbz-fleet"
SERVERS = 48


@pytest.fixture(scope="module")
def kbz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kbz]:
    """A lab of every server of servers.tsv, bare; gone at the end."""
    if os.geteuid() != 0:
        pytest.skip("the lab's network namespaces and containers need root")
    made = write_site(tmp_path_factory.mktemp("site"), LAB)
    made.good("lab", "down", "--wipe")
    try:
        started = time.monotonic()
        made.good("lab", "up", timeout=1800)
        print(f"lab up: {time.monotonic() - started:.0f} s")
        made.good("secrets", "init")
        yield made
    finally:
        made.good("lab", "down", "--wipe")


def test_run_all_turns_48_bare_servers_into_the_whole_platform(kbz: Kbz) -> None:
    document = kbz.good("run", "all", "--all", "--format", "json", timeout=3000).json()
    print(f"run all: {document['seconds']} s")
    assert document["checked"] == {"answered": SERVERS, "selected": SERVERS}
    assert {finding["level"] for finding in document["findings"]} <= {"ok", "warn"}


def test_the_second_run_changes_nothing_and_asks_each_host_once(kbz: Kbz) -> None:
    document = kbz.good("run", "all", "--all", "--format", "json").json()
    print(f"run all again: {document['seconds']} s")
    assert document["plan"]["size"] == 0
    assert {host["outcome"] for host in document["hosts"].values()} == {"ok"}
    assert set(document["round_trips"].values()) == {1}


def test_health_sees_everything_and_drift_finds_nothing(kbz: Kbz) -> None:
    until(lambda: kbz("health").code == 0, 120, "all checks of all modules")
    document = kbz.good("health", "--format", "json").json()
    print(f"health: {document['seconds']} s, {len(document['findings'])} checks")
    assert document["checked"] == {"answered": SERVERS, "selected": SERVERS}
    assert {host for finding in document["findings"] if (host := finding["host"])} == set(
        document["hosts"]
    )
    kbz.good("drift")
    kbz.good("status")
