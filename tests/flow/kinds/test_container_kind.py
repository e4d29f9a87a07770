"""How the agent compares a container with its description: what Docker adds by itself is no difference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.kinds.docker import containers
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.docker import Container

OWN = ["proxysql", "-f", "--idle-threads", "-D", "/var/lib/proxysql"]
PLAIN = Container("proxysql", "proxysql/proxysql:2.6.4", hostname="proxysql-01", stop_timeout=15)
KEY = DigestKey(b"k" * 32)


@dataclass
class Engine:
    """A Docker that has one image, and makes containers as the real one does."""

    made: dict[str, Any] | None = None
    acts: list[str] = field(default_factory=list)

    def get(self, path: str) -> dict[str, Any]:
        assert path.startswith("/images/")
        return {"Id": "sha256:1", "Config": {"Cmd": OWN, "Env": [], "StopSignal": "SIGTERM"}}

    def image(self, reference: str) -> dict[str, Any]:
        return self.get(f"/images/{reference}/json")

    def name_of(self, reference: str) -> str:
        return reference

    def inspect(self, name: str) -> dict[str, Any] | None:
        del name
        return self.made

    def act(self, method: str, path: str, body: Any = None, timeout: float = 0) -> None:
        del timeout
        self.acts.append(f"{method} {path.split('?')[0]}")
        if path.startswith("/containers/create"):
            self.made = {
                "Image": "sha256:1",
                "State": {"Running": True},
                "Config": {
                    "Image": body["Image"],
                    "Cmd": body["Cmd"] or OWN,
                    "Env": body["Env"],
                    "Hostname": body["Hostname"],
                    "User": body["User"],
                    "StopSignal": body.get("StopSignal", "SIGTERM"),
                },
                "HostConfig": body["HostConfig"],
            }


def differences(engine: Engine, wanted: Container) -> set[str]:
    """Return the attributes in which the engine's container is not as described."""
    context: Any = SimpleNamespace(docker=engine, digest=lambda data, secret: KEY.digest(data))
    found = containers.read_container(wanted.query(), context)["attributes"]
    as_wire = {k: list(v) if isinstance(v, tuple) else v for k, v in wanted.wanted(KEY).items()}
    return {name for name, value in as_wire.items() if found[name] != value}


def write(engine: Engine, wanted: Container) -> None:
    context: Any = SimpleNamespace(docker=engine)
    containers.write_container(wanted.order(), context)


def test_a_container_without_a_command_is_as_described_with_its_images() -> None:
    """B3: it was different for ever, and a run ended with “something else changes it back”."""
    engine = Engine()
    write(engine, PLAIN)
    assert engine.made is not None
    assert engine.made["Config"]["Cmd"] == OWN
    assert differences(engine, PLAIN) == set()


@pytest.mark.parametrize("command", [("proxysql", "-f"), ("sleep", "1")])
def test_another_command_by_hand_is_seen(command: tuple[str, ...]) -> None:
    engine = Engine()
    write(engine, replace(PLAIN, command=command))
    assert differences(engine, PLAIN) == {"command"}
    assert differences(engine, replace(PLAIN, command=command)) == set()


def test_a_described_command_is_compared_as_it_is_also_when_it_is_the_images() -> None:
    engine = Engine()
    write(engine, replace(PLAIN, command=tuple(OWN)))
    assert differences(engine, replace(PLAIN, command=tuple(OWN))) == set()
    assert differences(engine, PLAIN) == set()


def test_what_only_stopped_is_started_and_not_replaced() -> None:
    engine = Engine()
    write(engine, PLAIN)
    assert engine.made is not None
    engine.made["State"]["Running"] = False
    engine.acts.clear()
    write(engine, PLAIN)
    assert engine.acts == ["POST /containers/proxysql/start"]


def test_a_paused_one_goes_on_and_nothing_else() -> None:
    """S-07: a container that somebody paused runs by Docker's word, and answers nothing."""
    engine = Engine()
    write(engine, PLAIN)
    assert engine.made is not None
    engine.made["State"]["Paused"] = True
    assert differences(engine, PLAIN) == {"running"}
    engine.acts.clear()
    write(engine, PLAIN)
    assert engine.acts == ["POST /containers/proxysql/unpause"]


def test_a_stop_signal_is_given_and_compared_where_one_is_described() -> None:
    engine = Engine()
    write(engine, PLAIN)
    gentle = replace(PLAIN, stop_signal="SIGINT")
    assert differences(engine, gentle) == {"stop_signal"}
    write(engine, gentle)
    assert engine.made is not None
    assert engine.made["Config"]["StopSignal"] == "SIGINT"
    assert differences(engine, gentle) == set()
    assert differences(engine, PLAIN) == set(), "the image's own is nobody's wish"
