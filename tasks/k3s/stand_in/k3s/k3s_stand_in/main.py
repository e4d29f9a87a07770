"""The words of the command line."""

from __future__ import annotations

import os
import sys

from k3s_stand_in import VERSION
from k3s_stand_in.config import CONFIG, FatalError, Value, load, one, say
from k3s_stand_in.flags import from_variables, from_words

NAME = f"k3s version {VERSION} (stand-in of the kbz lab: no containers, no images, not K3s)"


def main() -> None:
    words = sys.argv[1:]
    try:
        sys.exit(_run(words[0] if words else "", words[1:]))
    except FatalError as error:
        say("fatal", str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(verb: str, rest: list[str]) -> int:
    match verb:
        case "--version" | "-v":
            print(NAME)
        case "server":
            from k3s_stand_in.server import Server

            say("info", f"Starting {NAME}")
            settings = _settings(rest, "server")
            if one(settings, "cluster-reset") == "true":
                if one(settings, "server"):
                    raise FatalError(
                        "cannot perform cluster-reset while server URL is set"
                        " - remove server from configuration before resetting"
                    )
                return Server(settings).reset(one(settings, "cluster-reset-restore-path"))
            Server(settings).run()
        case "agent":
            from k3s_stand_in.agent import Agent

            say("info", f"Starting {NAME}")
            config = _settings(rest, "agent")
            if not one(config, "server") or not one(config, "token"):
                raise FatalError("--server and --token are required")
            Agent(config, {}).run(one(config, "server").removeprefix("https://"), tell=True)
        case "kubectl":
            from k3s_stand_in.kubectl import kubectl

            return kubectl(rest)
        case "etcd-snapshot":
            return _snapshot(rest)
        case "check-config":
            print("the stand-in checks no kernel")
        case "pause":
            from k3s_stand_in.pods import pause

            pause(rest[0])
        case _:
            raise FatalError(f"no help topic for '{verb}'")
    return 0


def _settings(rest: list[str], role: str) -> dict[str, Value]:
    told = from_words(rest, role)
    path = one(told, "config", CONFIG)
    told.pop("config", None)
    return from_variables(os.environ, role) | load(path, role) | told


def _snapshot(rest: list[str]) -> int:
    """`etcd-snapshot save [--name NAME]` asks the running server of this host; `delete NAME…`. Both in a folder."""
    from k3s_stand_in import pki
    from k3s_stand_in.server import API_PORT, TOKEN
    from k3s_stand_in.snapshots import snapshot
    from k3s_stand_in.web import Client, UnreachableError

    folder, at = snapshot.SNAPSHOTS, len(rest)
    if "--etcd-snapshot-dir" in rest[:-1]:
        at = rest.index("--etcd-snapshot-dir")
        folder = rest[at + 1]
    rest = rest[:at] + rest[at + 2 :]
    if rest[:1] == ["delete"] and rest[1:]:
        snapshot.delete(folder, rest[1:])
        return 0
    if rest[:1] != ["save"] or len(rest) not in (1, 3):
        raise FatalError(
            "etcd-snapshot save [--name NAME] | delete NAME... [--etcd-snapshot-dir FOLDER]"
        )
    with open(TOKEN, encoding="utf-8") as file:
        login = f"server:{file.read().strip()}"
    context = pki.client_context(f"{pki.TLS}/server-ca.crt")
    name = rest[2] if len(rest) == 3 else "on-demand"
    try:
        client = Client("127.0.0.1", API_PORT, context, login)
        code, answer = client.send("POST", "/db/snapshot", {"name": name, "folder": folder})
    except UnreachableError as error:
        raise FatalError(f"etcd-snapshot: {error}") from None
    if code != 200:
        raise FatalError(f"etcd-snapshot: {answer}")
    say("info", f"Snapshot {answer['name']} saved.")
    return 0
