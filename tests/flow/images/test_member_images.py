"""A host that lacks an image gets it from a member that holds it: no registry is asked, and the content is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest

from keybuzz.engine.events import ImageWork
from keybuzz.engine.images.mirror import MirrorRequest, mirror
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.host.docker import Image
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, all_at_once, fleet
from tests.flow.support.unix_server import Request, respond, serving

DIGEST = f"sha256:{'a' * 64}"
TAG = "demo/app:1.2.3"
PINNED = f"{TAG}@{DIGEST}"
HANDED = f"demo/app:{DIGEST.replace(':', '-')}"
IDENTITY, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@dataclass
class Engine:
    """An engine that keeps images by what they are; its registry is away."""

    names: dict[str, str] = field(default_factory=dict)
    """Reference to id."""
    broken: bool = False
    """True when it hands out something else than it says."""
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> bytes:
        path, _, query = unquote(request.path).partition("?")
        self.asked.append(f"{request.method} {path}")
        if path == "/images/create":
            return respond(500, {"message": "no route to host"})
        if path == "/images/load":
            identity = request.body.split(b"\n", 1)[0].decode()
            self.names[identity] = identity
            return respond(200, {"stream": "Loaded"})
        name = path.removeprefix("/images/")
        if name.endswith("/get"):
            found = OTHER if self.broken else self.names[name.removesuffix("/get")]
            return b"HTTP/1.0 200 OK\r\n\r\n" + f"{found}\n".encode() + bytes(1 << 20)
        if name.endswith("/tag"):
            given = parse_qs(query)
            self.names[f"{given['repo'][0]}:{given['tag'][0]}"] = self.names[
                name.removesuffix("/tag")
            ]
            return respond(201)
        name = name.removesuffix("/json")
        return respond(200, {"Id": self.names[name]}) if name in self.names else respond(404)


@dataclass
class Stage:
    """Three hosts with an engine each, of which the first two hold the image."""

    hosts: Fleet
    engines: dict[str, Engine]

    def run(self, reference: str) -> ExitCode:
        """Bring the image to all hosts."""
        demo = Demo(self.hosts.hosts, lambda host: (Image(reference),), all_at_once)
        return self.hosts.run(demo.module()).exit_code

    @property
    def told(self) -> list[str]:
        """What was said about images."""
        return [event.doing for event in self.hosts.heard.events if isinstance(event, ImageWork)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with fleet(tmp_path) as hosts, ExitStack() as engines:
        made = {name: Engine() for name in HOSTS}
        for name in (FIRST, SECOND):
            for known in (TAG, PINNED, IDENTITY):
                made[name].names[known] = IDENTITY
        for name, engine in made.items():
            engines.enter_context(serving(hosts.hosts[name].socket, engine))
        yield Stage(hosts, made)


@pytest.mark.parametrize("reference", [TAG, PINNED])
def test_it_comes_from_a_member_and_is_known_by_its_reference(stage: Stage, reference: str) -> None:
    bare = stage.engines[THIRD]
    assert stage.run(reference) is ExitCode.GOOD
    assert not [asked for asked in bare.asked if "/images/create" in asked]
    assert bare.names[TAG] == IDENTITY
    assert bare.names.get(HANDED) == (IDENTITY if "@" in reference else None)
    loads = bare.asked.count("POST /images/load")
    assert stage.run(reference) is ExitCode.GOOD
    assert bare.asked.count("POST /images/load") == loads == 1
    assert [line for line in stage.told if line.startswith("comes from")] == [
        f"comes from {FIRST}, which holds it"
    ]


def test_another_image_under_the_tag_stays_where_it_is(stage: Stage) -> None:
    bare = stage.engines[THIRD]
    bare.names[TAG] = OTHER
    assert stage.run(PINNED) is ExitCode.GOOD
    assert (bare.names[TAG], bare.names[HANDED]) == (OTHER, IDENTITY)


def test_members_that_disagree_hand_nothing_over(stage: Stage) -> None:
    stage.engines[SECOND].names[PINNED] = OTHER
    assert stage.run(PINNED) is ExitCode.FAILED
    assert not [asked for asked in stage.engines[THIRD].asked if "/images/load" in asked]
    assert "POST /images/create" in stage.engines[THIRD].asked


def test_what_is_not_the_image_gets_no_name(stage: Stage) -> None:
    """A member lies about what it hands out: its word counts for nothing, the id does."""
    for name in (FIRST, SECOND):
        stage.engines[name].broken = True
    bare = stage.engines[THIRD]
    assert stage.run(PINNED) is ExitCode.FAILED
    assert not {TAG, PINNED, HANDED} & set(bare.names)
    assert "POST /images/create" in bare.asked


def test_nothing_is_left_on_the_controller(stage: Stage) -> None:
    assert stage.run(PINNED) is ExitCode.GOOD
    assert not list((stage.hosts.site.settings.state / "images").iterdir())
    hosts = stage.hosts.workspace.journal.hosts(1)
    assert {host.host: host.outcome for host in hosts}[THIRD] is Outcome.CHANGED


def asked_for(stage: Stage, source: str, *hosts: str) -> MirrorRequest:
    """Return the request to bring the pinned image from one host to others."""
    demo = Demo(stage.hosts.hosts, lambda host: (Image(PINNED),), all_at_once)
    return MirrorRequest((demo.module(),), frozenset(hosts), host=source)


def test_mirror_takes_it_from_the_host_that_was_named(stage: Stage) -> None:
    done = mirror(stage.hosts.workspace, asked_for(stage, SECOND, THIRD))
    assert done.exit_code is ExitCode.GOOD
    assert stage.engines[THIRD].names[HANDED] == IDENTITY
    assert any(asked.endswith("/get") for asked in stage.engines[SECOND].asked)
    assert not any(asked.endswith("/get") for asked in stage.engines[FIRST].asked)
    again = mirror(stage.hosts.workspace, asked_for(stage, SECOND, THIRD))
    assert again.hosts[THIRD].changed == 0


def test_a_host_that_does_not_hold_it_is_no_source(stage: Stage) -> None:
    stage.engines[SECOND].names.clear()
    with pytest.raises(StepError, match="is not on") as caught:
        mirror(stage.hosts.workspace, asked_for(stage, SECOND, THIRD))
    assert caught.value.where == SECOND
    assert not [asked for asked in stage.engines[THIRD].asked if "/images/load" in asked]
