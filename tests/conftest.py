"""For all rings: one Hypothesis profile, and how several workers share the tests (pytest-xdist)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile(
    "kbz",
    max_examples=50,
    deadline=None,
    database=None,
    print_blob=True,
    # The machine is shared: a slow moment is no failure.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kbz")

_LABS = "tests/lab/"
CHAINS = (
    ("test_everything", "test_drift_strays"),
    ("test_whole_fleet", "test_faults_seen"),
    ("test_postgres_proxy", "test_drill_patroni", "test_restart", "test_rotation"),
    ("test_hosts", "test_patroni", "test_patroni_failures", "test_quickstart", "test_scripts"),
    ("test_redis", "test_redis_proxy"),
    ("test_galera", "test_proxysql"),
    ("test_rabbitmq",),
    ("test_k3s",),
    ("test_minio",),
)
"""Files of the lab ring that share a lab, one after the other: the first finds bare servers.

The longest chain comes first, so that no worker is alone with it at the end. A file that is not here has a lab of its
own, and comes after them.
"""
_PLACES = {
    f"{_LABS}{name}.py": (turn, place)
    for turn, chain in enumerate(CHAINS)
    for place, name in enumerate(chain)
}


def chain_of(nodeid: str) -> str:
    """Return a name for the chain of a test, or of its file: what has the same stays together."""
    path = nodeid.partition("::")[0]
    return CHAINS[_PLACES[path][0]][0] if path in _PLACES else path


class ByLab(LoadScopeScheduling):  # type: ignore[misc]  # its types are not exported
    """A worker takes a whole chain: the tests of a file build on each other, and so do files that share a lab."""

    def _split_scope(self, nodeid: str) -> str:
        return chain_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByLab:
    """Share the tests out in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    return ByLab(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: what wants all 48 servers at once, and is run before a release."""
    parser.addoption("--long", action="store_true", help="run the long lab tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out, and say so; put the labs first, the longest of them before the others."""
    items.sort(key=_turn)
    left = [] if config.getoption("--long") else [i for i in items if i.get_closest_marker("long")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_report_header(config: pytest.Config) -> str:
    """Say which tests this run is made of."""
    return (
        "long tests: run"
        if config.getoption("--long")
        else "long tests: left out (--long runs them)"
    )


def _turn(item: pytest.Item) -> tuple[int, int]:
    path = item.nodeid.partition("::")[0]
    rest = len(CHAINS) if path.startswith(_LABS) else len(CHAINS) + 1
    return _PLACES.get(path, (rest, 0))
