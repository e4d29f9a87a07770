"""Old deployments that a run must not touch: adopt foretells the refusal, a run gives it, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keybuzz.engine.adopt.adopt import adopt
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.host.ground import Ground
from keybuzz.site.module import Module
from tasks.redis.service.resources import RedisData
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, all_at_once, fleet
from tests.flow.support.links import register
from tests.flow.support.unix_server import Request, respond, serving

OWN, OLD = "own/data", "srv/old"


@dataclass(frozen=True)
class Engine:
    """Docker on one host: one container, running or stopped, with one folder."""

    name: str
    state: str
    source: str

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        answers: dict[str, object] = {
            "/containers/json": [
                {
                    "Names": [f"/{self.name}"],
                    "State": self.state,
                    "Image": "redis:7",
                    "Mounts": [{"Source": self.source}],
                }
            ],
            "/volumes": {"Volumes": []},
        }
        found = answers.get(request.path.partition("?")[0])
        return respond(404, {"message": "no"}) if found is None else respond(200, found)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield made


def data(three: Fleet, host: str, place: str, head: bytes = b"REDIS0011\xfa") -> Path:
    path = three.hosts[host].files / place
    path.mkdir(parents=True)
    (path / "dump.rdb").write_bytes(head)
    return path


def module(three: Fleet) -> Module:
    """A module like that of Redis: one file, a format that its image loads, and data in a folder of its own."""

    def described(host: ScratchHost) -> tuple[Resource, ...]:
        conf = File(str(host.files / "app.conf"), Content.plain("new\n"))
        return conf, RedisData(str(host.files / OWN), 11)

    def next_stage(live: Live) -> Stage | None:
        for change in live.changes():
            if isinstance(change.resource, RedisData):
                found = live.hosts[change.host].attribute(change.identity, "newest")
                raise RefusedError(
                    f"the data is RDB {found}", where=change.host, hint="a newer image"
                )
        return all_at_once(live)

    own = tuple(str(host.files / OWN) for host in three.hosts.values())
    known = tuple(str(host.files / OLD) for host in three.hosts.values())
    ground = Ground(("redis", "sentinel"), own, (), known)
    return replace(Demo(three.hosts, described).module(), ground=ground, next_stage=next_stage)


def refused(three: Fleet, engines: dict[str, Engine] | None = None) -> str:
    """Adopt, run, see that both say the same, and that no byte changed; return what they said."""
    made = module(three)
    before = contents(three)
    with ExitStack() as stack:
        for host, engine in (engines or {}).items():
            stack.enter_context(serving(three.hosts[host].socket, engine))
        (found,) = adopt(three.workspace, (made,), frozenset(HOSTS)).modules
        report = three.run(made)
    assert report.exit_code == ExitCode.REFUSED
    assert found.refusals
    foretold = found.refusals[0].what.partition(": ")[2]
    assert foretold in report.error
    assert found.refusals[0].hint
    assert contents(three) == before
    return report.error


def contents(three: Fleet) -> dict[Path, tuple[int, bytes]]:
    files = (p for host in three.hosts.values() for p in host.files.rglob("*") if p.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_data_of_a_newer_format(three: Fleet) -> None:
    data(three, SECOND, OWN, b"REDIS0012\xfa")
    said = refused(three)
    assert f"{SECOND}: the data is RDB 12" in said


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_foreign_container_that_has_the_described_data(three: Fleet, state: str) -> None:
    path = data(three, SECOND, OWN)
    said = refused(three, {SECOND: Engine("redis-of-others", state, str(path))})
    assert "another container has its data" in said
    assert f"redis in {path} (RDB 11, container redis-of-others)" in said


def test_a_stopped_cluster_elsewhere(three: Fleet) -> None:
    path = data(three, THIRD, "anywhere/at/all")
    said = refused(three, {THIRD: Engine("kb-cache", "exited", str(path))})
    assert f"{THIRD}: data of another installation is there: redis in {path}" in said


def test_two_generations_on_one_host(three: Fleet) -> None:
    new, old = data(three, FIRST, OWN), data(three, FIRST, OLD, b"REDIS0010\xfa")
    said = refused(three)
    assert "two generations of data are there, and none serves" in said
    assert str(new) in said
    assert str(old) in said


def test_half_an_old_deployment(three: Fleet) -> None:
    """Two members are bare, and one has what is left of the old cluster: no new one is made around it."""
    path = data(three, THIRD, OLD)
    said = refused(three)
    assert f"data of another installation is there: redis in {path} (RDB 11)" in said
    assert [three.text(host) for host in HOSTS] == [None] * 3


def test_data_elsewhere_is_told_before_what_is_left_in_its_place(three: Fleet) -> None:
    """A log that is left where the data was says less than where the data is now."""

    def foreign(live: Live) -> None:
        raise RefusedError("a log of an earlier life is there", where=min(live.hosts), hint="")

    made = replace(module(three), foreign=foreign)
    report = three.run(made)
    assert report.exit_code == ExitCode.REFUSED
    assert f"{FIRST}: a log of an earlier life is there" in report.error
    path = data(three, SECOND, OLD)
    report = three.run(made)
    assert report.exit_code == ExitCode.REFUSED
    assert f"data of another installation is there: redis in {path}" in report.error
    assert [three.text(host) for host in HOSTS] == [None] * 3


def test_the_same_module_is_installed_on_bare_hosts(three: Fleet) -> None:
    """So that a refusal is one of what was found, and of nothing else."""
    for host in HOSTS:
        (three.hosts[host].files / OWN).mkdir(parents=True)
    assert three.run(module(three)).exit_code == ExitCode.GOOD
    assert [three.text(host) for host in HOSTS] == ["new\n"] * 3
