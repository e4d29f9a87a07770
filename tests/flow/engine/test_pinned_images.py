"""An image that is locked is pulled, run and compared by its digest: a tag that moved is another image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.docker import Container, Image
from tests.flow.support.agent_host import OneHost, one_host
from tests.flow.support.unix_server import Request, respond, serving

LOCKED = f"sha256:{'a' * 64}"
REFERENCE = f"demo/app:1.2.3@{LOCKED}"


@dataclass
class Engine:
    """An engine over a registry whose tag may have moved; it knows images by tag and by digest, as Docker does."""

    tag_is: str = LOCKED
    """The digest that the registry has under the tag now."""
    images: dict[str, str] = field(default_factory=dict)
    """Reference to id."""
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> bytes:
        self.asked.append(f"{request.method} {request.path}")
        path, _, query = request.path.partition("?")
        words = dict(word.split("=") for word in query.split("&") if word)
        if path == "/images/create":
            digest = words["tag"] if words["tag"].startswith("sha256:") else self.tag_is
            self.images[f"{words['fromImage']}@{digest}"] = f"id of {digest}"
            return respond(200, {"status": "pulled"})
        name = path.removeprefix("/images/").removesuffix("/json").removesuffix("/tag")
        name = name.replace("%2F", "/").replace("%3A", ":").replace("%40", "@")
        if path.endswith("/tag"):
            self.images[f"{words['repo']}:{words['tag']}"] = self.images[name]
            return respond(201)
        if path.startswith("/containers/app/"):
            return self._container()
        # A reference with both is looked up by its digest only.
        short = name.replace(":1.2.3@", "@")
        return respond(200, {"Id": self.images[short]}) if short in self.images else respond(404)

    def _container(self) -> bytes:
        config = {"Image": REFERENCE, "Env": [], "Cmd": [], "Hostname": "", "User": ""}
        host = {"Binds": [], "RestartPolicy": {"Name": "unless-stopped"}, "NetworkMode": "host"}
        return respond(
            200,
            {
                "Id": "c1",
                "Image": "id of sha256:" + "b" * 64,
                "State": {"Running": True},
                "Config": config,
                "HostConfig": {**host, "ShmSize": 64 << 20},
            },
        )


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHost]:
    with one_host(tmp_path_factory.mktemp("pinned")) as made:
        yield made


def test_exactly_the_digest_is_pulled_and_gets_the_tag(host: OneHost) -> None:
    engine = Engine(tag_is=f"sha256:{'f' * 64}")
    with serving(host.scratch.socket, engine):
        assert host.converge(Image(REFERENCE)) == [Outcome.CHANGED]
        assert host.converge(Image(REFERENCE)) == []
    assert [asked for asked in engine.asked if asked.startswith("POST /images/create")] == [
        f"POST /images/create?fromImage=demo/app&tag={LOCKED}"
    ]
    assert engine.images["demo/app:1.2.3"] == f"id of {LOCKED}"


def test_the_tag_alone_does_not_count_for_the_digest(host: OneHost) -> None:
    engine = Engine(images={"demo/app:1.2.3": "id of something else"})
    with serving(host.scratch.socket, engine):
        assert not host.state(Image(REFERENCE)).present


def test_a_container_of_another_digest_is_drift(host: OneHost) -> None:
    engine = Engine(images={f"demo/app@{LOCKED}": f"id of {LOCKED}"})
    with serving(host.scratch.socket, engine):
        [change] = host.plan(Container("app", REFERENCE))
    [difference] = [item for item in change.differences if item.attribute == "image"]
    assert difference.wanted == REFERENCE
    assert "bbbbbb" in str(difference.observed)


def test_a_tag_without_a_digest_is_pulled_as_before(host: OneHost) -> None:
    engine = Engine()
    with serving(host.scratch.socket, engine):
        [result] = host.apply(*host.plan(Image("demo/app:1.2.3")))
    assert "POST /images/create?fromImage=demo/app&tag=1.2.3" in engine.asked
    assert not any(asked.startswith("POST /images/demo") for asked in engine.asked)
    assert result.outcome is Outcome.FAILED  # this engine lists what it pulled by digest only
