"""A host whose programs print every secret they see, and the command line that works on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keybuzz.site.parameters.own import OWN
from keybuzz.site.settings import read_sections
from tests.flow.support.agent_host import GROUPS, NAME, ROOT, SERVERS, ScratchHost, scratch_host
from tests.flow.support.sshd import parent_of
from tests.flow.support.unix_server import Request, respond

LEAK = """\
import base64, json, os, sys, time, urllib.parse, shlex
try:
    text = open(sys.argv[1]).read()
except FileNotFoundError:
    sys.exit("another host's agent has taken the file: all hosts of this site share one folder")
for line in text.splitlines():
    if line.startswith("quoted "):
        secret = json.loads(line[7:])
        print("the password is", secret, "or", json.dumps(secret), "or", repr(secret), file=sys.stderr)
        print(urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), shlex.quote(secret))
        print(base64.b64encode(secret.encode()).decode(), json.dumps({"a": json.dumps(secret)}))
        print(base64.b64encode(f"kb:{secret}".encode()).decode())
        sys.stdout.flush()
        until, seen = time.monotonic() + 10, f"{os.path.dirname(__file__)}/seen.{os.getpid()}"
        while not os.path.exists(seen) and time.monotonic() < until:
            time.sleep(0.01)
        sys.exit(1)
"""
"""It stays until whoever watches the processes has seen it."""
_OWN_LEASE = (
    "mkdir -p /run/kbz && for name in lease lease.turn; do touch /run/kbz/$name && "
    'mount --bind "$(mktemp -p {root})" /run/kbz/$name; done'
)
"""All hosts of the site are this one, and a host's lease is held by one agent: each gets files of its own for it."""
CONFIGURATION = """\
inventory:
  plugin: kbz_tsv
  options: {{path: {servers}, groups: {groups}, connection: kbz_local}}
runner:
  plugin: kbz_bounded
  options: {{num_workers: 8}}
user_defined:
  versions: {inventory}/versions.yaml
  site: site.yaml
  policies: {inventory}/policies.yaml
  overlay: overlay.yaml
"""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one command said, and what could be seen of its processes."""

    code: int
    stdout: str
    stderr: str
    processes: frozenset[bytes]
    """Command lines and environments of it and of all that it started."""


@dataclass(frozen=True, slots=True)
class Talkative:
    """The host, and a site that has it."""

    folder: Path
    host: ScratchHost

    def environment(self, scenario: str, endpoint: int = 1) -> dict[str, str]:
        """Return what the command line is started with."""
        return {
            "PATH": f"{self.host.root}/bin:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1] / "leaky"), str(ROOT)]),
            "KBZ_HUNT_FILES": str(self.host.files),
            "KBZ_HUNT_SCENARIO": scenario,
            "KBZ_HUNT_ENDPOINT": str(endpoint),
        }

    @staticmethod
    def command() -> list[str]:
        """Return the words before those of a verb."""
        code = "from tests.flow.support.one_machine import main; main()"
        options = ["--config", "nornir_config.yaml", "--debug-log", "debug.log"]
        return [sys.executable, "-c", code, *options]

    def kbz(self, scenario: str, *arguments: str, endpoint: int = 1) -> Spoken:
        """Run a command line as an operator does; `endpoint` is where the module's drill writes."""
        environment = self.environment(scenario, endpoint)
        command = [*self.command(), *arguments]
        others = _processes()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        seen: set[bytes] = set()
        ended = threading.Event()
        words = (process.pid, others, seen, ended, self.host.root)
        watching = threading.Thread(target=_watch, args=words)
        watching.start()
        try:
            stdout, stderr = process.communicate(timeout=60)
        finally:
            ended.set()
            watching.join(10)
        return Spoken(process.returncode, stdout, stderr, frozenset(seen))


def talkative(folder: Path, secret: str) -> Talkative:
    """Make the host and its site, with one planted secret."""
    host = scratch_host(folder / NAME)
    own = _OWN_LEASE.format(root=host.root)
    host.python.write_text(host.python.read_text().replace(" && exec", f" && {own} && exec"))
    (host.root / "leak.py").write_text(LEAK)
    for name in ("leak", "systemctl"):
        host.install(name, f"exec /usr/bin/python3 -I {host.root}/leak.py {host.files}/app.conf")
    host.install("leak", f'exec /usr/bin/python3 -I {host.root}/leak.py "$@"')
    (folder / "nornir_config.yaml").write_text(
        CONFIGURATION.format(servers=SERVERS, groups=GROUPS, inventory=ROOT / "inventory")
    )
    (folder / "site.yaml").write_text(_site_yaml())
    paths = {"state": folder / "state", "credentials": folder / "credentials"}
    lines = "".join(f"  {name}: {path}\n" for name, path in paths.items())
    (folder / "overlay.yaml").write_text(f"paths:\n{lines}")
    paths["credentials"].mkdir(mode=0o700)
    store = paths["credentials"] / "postgres.env"
    store.touch(mode=0o600)
    store.write_text(f"POSTGRES_APP_PASS={secret}\n")
    return Talkative(folder, host)


def _site_yaml() -> str:
    """Return the real site.yaml without the parameters of modules: the only module there is reads none."""
    sections = read_sections(ROOT / "inventory/site.yaml").values
    own = {parameter.name for parameter in OWN}
    kept = {"paths": sections["paths"], "parameters": sections["parameters"]}
    lines = []
    for name, values in kept.items():
        lines.append(f"{name}:")
        known = {k: v for k, v in values.items() if name == "paths" or k in own}
        lines += [f"  {key}: {json.dumps(value)}" for key, value in known.items()]
    return "\n".join(lines) + "\n"


def _watch(
    pid: int, others: set[int], seen: set[bytes], ended: threading.Event, root: Path
) -> None:
    """Collect what `ps` would show of a process and its children, until it has ended.

    What ran before it is none of them, and is not read again: a look costs as much as there is to see.
    """
    ours = {pid}
    while not ended.wait(0.002):
        now = _processes()
        others &= now
        for one in sorted(now - others - ours):
            (ours if parent_of(one) in ours else others).add(one)
        for one in ours & now:
            command = _read(Path(f"/proc/{one}/cmdline"))
            seen.update((command, _read(Path(f"/proc/{one}/environ"))))
            if b"leak.py" in command:
                (root / f"seen.{one}").touch()


def _processes() -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended
        return b""


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker Engine with one image and at most one container; it may refuse in many words."""

    refusing: threading.Event = field(default_factory=threading.Event)
    created: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        path = request.path.partition("?")[0]
        answers: dict[tuple[str, str], Callable[[Request], bytes]] = {
            ("GET", "/images/demo:1/json"): lambda _: respond(200, {"Id": "sha256:1234"}),
            ("GET", "/containers/app/json"): lambda _: self._inspect(),
            ("POST", "/containers/create"): self._create,
            ("POST", "/containers/app/start"): lambda _: respond(204),
            ("POST", "/containers/app/restart"): lambda _: self._restart(),
        }
        missing = respond(404, {"message": f"no such thing: {path}"})
        found = answers.get((request.method, path))
        return missing if found is None else found(request)

    def _create(self, request: Request) -> bytes:
        options = json.loads(request.body)
        if self.refusing.is_set():
            return respond(400, {"message": f"invalid environment {options['Env']} in {options}"})
        self.created.append(options)
        return respond(201, {"Id": "c1"})

    def _restart(self) -> bytes:
        return respond(500, {"message": f"cannot restart with {self.created[-1]['Env']}"})

    def _inspect(self) -> bytes:
        if not self.created:
            return respond(404, {"message": "No such container: app"})
        options = self.created[-1]
        config = {key: options[key] for key in ("Image", "Env", "Cmd", "Hostname", "User")}
        state = {"Running": True, "StartedAt": "2026-01-01T00:00:00Z"}
        host = options["HostConfig"]
        found = {"Id": "c1", "Image": "sha256:1234", "State": state, "Config": config}
        return respond(200, {**found, "HostConfig": host})
