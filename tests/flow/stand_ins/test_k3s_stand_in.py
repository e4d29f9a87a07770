"""The lab's stand-in for K3s: a wrong deployment of it fails as one of the real program does."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from k3s_stand_in import builtin, config, flags, main, pki, sealed, store
from k3s_stand_in.config import FatalError
from k3s_stand_in.controllers import Controllers
from k3s_stand_in.server import Server
from k3s_stand_in.snapshots import snapshot

from keybuzz.lab.supply.artefacts import packed, programs
from tests.flow.servers.k3s_server import Served, Wire, serving, until

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """Three stores that are one cluster; nobody's file is another's."""
    monkeypatch.setattr(store.Store, "_save", lambda self: None)
    wire = Wire()
    for name in ("a", "b", "c"):
        wire.stores[name] = store.Store(name, partial(wire.client, name))
    wire.stores["a"].found(builtin.new_cluster(etcd=True), "a")
    for item in wire.stores.values():
        item.start()
    yield wire
    for item in wire.stores.values():
        item.removed = True


def join(wire: Wire, name: str) -> None:
    def add() -> bool:
        leader = next((s for s in wire.stores.values() if s.role == "leader"), None)
        if leader is None:
            return False
        try:
            leader.add_learner(name, name)
            leader.promote()
        except (store.NoQuorumError, FatalError):
            return False
        return bool(leader.data["members"][name]["voter"])

    until(add)


def test_members_join_one_by_one_and_a_majority_writes(three: Wire) -> None:
    first = three.stores["a"]
    until(lambda: first.role == "leader")
    first.add_learner("b", "b")
    with pytest.raises(FatalError, match="too many learner"):
        first.add_learner("c", "c")
    join(three, "b")
    with pytest.raises(FatalError, match="duplicate node name"):
        first.add_learner("b", "b")
    join(three, "c")

    def put(value: str) -> Any:
        leader = next(
            s for s in three.stores.values() if s.role == "leader" and s.name not in three.cut
        )
        return leader.write(lambda data: data.update(told=value))

    put("one")
    three.cut = {"a"}
    until(lambda: any(s.role == "leader" for n, s in three.stores.items() if n != "a"))
    until(lambda: first.role != "leader")
    with pytest.raises(store.NoQuorumError):
        first.write(lambda data: data.update(told="lost"))
    put("two")
    three.cut = set()
    until(lambda: first.data.get("told") == "two" and first.has_quorum())


def test_one_of_three_tells_nothing(three: Wire) -> None:
    until(lambda: three.stores["a"].role == "leader")
    join(three, "b")
    join(three, "c")
    three.cut = {"b", "c"}
    until(lambda: not three.stores["a"].has_quorum())


def server(**values: Any) -> Server:
    return Server({"node-name": "x", "node-ip": "10.0.0.100", "token": "t", **values})


def test_a_first_server_does_not_join_and_a_joining_one_does_not_begin() -> None:
    with pytest.raises(FatalError, match="exclude each other"):
        server(**{"cluster-init": "true", "server": "https://10.0.0.101:6443"})


def test_another_token_than_the_one_that_sealed_the_data_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k3s_stand_in.server.TOKEN", str(tmp_path / "token"))
    (tmp_path / "token").write_text("other\n")
    with pytest.raises(FatalError, match="encrypted with different token"):
        server()._check_token()


def test_after_a_rotation_only_the_new_token_opens_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k3s_stand_in.server.TOKEN", str(tmp_path / "token"))
    (tmp_path / "token").write_text("old\n")
    for token in ("old", "new"):
        started = server(token=token)
        started.store.data["sealed"] = hashlib.sha256(b"new").hexdigest()
        if token == "new":
            started._check_token()
            assert (tmp_path / "token").read_text() == "new\n"
        else:
            with pytest.raises(FatalError, match="encrypted with different token"):
                started._check_token()
            assert (tmp_path / "token").read_text() == "old\n"


def test_a_configuration_is_read_as_k3s_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        'token: "a\\"b"\ntls-san:\n  - x\n  - y\nnode-ip: 10.0.0.1 # private\nnonsense: 1\n'
    )
    (tmp_path / "config.yaml.d").mkdir()
    (tmp_path / "config.yaml.d/10.yaml").write_text("flannel-iface: ens10\n")
    found = config.load(str(path), "server")
    assert found == {
        "token": 'a"b',
        "tls-san": ["x", "y"],
        "node-ip": "10.0.0.1",
        "flannel-iface": "ens10",
    }
    with pytest.raises(FatalError, match="not defined"):
        config.load(str(path), "agent")
    path.write_text("token\n")
    with pytest.raises(FatalError, match="line 1"):
        config.load(str(path), "server")


def test_flags_and_variables_are_read_as_k3s_reads_them() -> None:
    words = ["--cluster-init", "--node-ip=10.0.0.1", "-t", "a", "--disable", "x,y", "--disable=z"]
    assert flags.from_words(words, "server") == {
        "cluster-init": "true",
        "node-ip": "10.0.0.1",
        "token": "a",
        "disable": ["x", "y", "z"],
    }
    known = {"K3S_TOKEN": "a", "K3S_URL": "https://x:6443", "K3S_CLUSTER_INIT": "true", "HOME": "/"}
    assert flags.from_variables(known, "agent") == {"token": "a", "server": "https://x:6443"}
    for bad, role in (
        (["--docker-in-docker"], "server"),
        (["--tls-san=x"], "agent"),
        (["x"], "agent"),
    ):
        with pytest.raises(FatalError, match="not defined"):
            flags.from_words(bad, role)
    with pytest.raises(FatalError, match="needs an argument"):
        flags.from_words(["--token"], "agent")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serving(tmp_path, monkeypatch) as found:
        yield found


def test_pods_stay_where_they_are_until_a_lost_node_is_no_longer_tolerated(served: Served) -> None:
    served.node("w1")
    served.node("w2")
    tolerated = {"key": "node.kubernetes.io/unreachable", "tolerationSeconds": 0}
    container = {"name": "c", "image": "i:1.0"}
    spec = {"containers": [container], "tolerations": [tolerated]}
    served.put(
        "deployments",
        "default",
        {
            "kind": "Deployment",
            "metadata": {"name": "app"},
            "spec": {"replicas": 1, "template": {"spec": spec}},
        },
    )
    brain = Controllers(served.store, grace=0.0)
    brain.seen = {"w1": 1e12, "w2": 1e12}
    served.store.write(brain.reconcile)

    def places() -> set[str]:
        objects = served.store.data["objects"].items()
        return {o["spec"]["nodeName"] for k, o in objects if k.startswith("pods/default/app")}

    [before] = places()
    other = "w2" if before == "w1" else "w1"
    brain.seen[before] = -1e12
    served.store.write(brain.reconcile)
    served.store.write(brain.reconcile)
    assert places() == {other}


def test_it_says_what_it_is_and_is_the_same_file_every_time(tmp_path: Path) -> None:
    [program] = [item for item in programs() if item.name == "k3s"]
    assert packed(program) == packed(program)
    path = tmp_path / "k3s"
    path.write_bytes(packed(program))
    assert path.read_bytes().startswith(b"#!/usr/bin/python3\n")
    done = subprocess.run(
        [sys.executable, str(path), "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("k3s version v1.33.5+k3s1 (stand-in")
    wrong = subprocess.run(
        [sys.executable, str(path), "server", "--docker"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert wrong.returncode == 1
    assert "flag provided but not defined" in wrong.stderr
    assert json.dumps(program.provenance)


@pytest.mark.parametrize(
    ("token", "refused"),
    [
        ("t", False),
        (f"K10{sha256(b'ours').hexdigest()}::server:t", False),
        ("K10ab::server:t", True),
    ],
)
def test_a_token_of_another_authority_ends_a_join(token: str, refused: bool) -> None:
    made = server(token=token)
    assert made.token == "t"
    with pytest.raises(FatalError, match="CA hash does not match") if refused else nullcontext():
        sealed.require_authority(made.digest, "ours")


class TestReset:
    @pytest.fixture
    def words(self, tmp_path: Path) -> tuple[str, list[str]]:
        """What the page says: how the configuration is copied, and how K3s is reset; in a folder of the test."""
        (tmp_path / "config.yaml").write_text(
            'node-name: "x"\ntoken: "t"\nserver: "https://y:6443"\n'
        )
        page = (REPOSITORY / "docs/how-to/restore-everything.md").read_text()
        parts = [
            part.replace("/etc/rancher/k3s", str(tmp_path)).replace("/root", str(tmp_path))
            for part in page.split("`")
        ]
        [copy] = [part for part in parts if "sed '/^server:/d'" in part]
        [reset] = [part for part in parts if part.startswith("k3s server")]
        return copy, shlex.split(reset)[2:]

    def test_it_is_refused_while_the_configuration_names_a_server(
        self, words: tuple[str, list[str]], tmp_path: Path
    ) -> None:
        config = tmp_path / "config.yaml"
        with pytest.raises(FatalError, match="while server URL is set"):
            main._run("server", ["--config", str(config), *words[1][2:]])

    def test_the_words_of_the_page_reset_with_all_else_of_the_configuration(
        self, words: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Any] = []

        class Reset:
            """A server that only says how it was asked to begin again."""

            def __init__(self, config: Any) -> None:
                self.config = config

            def reset(self, path: str) -> int:
                seen.append((self.config["node-name"], self.config["token"], path))
                return 0

        monkeypatch.setattr("k3s_stand_in.server.Server", Reset)
        subprocess.run(["sh", "-c", words[0]], check=True)
        assert (tmp_path / "reset.yaml").stat().st_mode & 0o777 == 0o600
        assert main._run("server", words[1]) == 0
        assert seen == [("x", "t", f"{tmp_path}/snapshot.db")]


class TestSnapshot:
    @pytest.fixture
    def saved(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A snapshot of a new cluster, whose token is `right`; nothing of this machine is touched."""
        tls = tmp_path / "tls"
        tls.mkdir()
        for name in pki.SHARED:
            (tls / name).write_text(name)
        monkeypatch.setattr(pki, "TLS", str(tls))
        monkeypatch.setattr(snapshot, "STATE", str(tmp_path))
        data = {**builtin.new_cluster(etcd=True), "members": {"a": {}}}
        folder = tmp_path / "snapshots"
        return folder / snapshot.save(data, "right", str(folder), "kbz", "a")

    def test_a_cluster_is_made_of_it_by_its_token_alone(self, saved: Path) -> None:
        with pytest.raises(FatalError, match="encrypted with different token"):
            snapshot.restored(str(saved), "wrong")
        (saved.parents[1] / "tls" / "server-ca.key").unlink()
        data = snapshot.restored(str(saved), "K10abc::server:right")
        assert "namespaces//default" in data["objects"]
        assert (saved.parents[1] / "tls" / "server-ca.key").read_text() == "server-ca.key"

    def test_one_that_is_not_whole_is_refused(self, saved: Path) -> None:
        content = saved.read_bytes()
        for damaged in (content[:-1], content[:-32], b"X" + content[1:]):
            saved.write_bytes(damaged)
            with pytest.raises(FatalError, match="sha256"):
                snapshot.restored(str(saved), "right")
        with pytest.raises(FatalError, match="does not exist"):
            snapshot.restored(f"{saved}.other", "right")

    def test_it_stays_until_it_is_deleted(self, saved: Path) -> None:
        with pytest.raises(FatalError, match="not found"):
            snapshot.delete(str(saved.parent), ["another"])
        snapshot.delete(str(saved.parent), [saved.name])
        assert not saved.exists()
