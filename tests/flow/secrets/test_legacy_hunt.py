"""Secrets that only a host knows are hunted: what an older installation left in arguments, variables and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keybuzz.agent.guard.marks import unmarked
from keybuzz.model.core.secret import MASK
from tests.flow.secrets.test_secret_hunt import PLANTED
from tests.flow.support.agent_host import NAME
from tests.flow.support.serving import served
from tests.flow.support.sshd import until
from tests.flow.support.talkative import Engine, Spoken, Talkative, talkative
from tests.flow.support.unix_server import Request, respond, serving

UNKNOWN = tuple(f"uNkn0wn{number}&%=+/Zq{number}" for number in range(6))
"""Each is in another place, and none in the store."""
LIMIT = ("--limit", NAME)
CONF = f"""\
requirepass {UNKNOWN[0]}
masterauth "{UNKNOWN[0]}"
listen 5433
database_url: postgresql://kb_app:{UNKNOWN[3]}@10.0.0.10:5432/keybuzz
pgpass: /tmp/pgpass
admin_password: '{UNKNOWN[4]}'
"kb_app" "{UNKNOWN[5]}"
"""
COMMANDS: Mapping[str, tuple[int, str, tuple[str, ...]]] = {
    "plan": (2, "good", ("plan", "demo", *LIMIT)),
    "plan, json": (2, "good", ("plan", "demo", *LIMIT, "--format", "json")),
    "plan, saved": (2, "good", ("plan", "demo", *LIMIT, "--out", "saved.plan")),
    "drift": (2, "quiet", ("drift", "demo", *LIMIT)),
    "drift, json": (2, "quiet", ("drift", "demo", *LIMIT, "--format", "json")),
    "drift, junit": (2, "quiet", ("drift", "demo", *LIMIT, "--format", "junit")),
    "adopt": (2, "good", ("adopt", "demo", *LIMIT)),
    "adopt, json": (2, "good", ("adopt", "demo", *LIMIT, "--format", "json")),
    "health": (0, "good", ("health", "demo", *LIMIT, "--format", "json")),
    "page": (0, "quiet", ("report", "demo", *LIMIT, "--html", "page.html")),
    "exec, file": (0, "good", ("exec", *LIMIT, "--", "cat", "{conf}")),
    "exec, inspect": (0, "good", ("exec", *LIMIT, "--", "cat", "{inspect}")),
    "exec, processes": (0, "good", ("exec", *LIMIT, "--format", "json", "--", "cat", "{ps}")),
    "refused": (1, "good", ("run", "demo", *LIMIT)),
    "run": (0, "good", ("run", "demo", *LIMIT, "--format", "json")),
    "history": (0, "good", ("history", "1", "--format", "json")),
    "remembered": (0, "good", ("report", "--from-journal", "--html", "remembered.html")),
}


@dataclass(frozen=True)
class Legacy(Engine):
    """An engine with a container that an older installation has made, until it is replaced."""

    old: list[bool] = field(default_factory=lambda: [True])

    def __call__(self, request: Request) -> bytes:
        """Answer one request; the old container can be stopped and removed."""
        if request.method == "DELETE":
            self.old.clear()
            return respond(204)
        if request.path.startswith("/containers/app/stop"):
            return respond(204)
        return super().__call__(request)

    def _inspect(self) -> bytes:
        return respond(200, old_container()) if self.old else super()._inspect()


def old_container() -> dict[str, object]:
    """Return what Docker says of it: secrets in its arguments and variables."""
    return {
        "Id": "c0",
        "Image": "sha256:1234",
        "State": {"Running": True, "StartedAt": "2026-01-01T00:00:00Z"},
        "Config": {
            "Image": "demo:1",
            "Env": ["APP_PASSWORD=" + UNKNOWN[1], f"DSN=redis://:{UNKNOWN[2]}@10.0.0.10:6379/0"],
            "Cmd": ["demo", "--requirepass", UNKNOWN[0], "--masterauth", UNKNOWN[0]],
            "Hostname": "",
            "User": "",
        },
        "HostConfig": {
            "Binds": [],
            "NetworkMode": "host",
            "RestartPolicy": {"Name": "unless-stopped"},
            "ShmSize": 67108864,
        },
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Talkative:
    return talkative(tmp_path_factory.mktemp("legacy"), PLANTED)


@pytest.fixture(scope="module")
def spoken(site: Talkative) -> Mapping[str, Spoken]:
    """Run all commands, one after the other, over what an older installation has left."""
    names = {
        "conf": site.host.files / "app.conf",
        "inspect": site.host.root / "inspect.json",
        "ps": site.host.root / "ps.txt",
    }
    names["conf"].write_text(CONF)
    names["inspect"].write_text(json.dumps([old_container()], indent=4))
    names["ps"].write_text(
        f"redis-server *:6379 --requirepass {UNKNOWN[0]}\nredis-cli -a {UNKNOWN[1]} ping\n"
        f"K3S_TOKEN={UNKNOWN[2]} k3s server\n"
    )
    engine = Legacy()
    said = {}
    with serving(site.host.socket, engine):
        for name, (_, scenario, words) in COMMANDS.items():
            (engine.refusing.set if name == "refused" else engine.refusing.clear)()
            filled = [word.format(**names) if "{" in word else word for word in words]
            said[name] = site.kbz(scenario, *filled)
    until(lambda: not site.host.agents(), "the agents to end")
    return said


def assert_unknown_is_hidden(text: str | bytes, where: str) -> None:
    data = text.encode() if isinstance(text, str) else text
    pieces = {secret[start : start + 9] for secret in UNKNOWN for start in range(len(secret) - 8)}
    assert sorted(piece for piece in pieces if piece.encode() in data) == [], where


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_shows_what_only_the_host_knew(spoken: Mapping[str, Spoken], name: str) -> None:
    said = spoken[name]
    assert said.code == COMMANDS[name][0], said.stdout + said.stderr
    assert_unknown_is_hidden(said.stdout, "stdout")
    assert_unknown_is_hidden(said.stderr, "stderr")
    assert "Traceback" not in said.stderr
    for text in said.processes:
        assert_unknown_is_hidden(text, "a command line or an environment")


def test_nothing_of_it_stays_on_the_controller(
    spoken: Mapping[str, Spoken], site: Talkative
) -> None:
    kept = [
        path
        for path in site.folder.rglob("*")
        if path.is_file() and not path.is_relative_to(site.host.root)
    ]
    assert {"journal.sqlite", "saved.plan", "page.html", "remembered.html"} <= {
        path.name for path in kept
    }
    for path in kept:
        assert_unknown_is_hidden(path.read_bytes(), str(path))


def test_the_served_page_and_metrics_show_nothing_of_it(
    spoken: Mapping[str, Spoken], site: Talkative
) -> None:
    """What `kbz serve` tells comes from the journal that all these commands have filled."""
    assert spoken
    journal = site.folder / "state" / "journal.sqlite"
    argv = [*site.command(), "serve", "--listen", "127.0.0.1:0"]
    said = site.folder / "serve.err"
    with served(argv, site.folder, said, journal, site.environment("good")) as server:
        answers = {target: server.get(target) for target in ("/", "/metrics", "/healthz")}
    for target, got in answers.items():
        assert got.status == 200, (target, got.text)
        assert_unknown_is_hidden(got.text, target)
        assert_unknown_is_hidden(str(got.headers), target)
    assert_unknown_is_hidden(said.read_bytes(), "stderr of serve")
    page = answers["/"].text
    assert "container:app" in page
    assert "app.conf" in page
    assert "kbz_" in answers["/metrics"].text


def test_the_hunt_could_have_found_something(spoken: Mapping[str, Spoken]) -> None:
    """What is around the secrets arrived, and what is no secret is shown as it is."""
    plan = unmarked(spoken["plan"].stdout)
    assert f"command: [demo, --requirepass, {MASK}, --masterauth, {MASK}]" in plan
    assert "DSN=(not described)" in plan
    assert f"-requirepass {MASK}" in plan
    assert f"-database_url: postgresql://kb_app:{MASK}@10.0.0.10:5432/keybuzz" in plan
    assert "-pgpass: /tmp/pgpass" in plan
    assert f'"DSN=redis://:{MASK}@10.0.0.10:6379/0"' in unmarked(spoken["exec, inspect"].stdout)


def test_an_old_container_with_masked_arguments_is_replaced(
    spoken: Mapping[str, Spoken], site: Talkative
) -> None:
    """It was refused for ever: what the plan saw, masked, was compared with what is there, in clear."""
    assert "has moved" not in spoken["refused"].stdout
    assert '"remaining": 0' in spoken["run"].stdout
    kept = Path(site.host.previous(site.host.files / "app.conf"))
    assert kept.is_file()
