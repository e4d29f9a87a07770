"""The hunt for a planted secret goes on in the verbs that interrupt and bring back (SEC-2): restart, recover, drill."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import pytest

from keybuzz.model.core.secret import MASK
from tests.flow.secrets.test_secret_hunt import PLANTED, assert_clean
from tests.flow.support.agent_host import NAME
from tests.flow.support.sshd import until
from tests.flow.support.talkative import Engine, Spoken, Talkative, talkative
from tests.flow.support.unix_server import serving

LIMIT = ("--limit", NAME)
COMMANDS = {
    "run": (0, "good", "run", "demo", *LIMIT),
    "restart": (1, "good", "restart", "demo", *LIMIT),
    "restart, json": (1, "good", "restart", "demo", *LIMIT, "--format", "json"),
    "recover, unnamed": (3, "good", "recover", "demo"),
    "recover, misnamed": (3, "good", "recover", "demo", "--confirm", "demo"),
    "drill": (3, "quiet", "drill", "demo", "--confirm", "demo", "--scenario", "container-killed"),
    "drill, json": (3, "quiet", "drill", "demo", "--confirm", "demo", "--format", "json"),
    "recover": (1, "validator", "recover", "demo", "--confirm", "demo-cluster"),
    "recover, json": (
        *(1, "validator", "recover", "demo", "--confirm", "demo-cluster"),
        *("--format", "json"),
    ),
    "history": (0, "good", "history", "--format", "json"),
}


class Echo(socketserver.StreamRequestHandler):
    """Speaks enough of Redis to refuse each first login of a drill, in words that repeat the password."""

    said: ClassVar[list[str]] = []

    def handle(self) -> None:
        """Answer until the client leaves."""
        refusing = len(self.said) % 2 == 0
        while words := self._words():
            if words[0].upper() in ("AUTH", "HELLO") and refusing:
                self.said.append(words[-1])
                self._say(f"-WRONGPASS {words} is not the password: {json.dumps(words)}")
            elif words[0].upper() == "HELLO":
                self.said.append("")
                self._say("%1\r\n$5\r\nproto\r\n:3")
            elif words[0].upper() == "AUTH":
                self.said.append("")
                self._say("+OK")
            else:
                self._say(":0" if words[0].upper() == "DEL" else "+OK")

    def _words(self) -> list[str]:
        head = self.rfile.readline()
        sizes = range(int(head[1:] or 0)) if head else ()
        words = []
        for _ in sizes:
            size = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(size + 2)[:-2].decode())
        return words

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def endpoint() -> Iterator[int]:
    """Serve the drill's endpoint on loopback; yield its port."""
    Echo.said.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Talkative:
    return talkative(tmp_path_factory.mktemp("restore"), PLANTED)


@pytest.fixture(scope="module")
def spoken(site: Talkative) -> Mapping[str, Spoken]:
    """Run all verbs; each is told the secret in some way before it ends."""
    conf = site.host.files / "app.conf"
    said = {}
    with serving(site.host.socket, Engine()), endpoint() as port:
        for name, (_, scenario, *words) in COMMANDS.items():
            if name in ("recover", "recover, json"):
                conf.write_text('quoted "1"\n')
            said[name] = site.kbz(*map(str, (scenario, *words)), endpoint=port)
    until(lambda: not site.host.agents(), "the agents to end")
    return said


@pytest.mark.parametrize("name", COMMANDS)
def test_no_verb_shows_a_secret(spoken: Mapping[str, Spoken], name: str) -> None:
    said = spoken[name]
    assert said.code == COMMANDS[name][0], said.stdout + said.stderr
    assert_clean(said.stdout, "stdout")
    assert_clean(said.stderr, "stderr")
    assert "Traceback" not in said.stderr
    for text in said.processes:
        assert_clean(text, "a command line or an environment")


def test_what_remains_holds_no_secret(spoken: Mapping[str, Spoken], site: Talkative) -> None:
    for path in site.folder.rglob("*"):
        own = path.parent == site.folder / "credentials" or path.is_relative_to(site.host.root)
        if path.is_file() and not own:
            assert_clean(path.read_bytes(), str(path))


def test_the_hunt_could_have_found_something(spoken: Mapping[str, Spoken], site: Talkative) -> None:
    """What each verb was told did hold the secret, and arrived masked."""
    for name in ("restart", "restart, json"):
        told = " ".join(spoken[name].stdout.split())  # text is folded
        assert f"cannot restart with ['APP_PASSWORD={MASK}" in told, name
    for name in ("recover, unnamed", "recover, misnamed"):
        assert f"the password is {MASK}" in spoken[name].stderr, name
    assert "leak does not accept the new file" in " ".join(spoken["recover"].stdout.split())
    assert PLANTED in Echo.said
    for name in ("drill", "drill, json"):
        assert "is not the password" in spoken[name].stderr, name
        assert MASK in spoken[name].stderr, name
