"""A site of three hosts with engines of their own, and the command line over it, which can be killed at any point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.flow.support.agent_host import GROUPS, ROOT, SERVERS, ScratchHost, scratch_host
from tests.flow.support.fleet import HOSTS
from tests.flow.support.sshd import until
from tests.flow.support.talkative import CONFIGURATION
from tests.flow.support.unix_server import Request, respond, serving

NEVER_RUNS = "demo/app:1.2.9"
"""An image whose container ends as soon as it is started."""
NEVER_RUNS_EITHER = "demo/app:1.4.0"
"""The same, in a series from which there is no way back."""
VERSIONS = """\
# The versions of this test.
images:
  app:
    frozen: demo/app:1.2.3   # as the owner froze it
"""


@dataclass
class Engine:
    """A Docker Engine that pulls where it may, hands images out, and runs containers."""

    registry: bool = False
    images: set[str] = field(default_factory=set)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        path, _, query = request.path.partition("?")
        words = parse_qs(query)
        with self.lock:
            if path.startswith("/images/"):
                return self._image(request, path, words)
            name = words["name"][0] if path == "/containers/create" else path.split("/")[2]
            return self._container(request, path, name)

    def _image(self, request: Request, path: str, words: dict[str, list[str]]) -> bytes:
        if path == "/images/create":
            name = (
                f"{words['fromImage'][0]}:{words['tag'][0]}"
                if "tag" in words
                else words["fromImage"][0]
            )
            if not self.registry:
                return respond(404, {"message": "no registry"})
            self.images.add(name)
            return respond(200, {"status": "pulled"})
        if path == "/images/load":
            name = request.body.rstrip(b"\0").decode()
            self.images.add(name)
            self.did.append(f"load {name}")
            return respond(200, {"stream": "Loaded"})
        name = unquote(path.removeprefix("/images/"))
        if name.endswith("/get"):
            found = self._known(name.removesuffix("/get"))
            return b"HTTP/1.0 200 OK\r\n\r\n" + found.encode() + bytes(2048)
        if name.endswith("/tag"):
            return respond(201)
        found = self._known(name.removesuffix("/json"))
        return (
            respond(200, {"Id": _id(found), "RepoDigests": [], "Config": {}})
            if found
            else respond(404)
        )

    def _known(self, name: str) -> str:
        return next((one for one in self.images if name in (one, _id(one))), "")

    def _container(self, request: Request, path: str, name: str) -> bytes:
        found = self.containers.get(name)
        if path == "/containers/create":
            options = json.loads(request.body)
            self.containers[name] = {"options": options, "running": False}
            return respond(201, {"Id": name})
        if found is None:
            return respond(404, {"message": "no such container"})
        image = found["options"]["Image"]
        if path.endswith("/start"):
            found["running"] = image not in (NEVER_RUNS, NEVER_RUNS_EITHER)
            self.did.append(f"start {image}")
        elif path.endswith("/stop"):
            found["running"] = False
        elif request.method == "DELETE":
            del self.containers[name]
        else:
            return respond(200, _inspected(found))
        return respond(204)


def _id(reference: str) -> str:
    return f"sha256:{reference.encode().hex():0<64}"[:71]


def _inspected(found: dict[str, Any]) -> dict[str, Any]:
    options = found["options"]
    state = {"Running": found["running"], "StartedAt": "2026-01-01T00:00:00Z"}
    config = {key: options.get(key) for key in ("Image", "Env", "Cmd", "Hostname", "User")}
    image = _id(options["Image"])
    return {
        "Id": "c1",
        "Image": image,
        "State": state,
        "Config": config,
        "HostConfig": options["HostConfig"],
    }


@dataclass(frozen=True)
class Said:
    """What one command said."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Upgraded:
    """The hosts, their engines, and the folder of the site."""

    folder: Path
    hosts: dict[str, ScratchHost]
    engines: dict[str, Engine]

    def kbz(self, *words: str, die: str = "", edit: str = "") -> Said:
        """Run a command line; it is killed at the point `die`, and the site is edited at the point `edit`."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "modules"), str(ROOT)]),
            "KBZ_UPGRADE_HOSTS": str(self.folder / "h"),
            "KBZ_UPGRADE_LEADER": HOSTS[0],
            "KBZ_UPGRADE_DIE": die,
            "KBZ_UPGRADE_EDIT": edit,
        }
        code = "from tests.flow.upgrade.command import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "--config", "nornir_config.yaml", *words],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        until(lambda: not any(h.agents() for h in self.hosts.values()), "the agents to end")
        return Said(done.returncode, done.stdout, done.stderr)

    @property
    def versions(self) -> str:
        """The text of versions.yaml."""
        return (self.folder / "versions.yaml").read_text()

    @property
    def running(self) -> list[str]:
        """The image that runs on each host; empty where none does."""
        found = [engine.containers.get("app") for engine in self.engines.values()]
        return [c["options"]["Image"] if c and c["running"] else "" for c in found]


@contextmanager
def upgraded(folder: Path, frozen: str = "[]") -> Iterator[Upgraded]:
    """Yield the site, with its module installed on all three hosts."""
    hosts = {name: scratch_host(folder / "h" / name) for name in HOSTS}
    engines = {name: Engine() for name in HOSTS}
    builder = Engine(registry=True)
    _write_site(folder, frozen)
    with ExitStack() as served:
        served.enter_context(serving(folder / "builder.sock", builder))
        for name, host in hosts.items():
            served.enter_context(serving(host.socket, engines[name]))
            engines[name].images.add("demo/app:1.2.3")
        made = Upgraded(folder, hosts, engines)
        first = made.kbz("run", "app")
        assert first.code == 0, first.stdout + first.stderr
        for engine in engines.values():
            engine.did.clear()
        yield made


def _write_site(folder: Path, frozen: str) -> None:
    text = CONFIGURATION.format(servers=SERVERS, groups=GROUPS, inventory=ROOT / "inventory")
    for name in ("versions", "policies"):
        text = text.replace(f"{ROOT / 'inventory'}/{name}.yaml", f"{name}.yaml")
    (folder / "nornir_config.yaml").write_text(text)
    (folder / "versions.yaml").write_text(VERSIONS)
    (folder / "policies.yaml").write_text(f"freeze: {frozen}\nwaivers: []\n")
    (folder / "site.yaml").write_text(
        "paths:\n  builder_socket: builder.sock\n  key_filename: key\n  known_hosts: known_hosts\n"
        f"  state: {folder}/state\n  credentials: {folder}/credentials\nparameters:\n"
        "  versions.registry: none\n  versions.no_digests: an engine of a test\n  modules.in_all: none\n"
        "  history.keep_days: 400\n  hooks.seconds: 60\n"
    )
    (folder / "overlay.yaml").write_text("{}\n")
    (folder / "credentials").mkdir(mode=0o700)
