"""The agent of every node: it joins with the token, tells that it lives, and runs the node's pods."""

from __future__ import annotations

import json
import os
import secrets
import time
from typing import Any

import k3s_stand_in.pki as pki
from k3s_stand_in import STATE
from k3s_stand_in.config import FatalError, Value, one, say
from k3s_stand_in.loopback import AGENT, listen
from k3s_stand_in.network import Network
from k3s_stand_in.pods import Pods
from k3s_stand_in.web import Client, UnreachableError, notify

PASSWORD = "/etc/rancher/node/password"
FOLDER = f"{STATE}/agent"
BALANCER = f"{FOLDER}/etc/k3s-agent-load-balancer.json"
BEAT = 1.5


class Agent:
    def __init__(self, config: dict[str, Value], labels: dict[str, str]) -> None:
        self.name = one(config, "node-name") or os.uname().nodename
        self._config = config
        self._labels = labels
        self._network = Network(one(config, "flannel-iface"))
        self._pods = Pods(self._network)
        self._servers: list[str] = []
        self._clients: dict[str, Client] = {}
        self._cidr = ""
        self._mac = ""

    def run(self, first: str, tell: bool) -> None:
        """Join, then beat for ever. A refusal is tried again for ever too, as K3s does."""
        resolv = one(self._config, "resolv-conf")
        if resolv and not os.path.exists(resolv):
            raise FatalError(f"resolv-conf {resolv}: no such file or directory")
        self._servers = self._remembered() or [first]
        if first not in self._servers:
            self._servers.append(first)
        self._trust(first)
        self._listen()
        while not self._join():
            time.sleep(2)
        if tell:
            notify("READY=1")
        status: dict[str, Any] = {}
        while True:
            status = self._beat(status)
            time.sleep(BEAT)

    def _remembered(self) -> list[str]:
        """Servers that this agent has learnt: it needs no fixed address any more."""
        try:
            with open(BALANCER, encoding="utf-8") as file:
                return list(json.load(file))
        except (OSError, ValueError):
            return []

    def _trust(self, first: str) -> None:
        path = f"{FOLDER}/server-ca.crt"
        os.makedirs(f"{FOLDER}/etc", 0o700, exist_ok=True)
        while True:
            for server in dict.fromkeys([*self._servers, first]):
                try:
                    code, answer = Client(*split(server), pki.blind_context()).send(
                        "GET", "/cacerts"
                    )
                except UnreachableError as error:
                    say("error", f"failed to get CA certs: https://{server}/cacerts: {error}")
                    continue
                if code == 200:
                    with open(path, "w", encoding="ascii") as file:
                        file.write(answer)
                    return
            time.sleep(2)

    def _client(self, server: str) -> Client:
        if server not in self._clients:
            context = pki.client_context(f"{FOLDER}/server-ca.crt")
            login = f"node:{one(self._config, 'token')}"
            self._clients[server] = Client(*split(server), context, login)
        return self._clients[server]

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Ask the first server that answers; one that does not goes to the end."""
        said = "no server answers"
        for server in list(self._servers):
            try:
                code, answer = self._client(server).send("POST", path, body)
            except UnreachableError as error:
                said = f"https://{server}: {error}"
            else:
                if code < 500:
                    return code, answer
                said = f"https://{server}: {answer}"
            self._servers.remove(server)
            self._servers.append(server)
        return 0, said

    def _join(self) -> bool:
        body = {
            "name": self.name,
            "password": self._password(),
            "labels": self._labels,
            "ip": one(self._config, "node-ip") or self._network.public_ip,
            "public_ip": self._network.public_ip,
        }
        code, answer = self._ask("/v1-k3s/join", body)
        if code != 200:
            text = answer.get("message", "") if isinstance(answer, dict) else answer
            say("error", f"Failed to validate connection to cluster: {code} {text}")
            return False
        for name in ("client-kubelet.crt", "client-kubelet.key"):
            with open(f"{FOLDER}/{name}", "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(answer["certificate"][name])
        self._cidr = answer["cidr"]
        self._mac = self._network.up(self._cidr)
        say("info", f"Running kubelet as {self.name}, pods in {self._cidr}")
        return True

    def _password(self) -> str:
        try:
            with open(PASSWORD, encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            os.makedirs(os.path.dirname(PASSWORD), 0o755, exist_ok=True)
            text = secrets.token_hex(16)
            with open(PASSWORD, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text + "\n")
            return text

    def _beat(self, status: dict[str, Any]) -> dict[str, Any]:
        body = {"name": self.name, "mac": self._mac, "pods": status}
        code, answer = self._ask("/v1-k3s/beat", body)
        if code == 404:
            # Somebody deleted our node: the kubelet registers it again.
            self._join()
            return {}
        if code != 200:
            return status
        if answer["servers"] and sorted(answer["servers"]) != sorted(self._servers):
            self._servers = answer["servers"]
            with open(BALANCER, "w", encoding="utf-8") as file:
                json.dump(self._servers, file)
        self._network.meet(answer["nodes"])
        return self._pods.sync(answer["pods"], self._cidr)

    def _listen(self) -> None:
        """The kubelet's ports: what is for the host itself, and 10250 for every node."""
        listen(AGENT)
        listen((10250,), "0.0.0.0")


def split(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host, int(port)
