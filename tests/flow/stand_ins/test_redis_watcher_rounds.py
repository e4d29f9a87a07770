"""The watcher's program against Sentinels, a node and an HAProxy socket that are really there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

import pytest

from tasks.redis_proxy.values import SOURCES
from tests.flow.servers.redis_server import FakeRedis, Reply, fake_redis

PASSWORD = "a-password-of-the-store"
NOBODY = ("192.0.2.1", 6379)
AWAY = -1
"""In the place of a port: this Sentinel ends the connection without an answer."""


@dataclass
class Haproxy:
    """One server, and the runtime commands that the watcher uses."""

    place: tuple[str, int] = NOBODY
    open: bool = False
    said: list[str] = field(default_factory=list)

    def answer(self, line: str) -> str:
        if line.startswith("show servers state"):
            head = "# be_name srv_name srv_addr srv_admin_state srv_port"
            address, port = self.place
            return f"1\n{head}\nredis-master master {address} {int(not self.open)} {port}\n"
        self.said.append(line)
        words = line.split()
        if "addr" in words:
            self.place = (words[4], int(words[6]))
        if "state" in words:
            self.open = words[-1] == "ready"
        return "\n"


@contextmanager
def served(haproxy: Haproxy, path: Path) -> Iterator[None]:
    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            self.wfile.write(haproxy.answer(line).encode())

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@dataclass
class World:
    """Three Sentinels, one node, one HAProxy."""

    folder: Path
    node: FakeRedis
    haproxy: Haproxy
    names: list[int | None]
    """Port of the master that each Sentinel names; None: it names nobody."""
    role: list[str]

    def beat(self) -> dict[str, object]:
        """Return the newest heartbeat."""
        found: dict[str, object] = json.loads((self.folder / "heartbeat.json").read_text())
        return found

    def once(self) -> tuple[int, dict[str, object], str]:
        """Run one round; return exit code, heartbeat, and all that was printed."""
        program = [sys.executable, "-I", str(SOURCES / "redis_watcher.py")]
        done = subprocess.run(
            [*program, str(self.folder / "watcher.json"), "--once"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        beat = json.loads((self.folder / "heartbeat.json").read_text())
        return done.returncode, beat, done.stdout + done.stderr


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    role, haproxy = ["master"], Haproxy()
    names: list[int | None] = [None, None, None]

    def sentinel(number: int, words: object) -> Reply:
        port = names[number]
        if port == AWAY:
            raise ConnectionResetError
        return ["127.0.0.1", str(port)] if port else None

    with ExitStack() as stack:
        node = stack.enter_context(fake_redis(lambda words: [role[0]], PASSWORD))
        names[:] = [node.port] * 3
        sentinels = [stack.enter_context(fake_redis(partial(sentinel, n))) for n in range(3)]
        stack.enter_context(served(haproxy, tmp_path / "admin.sock"))
        configuration = {
            "sentinels": [["127.0.0.1", found.port] for found in sentinels],
            "master_name": "kb-redis-master",
            "password": PASSWORD,
            "socket": str(tmp_path / "admin.sock"),
            "server": "redis-master/master",
            "heartbeat": str(tmp_path / "heartbeat.json"),
            "interval": 1,
        }
        (tmp_path / "watcher.json").write_text(json.dumps(configuration))
        yield World(tmp_path, node, haproxy, names, role)


def test_the_route_is_set_where_sentinel_says_and_again_after_a_reload(world: World) -> None:
    code, beat, _ = world.once()
    master = ("127.0.0.1", world.node.port)
    assert code == 0
    assert (world.haproxy.place, world.haproxy.open) == (master, True)
    assert beat["master"] == f"127.0.0.1:{world.node.port}"
    assert beat["success"] != 0
    said = len(world.haproxy.said)
    assert world.once()[0] == 0
    assert len(world.haproxy.said) == said, "a right route is left alone"
    world.haproxy.place, world.haproxy.open = NOBODY, False
    assert world.once()[0] == 0
    assert (world.haproxy.place, world.haproxy.open) == (master, True)


def test_sessions_to_the_node_before_end_while_the_route_is_closed(world: World) -> None:
    world.haproxy.place, world.haproxy.open = ("127.0.0.1", 1), True
    world.once()
    words = [line.split()[-1] for line in world.haproxy.said]
    assert words == ["maint", str(world.node.port), "redis-master/master", "ready"]
    assert world.haproxy.said[2].startswith("shutdown sessions server")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ((AWAY, AWAY, AWAY), "no Sentinel"),
        ((None, None, None), "says no master"),
        ((1, AWAY, AWAY), "majority"),
        ((1, 2, AWAY), "majority"),
    ],
)
def test_sentinels_that_disagree_or_are_silent_leave_the_route_as_it_is(
    world: World, names: tuple[int | None, ...], why: str
) -> None:
    world.haproxy.place, world.haproxy.open = ("127.0.0.1", 9), True
    world.names[:] = names
    code, beat, _ = world.once()
    assert code == 1
    assert why in str(beat["trouble"])
    assert beat["success"] == 0
    assert (world.haproxy.place, world.haproxy.open, world.haproxy.said) == (
        ("127.0.0.1", 9),
        True,
        [],
    )


def test_without_a_majority_of_sentinels_the_route_closes_and_opens_again(world: World) -> None:
    """The side of a partition with fewer Sentinels took writes that were lost when it healed."""
    world.once()
    assert world.haproxy.open
    program = [sys.executable, "-I", str(SOURCES / "redis_watcher.py")]
    path = world.folder / "watcher.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "interval": 0.1, "down_after": 1}))
    port, world.names[1:] = world.names[0], [AWAY, AWAY]
    with subprocess.Popen([*program, str(path)], stdout=subprocess.PIPE, text=True) as running:
        try:
            until(lambda: not world.haproxy.open)
            assert world.haproxy.said[-2:] == [
                "set server redis-master/master state maint",
                "shutdown sessions server redis-master/master",
            ]
            until(lambda: "the route is closed" in str(world.beat()["trouble"]))
            world.names[:] = [port] * 3
            until(lambda: world.haproxy.open)
        finally:
            running.terminate()
    assert world.haproxy.place == ("127.0.0.1", port)


def until(good: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not good():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_named_node_that_says_slave_of_itself_gets_nothing(world: World) -> None:
    world.role[0] = "slave"
    code, beat, _ = world.once()
    assert code == 1
    assert "says that it is slave" in str(beat["trouble"])
    assert world.haproxy.said == []


def test_no_haproxy_and_a_wrong_password_are_sentences_without_the_password(world: World) -> None:
    world.node.password = "another-one"
    code, beat, printed = world.once()
    assert code == 1
    assert "WRONGPASS" in str(beat["trouble"])
    assert PASSWORD not in printed + json.dumps(beat)
    assert "Traceback" not in printed
