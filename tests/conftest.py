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
_ONE_LAB = (
    "tests/lab/test_hosts.py",
    "tests/lab/test_patroni.py",
    "tests/lab/test_patroni_failures.py",
    "tests/lab/test_quickstart.py",
    "tests/lab/test_scripts.py",
)
"""They use the cluster of tests/lab/conftest.py, one after the other: the first finds bare servers."""
_ALL_SERVERS = ("tests/lab/test_whole_fleet.py", "tests/lab/test_faults_seen.py")
"""They use the fleet of tests/lab/conftest.py, one after the other."""
_LONGEST = (
    *_ALL_SERVERS,
    "tests/lab/test_everything.py",
    *_ONE_LAB,
    "tests/lab/test_restart.py",
    "tests/lab/test_redis_proxy.py",
    "tests/lab/test_k3s.py",
    "tests/lab/test_minio.py",
    "tests/lab/test_rotation.py",
    "tests/lab/test_galera.py",
)
"""They begin first, so that no worker is alone with one of them at the end."""


class ByLab(LoadScopeScheduling):  # type: ignore[misc]  # its types are not exported
    """A worker takes a whole file, whose tests build on each other; files of one lab stay together."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path in _ALL_SERVERS:
            return _ALL_SERVERS[0]
        return _LABS if path in _ONE_LAB else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByLab:
    """Share the tests out in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    return ByLab(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: what does not fit into the 45 minutes of a change, and is run before a release."""
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


def _turn(item: pytest.Item) -> int:
    path = item.nodeid.partition("::")[0]
    if not path.startswith(_LABS):
        return len(_LONGEST) + 1
    return _LONGEST.index(path) if path in _LONGEST else len(_LONGEST)
