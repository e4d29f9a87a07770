"""The hunt in what `kbz bundle` hands to others: secrets that no store knows, where services leave them (SEC-2)."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keybuzz.model.core.secret import MASK
from tests.flow.secrets.test_secret_hunt import PLANTED, needles
from tests.flow.support.agent_host import NAME
from tests.flow.support.sshd import until
from tests.flow.support.talkative import Spoken, Talkative, talkative
from tests.flow.support.unix_server import Request, respond, serving, stream_frame

UNKNOWN = {
    "log": "l0g-wIsHb0ne-41",
    "argument": "arG-fl1ntl0ck-52",
    "environment": "enV-qu1cksand-63",
    "file": "f1le-m00nrise-74",
}
"""One secret for each place; no credential store has any of them."""
LOG = (
    f"connecting to postgres://kb:{UNKNOWN['log']}@10.0.0.1/db\n",
    f"starting with password={UNKNOWN['log']} for kb\n",
    f'{{"level":"error","api_key":"{UNKNOWN["log"]}"}}\n',
    f"using {PLANTED}\n",
    "ready to accept connections\n",
)
BUNDLE = ("bundle", "demo", "--limit", NAME)


@dataclass(frozen=True, slots=True)
class Running:
    """A Docker Engine with one container that was started by hand, with secrets of its own."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        path, _, query = request.path.partition("?")
        self.asked.append(f"{request.method} {path}")
        if path == "/containers/app/logs":
            return respond(200) + _multiplexed(int(query.rpartition("tail=")[2]))
        answers: dict[str, Any] = {
            "/version": {"Version": "29.0.4"},
            "/images/demo:1/json": {"Id": "sha256:1234", "Config": {}},
            "/containers/app/json": _container(),
        }
        known = request.method == "GET" and path in answers
        return respond(200, answers[path]) if known else respond(404, {"message": "no such thing"})


def _multiplexed(tail: int) -> bytes:
    """Return the last lines as Docker sends them: a header of 8 bytes before each."""
    return b"".join(
        stream_frame(1 + number % 2, line.encode()) for number, line in enumerate(LOG[-tail:])
    )


def _container() -> dict[str, Any]:
    words = ["server", "--requirepass", UNKNOWN["argument"], "--port", "6379"]
    environment = [f"APP_PASSWORD={UNKNOWN['environment']}", f"SIDE_TOKEN={UNKNOWN['environment']}"]
    return {
        "Id": "c1",
        "Image": "sha256:1234",
        "RestartCount": 3,
        "State": {"Running": True, "StartedAt": "2026-01-01T00:00:00Z"},
        "Config": {
            "Image": "demo:1",
            "Env": environment,
            "Cmd": words,
            "Hostname": "a",
            "User": "",
        },
        "HostConfig": {
            "Binds": [],
            "RestartPolicy": {"Name": "always"},
            "NetworkMode": "host",
            "ShmSize": 1,
        },
    }


@dataclass(frozen=True)
class Made:
    """The archive, and how it was made."""

    spoken: Spoken
    path: Path
    files: Mapping[str, str]
    asked: tuple[str, ...]

    @property
    def manifest(self) -> Any:
        return json.loads(self.files["manifest.json"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Talkative:
    return talkative(tmp_path_factory.mktemp("bundle"), PLANTED)


@pytest.fixture(scope="module")
def made(site: Talkative) -> Made:
    """Leave a run in the journal and a file that was changed by hand, and make the bundle."""
    conf = site.host.files / "app.conf"
    conf.write_text(f"listen 5433\nrequirepass {UNKNOWN['file']}\n")
    engine = Running()
    with serving(site.host.socket, engine):
        health = site.kbz("good", "health", "demo", "--limit", NAME)
        assert health.code == 0, health.stderr
        before = _tree(site)
        engine.asked.clear()
        spoken = site.kbz("good", *BUNDLE, "--out", "b.tar.gz")
        assert _tree(site) == before
    until(lambda: not site.host.agents(), "the agents to end")
    path = site.folder / "b.tar.gz"
    return Made(spoken, path, contents(path), tuple(engine.asked))


def contents(path: Path) -> dict[str, str]:
    """Return the files of an archive, by their paths in its one folder."""
    found = {}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            stream = tar.extractfile(member)
            assert stream is not None, member.name
            assert member.mode == 0o600
            found[member.name.partition("/")[2]] = stream.read().decode()
    return found


def _tree(site: Talkative) -> dict[str, bytes]:
    """Return what is on the host."""
    return {
        str(path): path.read_bytes()
        for path in sorted(site.host.files.rglob("*"))
        if path.is_file()
    }


def test_it_is_made_for_its_owner_alone(made: Made) -> None:
    assert made.spoken.code == 0, made.spoken.stdout + made.spoken.stderr
    assert made.path.stat().st_mode & 0o7777 == 0o600
    assert not list(made.path.parent.glob(".b.tar.gz*"))
    assert {entry.partition(" ")[0] for entry in made.asked} == {"GET"}


@pytest.mark.parametrize("secret", [PLANTED, *UNKNOWN.values()])
def test_no_file_in_it_shows_a_secret(made: Made, secret: str) -> None:
    for name, text in made.files.items():
        assert [needle for needle in needles(secret) if needle in text] == [], name
        assert secret not in name
    for text in (made.spoken.stdout, made.spoken.stderr):
        assert secret not in text
    assert not [seen for seen in made.spoken.processes if secret.encode() in seen]


def test_the_hunt_could_have_found_something(made: Made, site: Talkative) -> None:
    """Each secret was in what was read, and what it stood in is in the archive, masked."""
    assert UNKNOWN["file"] in (site.host.files / "app.conf").read_text()
    assert f"-requirepass {MASK}" in made.files["plan.txt"]
    logs = "".join(text for name, text in made.files.items() if name.startswith(f"logs/{NAME}/"))
    assert f"postgres://kb:{MASK}@10.0.0.1/db" in logs
    assert f"starting with password={MASK} for kb" in logs
    assert f'"api_key":"{MASK}"' in logs
    assert f"using {MASK}" in logs
    assert "ready to accept connections" in logs
    app = json.loads(made.files["containers.json"])[NAME]["app"]
    assert app["attributes"]["command"] == ["server", "--requirepass", MASK, "--port", "6379"]
    assert app["attributes"]["environment"] == ["APP_PASSWORD", "SIDE_TOKEN"]
    runs = json.loads(made.files["journal.json"])
    assert {run["verb"] for run in runs} == {"health"}
    conf = made.files[f"configs/{NAME}{site.host.files}/app.conf"]
    assert f"dsn postgres://kb:{MASK}@10.0.0.1/db" in conf


def test_versions_and_manifest_are_whole(made: Made) -> None:
    versions = json.loads(made.files["versions.json"])
    assert versions["hosts"][NAME]["docker"] == "29.0.4"
    assert versions["hosts"][NAME]["kernel"]
    assert versions["images"]["redis"]["frozen"].startswith("redis:")
    assert made.manifest["hosts"] == [{"host": NAME, "silent": None}]
    assert {item["path"] for item in made.manifest["files"]} == set(made.files) - {"manifest.json"}
    assert {item["path"]: item["bytes"] for item in made.manifest["files"]} == {
        name: len(text.encode()) for name, text in made.files.items() if name != "manifest.json"
    }


def test_what_is_there_is_never_overwritten(made: Made, site: Talkative) -> None:
    before = made.path.read_bytes()
    link = site.folder / "link.tar.gz"
    link.symlink_to(site.folder / "nowhere")
    for place in (made.path.name, link.name):
        refused = site.kbz("good", *BUNDLE, "--out", place)
        assert refused.code == 3
        assert "is there already, and is never overwritten" in refused.stderr
    assert made.path.read_bytes() == before
    assert not (site.folder / "nowhere").exists()


def test_a_log_has_as_many_lines_as_were_asked_for(site: Talkative) -> None:
    with serving(site.host.socket, Running()):
        done = site.kbz("good", *BUNDLE, "--lines", "1", "--out", "one.tar.gz", "--format", "json")
    until(lambda: not site.host.agents(), "the agents to end")
    logs = [item for item in json.loads(done.stdout)["files"] if item["path"].startswith("logs/")]
    assert [item["bytes"] for item in logs] == [len(LOG[-1])]
