"""`kbz versions mirror`: pulled once by the builder, handed to each host that lacks it, and no container is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from keybuzz.engine.images.mirror import MirrorRequest, mirror
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.memory.lock import leases
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError, StepError
from keybuzz.model.core.live import Live
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.host.docker import Image
from keybuzz.site.module import Description, Module
from keybuzz.site.site import ImageVersion
from tasks.base import MODULE as BASE
from tests.flow.support.agent_host import NAME, OneHost, Recorder, one_host
from tests.flow.support.unix_server import Request, respond, serving

LOCKED = f"sha256:{'a' * 64}"
TAG = "demo/app:1.2.3"
PINNED = f"{TAG}@{LOCKED}"
ARCHIVE = b"layers" + bytes(2048)


@dataclass
class Engine:
    """An engine that can pull, hand out, and load one image."""

    images: dict[str, str] = field(default_factory=dict)
    """Reference to id; a digest stands for `name@digest`, as Docker looks it up."""
    registry: bool = True
    asked: list[str] = field(default_factory=list)
    loaded: list[bytes] = field(default_factory=list)

    def __call__(self, request: Request) -> bytes:
        self.asked.append(f"{request.method} {request.path.partition('?')[0]}")
        path, _, query = request.path.partition("?")
        if path == "/images/create":
            if not self.registry:
                return respond(404, {"message": "manifest unknown"})
            self.images[TAG] = "sha256:1234"
            if "sha256" in query:
                self.images[f"demo/app@{LOCKED}"] = "sha256:1234"
            return respond(200, {"status": "pulled"})
        if path == "/images/load":
            self.loaded.append(request.body)
            self.images["sha256:1234"] = "sha256:1234"
            return respond(200, {"stream": "Loaded"})
        if path.endswith("/get"):
            return b"HTTP/1.0 200 OK\r\n\r\n" + ARCHIVE
        if path.endswith("/tag"):
            given = parse_qs(query)
            self.images[f"{given['repo'][0]}:{given['tag'][0]}"] = "sha256:1234"
            return respond(201)
        name = path.removeprefix("/images/").removesuffix("/json").replace("%40", "@")
        name = name.replace("%3A", ":").replace(":1.2.3@", "@")
        if name not in self.images:
            return respond(404)
        digests = [known for known in self.images if "@" in known]
        return respond(200, {"Id": self.images[name], "RepoDigests": digests})

    @property
    def changed(self) -> list[str]:
        """What it was asked to do, but for names that it was to give."""
        return [a for a in self.asked if a.startswith("POST") and not a.endswith("/tag")]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path) as made:
        yield made


def module(reference: str) -> Module:
    """Return a module whose hosts pull one image."""

    def stage(live: Live) -> None:
        raise AssertionError(f"nothing is rolled out: {live.module}")

    return replace(
        BASE,
        describe=lambda site, server: Description((Image(reference),)),
        next_stage=stage,
    )


def workspace(host: OneHost, builder: Path) -> Workspace:
    site = replace(host.site, settings=replace(host.site.settings, builder_socket=builder))
    site.settings.state.mkdir(parents=True, exist_ok=True)
    journal = Journal(site.settings.state / "journal.sqlite")
    return Workspace(site, host.nornir, journal, Recorder(), "kbz versions mirror")


@pytest.mark.parametrize("reference", [TAG, PINNED])
def test_pulled_once_handed_out_and_then_only_asked_for(
    host: OneHost, tmp_path: Path, reference: str
) -> None:
    builder, engine, socket = Engine(), Engine(registry=False), tmp_path / "builder.sock"
    work = workspace(host, socket)
    with serving(socket, builder), serving(host.scratch.socket, engine):
        first = mirror(work, MirrorRequest((module(reference),), frozenset({NAME})))
        assert first.hosts[NAME].outcome is Outcome.CHANGED, first.hosts[NAME].what
        assert engine.changed == ["POST /images/load"]
        assert engine.loaded == [ARCHIVE]
        pulls = builder.changed
        second = mirror(work, MirrorRequest((module(reference),), frozenset({NAME})))
    assert second.hosts[NAME].outcome is Outcome.OK
    assert engine.changed == ["POST /images/load"]
    assert builder.changed == pulls
    assert pulls.count("POST /images/create") == 1
    assert first.exit_code is second.exit_code is ExitCode.GOOD
    assert not first.findings
    assert engine.images[TAG] == "sha256:1234"
    assert (f"demo/app:{LOCKED.replace(':', '-')}" in engine.images) == ("@" in reference)
    assert not any("/containers/" in asked for asked in (*engine.asked, *builder.asked))
    assert not list((work.site.settings.state / "images").iterdir())
    assert [run.verb for run in work.journal.runs(5)] == ["versions mirror"] * 2


def test_another_image_under_the_tag_is_told_and_stays_beside_the_locked_one(
    host: OneHost, tmp_path: Path
) -> None:
    builder, engine, socket = Engine(), Engine(images={TAG: "sha256:other"}), tmp_path / "b.sock"
    with serving(socket, builder), serving(host.scratch.socket, engine):
        done = mirror(workspace(host, socket), MirrorRequest((module(PINNED),), frozenset({NAME})))
    assert [finding.check for finding in done.findings] == ["versions.tag"]
    assert engine.images[TAG] == "sha256:other"
    assert engine.images[f"demo/app:{LOCKED.replace(':', '-')}"] == "sha256:1234"


def test_the_digest_of_what_was_pulled_is_recorded_where_none_is(
    host: OneHost, tmp_path: Path
) -> None:
    builder, engine, socket = Engine(), Engine(), tmp_path / "builder.sock"
    builder.images |= {TAG: "sha256:1234", f"demo/app@{LOCKED}": "sha256:1234"}
    work = workspace(host, socket)
    known = ImageVersion("app", TAG, TAG, "", 2)
    recorded: dict[str, str] = {}
    for digest, wanted in ((f"sha256:{'b' * 64}", {}), ("", {"app": LOCKED})):
        site = replace(work.site, versions={"app": replace(known, digest=digest)})
        request = MirrorRequest((module(TAG),), frozenset({NAME}), record=recorded.update)
        with serving(socket, builder), serving(host.scratch.socket, engine):
            mirror(replace(work, site=site), request)
        assert recorded == wanted


def test_what_can_not_be_pulled_reaches_no_host(host: OneHost, tmp_path: Path) -> None:
    builder, engine, socket = Engine(registry=False), Engine(), tmp_path / "builder.sock"
    with (
        serving(socket, builder),
        serving(host.scratch.socket, engine),
        pytest.raises(StepError) as caught,
    ):
        mirror(workspace(host, socket), MirrorRequest((module(TAG),), frozenset({NAME})))
    assert caught.value.where == TAG
    assert engine.changed == []


def test_it_takes_the_lease(host: OneHost, tmp_path: Path) -> None:
    work = workspace(host, tmp_path / "none.sock")
    names = work.lease_names(frozenset({NAME}))
    with (
        leases(work.site.settings.state / "leases", names, "kbz run", stop=work.stop),
        pytest.raises(RefusedError, match="lease"),
    ):
        mirror(work, MirrorRequest((module(TAG),), frozenset({NAME})))
