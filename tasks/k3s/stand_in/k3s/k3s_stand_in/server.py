"""`k3s server`: API, store and agent of one server, and how it comes to be in a cluster."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from typing import Any

from k3s_stand_in import STATE, VERSION, pki, sealed
from k3s_stand_in.agent import Agent, split
from k3s_stand_in.api import Api, now, put, status
from k3s_stand_in.builtin import new_cluster
from k3s_stand_in.config import FatalError, Value, argument, many, one, say
from k3s_stand_in.controllers import Controllers, set_condition
from k3s_stand_in.loopback import SERVER, listen
from k3s_stand_in.snapshots import snapshot
from k3s_stand_in.store import NoQuorumError, Store
from k3s_stand_in.web import Answer, Client, HttpsServer, Request, UnreachableError, notify

API_PORT, PEER_PORT = 6443, 2380
TOKEN = f"{STATE}/server/token"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"


class Server:
    def __init__(self, config: dict[str, Value]) -> None:
        self.config = config
        self.name = one(config, "node-name") or os.uname().nodename
        self.address = one(config, "node-ip")
        self.digest, self.token = sealed.parted(one(config, "token"))
        self.url = one(config, "server")
        self.init = one(config, "cluster-init") == "true"
        if not self.address:
            raise FatalError("the stand-in wants node-ip")
        if self.init and self.url:
            raise FatalError("invalid flag use; --cluster-init and --server exclude each other")
        self.store = Store(self.name, self._peer)
        self.api = Api(self.store)
        grace = argument(config, "kube-controller-manager-arg", "node-monitor-grace-period", "40s")
        self.controllers = Controllers(self.store, float(grace.rstrip("s")))

    def run(self) -> None:
        if self.store.initialised():
            self.store.load()
            self._check_token()
            self._certificates()
        elif self.url:
            self._bootstrap()
        else:
            self._make_cluster()
        self._write_kubeconfig()
        for port in (API_PORT, PEER_PORT):
            HttpsServer("0.0.0.0", port, pki.serving_context(), self.answer).start()
        listen(SERVER)
        self.store.start()
        threading.Thread(target=self.controllers.run, daemon=True).start()
        if not self.store.initialised():
            self._join_etcd()
        self._wait_ready()
        labels = {"node-role.kubernetes.io/control-plane": "true"}
        if self.store.data["etcd"]:
            labels["node-role.kubernetes.io/etcd"] = "true"
        agent = Agent(self.config, labels)
        threading.Thread(target=self._agent, args=(agent,), daemon=True).start()
        notify("READY=1")
        while not self.store.removed:
            time.sleep(0.5)
        raise FatalError("the member has been permanently removed from the cluster")

    def _agent(self, agent: Agent) -> None:
        try:
            agent.run(f"127.0.0.1:{API_PORT}", tell=False)
        except (
            Exception
        ) as error:  # whatever ends the agent ends the server, as in the real program
            say("fatal", f"{type(error).__name__}: {error}")
            os._exit(1)

    # How it comes to be in a cluster.

    def _check_token(self) -> None:
        sealed.require(self.store.data, TOKEN, self.token)
        self._keep_token()

    def _make_cluster(self) -> None:
        os.makedirs(f"{STATE}/server", 0o700, exist_ok=True)
        pki.make_authorities()
        self._keep_token()
        self._certificates()
        self.store.found(new_cluster(etcd=self.init), self.address)
        say("info", f"{self.name} makes a new cluster{'' if self.init else ' without etcd'}")

    def _bootstrap(self) -> None:
        """Get the cluster's authorities from a server that is in it; only its token opens them."""
        host = split(self.url.removeprefix("https://"))
        try:
            code, answer = Client(*host, pki.blind_context()).send("GET", "/cacerts")
            if code != 200:
                raise FatalError(f"starting kubernetes: {self.url}/cacerts: {code}")
            sealed.require_authority(self.digest, answer)
            os.makedirs(pki.TLS, 0o700, exist_ok=True)
            with open(f"{pki.TLS}/server-ca.crt", "w", encoding="ascii") as file:
                file.write(answer)
            context = pki.client_context(f"{pki.TLS}/server-ca.crt")
            login = f"server:{self.token}"
            code, answer = Client(*host, context, login).send("GET", "/v1-k3s/server-bootstrap")
        except UnreachableError as error:
            raise FatalError(
                f"starting kubernetes: preparing server: failed to get CA certs: {error}"
            ) from None
        if code != 200:
            raise FatalError(
                f"starting kubernetes: preparing server: {self.url}: {code} not authorized"
            )
        for name in pki.SHARED:
            with open(f"{pki.TLS}/{name}", "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(answer[name])
        self._keep_token()
        self._certificates()

    def _join_etcd(self) -> None:
        host = split(self.url.removeprefix("https://"))
        context = pki.client_context(f"{pki.TLS}/server-ca.crt")
        client = Client(*host, context, f"server:{self.token}", timeout=10)
        body = {"name": self.name, "address": self.address}
        try:
            code, answer = client.send("POST", "/v1-k3s/etcd-join", body)
        except UnreachableError as error:
            raise FatalError(f"etcd cluster join failed: {error}") from None
        if code != 200:
            raise FatalError(f"etcd cluster join failed: {answer.get('message', answer)}")

    def _keep_token(self) -> None:
        with open(TOKEN, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(self.token + "\n")

    def _certificates(self) -> None:
        names = ("127.0.0.1", "localhost", "kubernetes", "10.43.0.1", self.address)
        extra = tuple(item for item in many(self.config, "tls-san") if item not in names)
        serving = f"{pki.TLS}/serving-kube-apiserver"
        pki.issue(serving, "server", "/CN=kube-apiserver", (*names, *extra))
        admin = f"{pki.TLS}/client-admin"
        if not pki.is_kept(admin, "client"):
            pki.issue(admin, "client", "/O=system:masters/CN=system:admin")

    def _write_kubeconfig(self) -> None:
        mode = int(one(self.config, "write-kubeconfig-mode", "600"), 8)
        os.makedirs(os.path.dirname(KUBECONFIG), 0o755, exist_ok=True)
        pair = {
            "client-certificate": f"{pki.TLS}/client-admin.crt",
            "client-key": f"{pki.TLS}/client-admin.key",
        }
        document = {"server": f"https://127.0.0.1:{API_PORT}", **pair}
        with open(KUBECONFIG, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            json.dump(document, file)

    def _wait_ready(self) -> None:
        told = 0.0
        while True:
            member = self.store.data["members"].get(self.name)
            if self.store.has_quorum() and member and member["voter"]:
                return
            if self.store.removed:
                raise FatalError("the member has been permanently removed from the cluster")
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say("info", "Waiting for etcd server to become available")
            time.sleep(0.2)

    # What it answers.

    def _peer(self, address: str) -> Client:
        context = pki.client_context(f"{pki.TLS}/server-ca.crt")
        return Client(address, PEER_PORT, context, f"server:{sealed.peer_secret()}", timeout=3.0)

    def answer(self, request: Request) -> Answer:
        user, password = request.login
        if request.path == "/cacerts":
            with open(f"{pki.TLS}/server-ca.crt", encoding="ascii") as file:
                return 200, file.read()
        if request.path.startswith("/peer/"):
            known = user == "server" and password == sealed.peer_secret()
            return self._peers(request) if known else status(403, "Forbidden", "no peer")
        if user and password != self.token:
            return status(401, "Unauthorized", "not authorized")
        if request.path == "/v1-k3s/token" and request.method == "PUT":
            return self._rotate(request) if user == "server" else status(403, "Forbidden", "no")
        if request.path == "/v1-k3s/server-bootstrap":
            return self._shared() if user == "server" else status(403, "Forbidden", "no server")
        if request.path == "/db/snapshot" and user == "server":
            return self._snapshot(request.body["folder"], request.body["name"])
        if not user and not request.user:
            return status(401, "Unauthorized", "Unauthorized")
        if request.path in ("/readyz", "/livez", "/healthz", "/version"):
            return self.api.answer(request)
        return self._by_leader(request)

    def _by_leader(self, request: Request) -> Answer:
        """Whoever leads answers, so that nothing old is read."""
        if self.store.role == "leader":
            return self._local(request)
        leader = self.store.leader
        if not self.store.has_quorum() or leader not in self.store.data["members"]:
            return status(500, "InternalError", "etcdserver: no leader")
        try:
            peer = self.store._peer(leader)
            code, answer = peer.send("POST", "/peer/forward", dataclasses.asdict(request))
        except UnreachableError as error:
            return status(500, "InternalError", f"etcdserver: request timed out: {error}")
        return (answer["code"], answer["answer"]) if code == 200 else (code, answer)

    def _peers(self, request: Request) -> Answer:
        match request.path:
            case "/peer/vote":
                return 200, self.store.vote(request.body)
            case "/peer/append":
                return 200, self.store.append(request.body)
            case "/peer/forward" if self.store.role == "leader":
                body = request.body
                body["groups"], body["login"] = tuple(body["groups"]), tuple(body["login"])
                code, answer = self._local(Request(**body))
                return 200, {"code": code, "answer": answer}
        return status(500, "InternalError", "etcdserver: not leader")

    def _local(self, request: Request) -> Answer:
        try:
            match request.path:
                case "/v1-k3s/join":
                    return self._join(request.body)
                case "/v1-k3s/sealed" if request.login[0] == "server":
                    return self.store.write(lambda data: sealed.keep(data, **request.body))
                case "/v1-k3s/beat":
                    return self._beat(request.body)
                case "/v1-k3s/etcd-join" if request.login[0] == "server":
                    self.store.add_learner(request.body["name"], request.body["address"])
                    return 200, {}
        except NoQuorumError as error:
            return status(500, "InternalError", str(error))
        except FatalError as error:
            return status(409, "Conflict", str(error))
        return self.api.answer(request)

    def _shared(self) -> Answer:
        found = {}
        for name in pki.SHARED:
            with open(f"{pki.TLS}/{name}", encoding="ascii") as file:
                found[name] = file.read()
        return 200, found

    def _rotate(self, request: Request) -> Answer:
        """Take a new token for the cluster: first this server's file, then the data; the others when they start."""
        new, before = str(request.body["newToken"]), self.token
        self.token = new
        self._keep_token()
        seals = {"before": sealed.seal(before), "sealed": sealed.seal(new)}
        return self._by_leader(dataclasses.replace(request, path="/v1-k3s/sealed", body=seals))

    def _snapshot(self, folder: str, name: str) -> Answer:
        if not self.store.has_quorum():
            return status(500, "InternalError", "etcdserver: no leader")
        with self.store.lock:
            saved = snapshot.save(self.store.data, self.token, folder, name, self.name)
        return 200, {"name": saved}

    def reset(self, path: str) -> int:
        """Make this server the only member of a cluster, of its own data or of a snapshot's, and end."""
        data = snapshot.reset(self.store, path, self.token)
        self._keep_token()
        self.store.found(data, self.address)
        say("info", snapshot.RESET)
        return 0

    def _join(self, body: dict[str, Any]) -> Answer:
        name = body["name"]
        pair = f"{STATE}/server/tls/kubelet-{name}"
        pki.issue(pair, "client", f"/O=system:nodes/CN=system:node:{name}")
        certificate = {}
        for end in ("crt", "key"):
            with open(f"{pair}.{end}", encoding="ascii") as file:
                certificate[f"client-kubelet.{end}"] = file.read()
            os.unlink(f"{pair}.{end}")

        def change(data: dict[str, Any]) -> Answer:
            if data["passwords"].setdefault(name, body["password"]) != body["password"]:
                text = (
                    "Node password rejected, duplicate hostname or contents of "
                    "'/etc/rancher/node/password' may not match server node-passwd entry"
                )
                return status(403, "Forbidden", text)
            node = data["objects"].get(f"nodes//{name}") or new_node(data, name)
            register(node, body)
            put(data, f"nodes//{name}", node, "")
            return 200, {"cidr": node["spec"]["podCIDR"], "certificate": certificate}

        self.controllers.seen[name] = time.monotonic()
        return self.store.write(change)

    def _beat(self, body: dict[str, Any]) -> Answer:
        name, data = body["name"], self.store.data
        node = data["objects"].get(f"nodes//{name}")
        if node is None:
            return status(404, "NotFound", f'nodes "{name}" not found')
        self.controllers.seen[name] = time.monotonic()

        def change(data: dict[str, Any]) -> None:
            item = data["objects"][f"nodes//{name}"]
            item["metadata"]["annotations"]["stand-in/mac"] = body["mac"]
            for pod in _mine(data, name):
                told = body["pods"].get(pod["metadata"]["uid"])
                if told:
                    pod["status"]["phase"] = "Running" if told["ready"] else "Failed"
                    pod["status"]["podIP"] = told["ip"]
                    pod["status"]["startTime"] = pod["status"].get("startTime", now())
                    good = "True" if told["ready"] else "False"
                    set_condition(pod, "Ready", good, "ContainersReady")

        if self._differs(node, data, body):
            self.store.write(change)
        data = self.store.data
        nodes = [o for k, o in data["objects"].items() if k.startswith("nodes/")]
        return 200, {
            "servers": [f"{item['address']}:{API_PORT}" for item in data["members"].values()],
            "nodes": [_reached(o) for o in nodes if o["metadata"]["name"] != name and _mac(o)],
            "pods": [_pod(pod) for pod in _mine(data, name)],
        }

    def _differs(self, node: dict[str, Any], data: dict[str, Any], body: dict[str, Any]) -> bool:
        if _mac(node) != body["mac"]:
            return True
        for pod in _mine(data, body["name"]):
            told = body["pods"].get(pod["metadata"]["uid"])
            phase = "Running" if told and told["ready"] else "Failed"
            if told and (pod["status"].get("phase"), pod["status"].get("podIP")) != (
                phase,
                told["ip"],
            ):
                return True
        return False


def _mac(node: dict[str, Any]) -> str:
    return str(node["metadata"]["annotations"].get("stand-in/mac", ""))


def _reached(node: dict[str, Any]) -> dict[str, Any]:
    public = node["metadata"]["annotations"]["flannel.alpha.coreos.com/public-ip"]
    return {"cidr": node["spec"]["podCIDR"], "mac": _mac(node), "public_ip": public}


def _mine(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [
        item
        for key, item in data["objects"].items()
        if key.startswith("pods/") and item["spec"].get("nodeName") == name
    ]


def _pod(pod: dict[str, Any]) -> dict[str, Any]:
    containers = pod["spec"]["containers"]
    ports = [port["containerPort"] for c in containers for port in c.get("ports", [])]
    return {
        "uid": pod["metadata"]["uid"],
        "name": pod["metadata"]["name"],
        "host_network": pod["spec"].get("hostNetwork", False),
        "ports": ports,
    }


def new_node(data: dict[str, Any], name: str) -> dict[str, Any]:
    taken = {o["spec"]["podCIDR"] for k, o in data["objects"].items() if k.startswith("nodes/")}
    cidr = next(c for n in range(256) if (c := f"10.42.{n}.0/24") not in taken)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {}},
        "spec": {"podCIDR": cidr},
        "status": {"conditions": []},
    }


def register(node: dict[str, Any], body: dict[str, Any]) -> None:
    meta = node["metadata"]
    meta["labels"] = {"kubernetes.io/hostname": body["name"], **body["labels"]}
    meta["annotations"]["flannel.alpha.coreos.com/public-ip"] = body["public_ip"]
    node["status"]["nodeInfo"] = {"kubeletVersion": VERSION}
    node["status"]["addresses"] = [
        {"type": "InternalIP", "address": body["ip"]},
        {"type": "Hostname", "address": body["name"]},
    ]
