"""Pods of this node: for each a process that listens on its ports. It outlives the agent, as containers do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from k3s_stand_in import STATE
from k3s_stand_in.config import FatalError, say
from k3s_stand_in.loopback import INGRESS, INGRESS_HEALTH, listen
from k3s_stand_in.network import Network

FOLDER = f"{STATE}/agent/containerd"


class Pods:
    def __init__(self, network: Network) -> None:
        self._network = network
        os.makedirs(FOLDER, 0o700, exist_ok=True)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self._boot = file.read().strip()

    def _records(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name in os.listdir(FOLDER):
            with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
                found[name] = json.load(file)
        return found

    def _alive(self, record: dict[str, Any]) -> bool:
        if record["boot"] != self._boot:
            return False
        try:
            with open(f"/proc/{record['pid']}/cmdline", "rb") as file:
                return b"pause" in file.read()
        except OSError:
            return False

    def sync(self, wanted: list[dict[str, Any]], cidr: str) -> dict[str, dict[str, Any]]:
        """Start what is missing, end what is too much; return the status of each pod by its uid."""
        records = self._records()
        uids = {pod["uid"]: pod for pod in wanted}
        for uid, record in records.items():
            if uid not in uids or not self._alive(record):
                self._end(uid, record)
        answer = {}
        records = self._records()
        for uid, pod in uids.items():
            try:
                record = records.get(uid) or self._begin(uid, pod, cidr, records)
                records[uid] = record
                answer[uid] = {"ready": self._alive(record), "ip": record["address"]}
            except (FatalError, OSError) as error:
                say("error", f"pod {pod['name']}: {error}")
                answer[uid] = {"ready": False, "ip": ""}
        return answer

    def _begin(
        self, uid: str, pod: dict[str, Any], cidr: str, others: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        prefix: list[str] = []
        address = self._network.public_ip
        if not pod["host_network"]:
            taken = {item["address"] for item in others.values()}
            base = cidr.rsplit(".", 1)[0]
            address = next(a for n in range(2, 255) if (a := f"{base}.{n}") not in taken)
            namespace = f"cni-{uid[:8]}"
            self._network.remove_pod(namespace)
            self._network.pod(namespace, address)
            prefix = ["ip", "netns", "exec", namespace]
        words = [*prefix, sys.argv[0], "pause", ",".join(map(str, pod["ports"])) or "0"]
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        threading.Thread(target=process.wait, daemon=True).start()
        record = {
            "pid": process.pid,
            "boot": self._boot,
            "address": address,
            "own": not pod["host_network"],
        }
        with open(f"{FOLDER}/{uid}", "w", encoding="utf-8") as file:
            json.dump(record, file)
        return record

    def _end(self, uid: str, record: dict[str, Any]) -> None:
        if self._alive(record):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(record["pid"], signal.SIGKILL)
        if record["own"]:
            self._network.remove_pod(f"cni-{uid[:8]}")
        os.unlink(f"{FOLDER}/{uid}")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.path == "/healthz"
        self.send_response(200 if good else 404)
        self.end_headers()
        self.wfile.write(b"ok\n" if good else b"default backend - 404\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def pause(ports: str) -> None:
    """Be a pod: listen on its ports; a port that is taken ends it, as a container that can not bind."""
    servers = []
    for port in (int(text) for text in ports.split(",")):
        if not port:
            continue
        server = ThreadingHTTPServer(("0.0.0.0", port), _Handler, bind_and_activate=False)
        server.allow_reuse_address = True
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.server_bind()
        server.server_activate()
        servers.append(server)
    if str(INGRESS_HEALTH) in ports.split(","):
        listen(INGRESS)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.pause()
