"""For all rings: one Hypothesis profile, and how several workers share the tests (pytest-xdist)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager

# pytest loads readline, which gives every process that the tests start a terminal's width (past os.environ).
for _name in ("COLUMNS", "LINES"):
    os.unsetenv(_name)
# What a shell starts in the background ignores Ctrl-C, and so would every kbz of the tests: kbz keeps an ignored
# signal ignored.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        _usual = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, _usual)


def _end(number: int, frame: object) -> None:
    """End the session as Ctrl-C does, so that it takes down what it has built; `timeout` tells it twice."""
    signal.signal(
        signal.SIGTERM, lambda *_: None
    )  # not ignored: what is started now would ignore it too
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, _end)
NodeManager.EXIT_TIMEOUT = 180  # seconds that workers have for that
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
_UNIT = "tests/unit/"
CHAINS = (
    (
        "test_whole_fleet",
        "test_everything",
        "test_faults_seen",
        "test_bad_states",
        "test_bad_ground",
        "test_drift_strays",
        "test_applications",
    ),
    (
        "test_postgres_proxy",
        "test_drill_patroni",
        "test_restart",
        "test_rotation",
        "test_backup",
        "test_legacy_patroni",
    ),
    (
        "test_hosts",
        "test_patroni",
        "test_patroni_failures",
        "test_quickstart",
        "test_first_installation",
        "test_scripts",
    ),
    (
        "test_galera",
        "test_galera_trouble",
        "test_proxysql",
        "test_backup_galera",
        "test_legacy_galera",
    ),
    ("test_rabbitmq", "test_backup_rabbitmq", "test_legacy_rabbitmq"),
    (
        "test_legacy_redis",
        "test_adopt_page",
        "test_redis",
        "test_redis_states",
        "test_redis_proxy",
        "test_switchover_redis",
        "test_backup_store",
    ),
    ("test_k3s", "test_backup_k3s"),
    ("test_minio", "test_minio_states", "test_backup_minio", "test_legacy_minio"),
    ("test_digests",),
    ("test_host_traits",),
    ("test_lab_services",),
    ("test_upstream",),
    ("test_contract_galera",),
)
"""Files of the lab ring that share a lab, one after the other: the first finds bare servers.

The longer a chain, the earlier it comes, so that no worker is alone with it at the end. A file that is not here is
short, has a lab of its own, and comes after them.
"""
_PLACES = {
    name: (turn, place) for turn, chain in enumerate(CHAINS) for place, name in enumerate(chain)
}


def chain_of(nodeid: str) -> str:
    """Return a name for the chain of a test, or of its file: what has the same stays together."""
    place = _place(nodeid)
    return CHAINS[place[0]][0] if place else nodeid.partition("::")[0]


def _place(nodeid: str) -> tuple[int, int] | None:
    path = nodeid.partition("::")[0]
    return _PLACES.get(Path(path).stem) if path.startswith(_LABS) else None


class ByLab(LoadScopeScheduling):  # type: ignore[misc]  # its types are not exported
    """A worker takes a whole chain: the tests of a file build on each other, and so do files that share a lab."""

    def _split_scope(self, nodeid: str) -> str:
        return chain_of(nodeid)


@pytest.hookimpl(optionalhook=True)  # it stands for nothing where xdist is switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByLab:
    """Share the tests out in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    return ByLab(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `scripts/test --long` ask for everything."""
    parser.addoption(
        "--long",
        action="store_true",
        help="the tests marked long too: more of a kind that a shorter test shows once",
    )


@pytest.fixture(scope="session")
def in_full(request: pytest.FixtureRequest) -> bool:
    """Return whether `--long` was given: tests that can take more hosts or more moments then do."""
    return bool(request.config.getoption("--long"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest chain first, then what needs no lab, then the other labs.

    On a new machine the first lab makes the base and the images that the others wait for.
    """
    if not config.getoption("--long"):
        named = tuple(word for word in config.args if "::" in word)
        left_out = [
            item
            for item in items
            if item.get_closest_marker("long") and not (named and item.nodeid.startswith(named))
        ]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, int, int]:
    place = _place(item.nodeid)
    if place is not None:
        return (0 if place[0] == 0 else 2, *place)
    if item.nodeid.startswith(_LABS):
        return (3, 0, 0)
    return (1, 0 if item.nodeid.startswith(_UNIT) else 1, 0)
