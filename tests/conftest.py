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
    "tests/lab/test_outputs.py",
    "tests/lab/test_patroni.py",
    "tests/lab/test_patroni_failures.py",
    "tests/lab/test_scripts.py",
)
"""They use the cluster of tests/lab/conftest.py, one after the other."""
_ALL_SERVERS = ("tests/lab/test_everything.py", "tests/lab/test_faults_seen.py")
"""They use all servers of tests/lab/conftest.py, one after the other."""


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the labs first: they take longest, and wait more than they work."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LABS))
