"""A run never changes a live credential that differs from the store: it refuses, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.files import File
from tasks.k3s.service.resources import K3sToken
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet
from tests.flow.support.links import register

OURS, ANOTHER = "the-token-of-the-store", "the-token-of-the-live-cluster"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield made


def described(host: ScratchHost) -> tuple[Resource, ...]:
    """Return a file that would be written first, and a cluster that was made with a token."""
    conf = File(str(host.files / "app.conf"), Content.plain("new\n"))
    return conf, K3sToken(Secret("K3S_TOKEN", OURS))


def live_token(three: Fleet, host: str, token: str) -> Path:
    path = three.hosts[host].root / "var-lib/rancher/k3s/server/token"
    path.parent.mkdir(parents=True)
    path.write_text(f"K10{'ab' * 32}::server:{token}\n")
    return path


def test_another_live_token_is_refused_before_anything_is_written(three: Fleet) -> None:
    live_token(three, FIRST, OURS)
    path = live_token(three, SECOND, ANOTHER)
    before = path.read_text(), path.stat().st_mtime_ns
    report = three.run(replace(Demo(three.hosts, described).module()))
    assert report.exit_code == ExitCode.REFUSED
    assert SECOND in report.error
    assert "K3S_TOKEN" in report.error
    assert "k3s.env" in report.error
    assert ANOTHER not in report.error + str(report.plan)
    assert [three.text(host) for host in HOSTS] == [None] * 3
    assert (path.read_text(), path.stat().st_mtime_ns) == before


def test_the_stores_own_token_and_none_at_all_are_no_hindrance(three: Fleet) -> None:
    live_token(three, FIRST, OURS)
    assert three.run(Demo(three.hosts, described).module()).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3


def test_a_rotation_may_change_what_it_knows_the_former_of(three: Fleet) -> None:
    live_token(three, FIRST, ANOTHER)
    site = replace(three.site, former={"K3S_TOKEN": Secret("K3S_TOKEN", ANOTHER)})
    three.nornir.config.user_defined["site"] = site
    rotating = replace(three, workspace=replace(three.workspace, site=site))
    report = rotating.run(Demo(three.hosts, described).module())
    assert "a run never changes one" not in report.error
