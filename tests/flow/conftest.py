"""Fixtures for tests over real connections: one sshd per module, and a check for leftovers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keybuzz.transport.session import Session
from tests.flow.support.connections import (
    LINKS,
    SSH_LINKS,
    Loopback,
    Stubborn,
    new_mark,
    register_plugins,
)
from tests.flow.support.sshd import Server, running, running_with, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    name = tmp_path_factory.mktemp("host") / "python3"
    name.symlink_to("/usr/bin/python3")
    yield name
    until(lambda: not running_with(str(name)), "the last agent to end")


@pytest.fixture(scope="module")
def loopback(server: Server, python: Path) -> Iterator[Loopback]:
    register_plugins()
    loopback = Loopback(server, python, [])
    yield loopback
    for host in loopback.hosts:
        host.close_connections()


@pytest.fixture(scope="module", params=LINKS)
def link(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=SSH_LINKS)
def ssh_link(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def session(loopback: Loopback, link: str) -> Session:
    """One session for all tests that must leave it usable: each of them tests the one before."""
    return loopback.session(link)


@pytest.fixture
def own_session(loopback: Loopback, link: str) -> Session:
    """A session that a test may break."""
    return loopback.session(link)


@pytest.fixture
def stubborn() -> Stubborn:
    return Stubborn(new_mark())
