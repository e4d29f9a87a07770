"""What the agent asks and changes inside K3s, over TLS against the stand-in's API; and what it writes on a host."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.host import artefact, interface_option
from keybuzz.agent.runtime.errors import AgentError
from tasks.k3s.agent import api as agent_k3s
from tasks.k3s.agent import k3s, pod_network
from tasks.k3s.agent import start as k3s_start
from tasks.k3s.agent.k3s import differing
from tests.flow.servers.k3s_server import Served, serving

MANIFEST = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"a": "1"},
    },
)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serving(tmp_path, monkeypatch) as found:
        yield found


def order(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


class TestInside:
    def test_a_manifest_is_applied_and_a_change_by_hand_is_named(self, served: Served) -> None:
        wish = order("shop", objects=[json.dumps(item) for item in MANIFEST])
        before = k3s.read_k3s_manifest(wish, served.context())["attributes"]["differs"]
        assert before == ["Namespace/shop is missing", "ConfigMap/settings is missing"]
        k3s.write_k3s_manifest(wish, served.context())
        assert k3s.read_k3s_manifest(wish, served.context())["attributes"]["differs"] == []
        api = served.context()
        path = "/api/v1/namespaces/shop/configmaps/settings"
        agent_k3s.api_of(api).change("PATCH", path, {"data": {"a": "2", "more": "3"}})
        found = k3s.read_k3s_manifest(wish, served.context())["attributes"]["differs"]
        assert found == ["ConfigMap/settings.data.a"]

    def test_a_node_is_drained_but_for_daemonsets_and_taken_back(self, served: Served) -> None:
        served.node("w1")
        served.pod("app", "w1", "ReplicaSet")
        served.pod("ingress", "w1", "DaemonSet")
        served.pod("elsewhere", "w2", "ReplicaSet")
        wish = order("w1", patience=5.0)
        assert k3s.read_k3s_drained(wish, served.context())["attributes"]["drained"] is False
        k3s.write_k3s_drained(wish, served.context())
        assert served.pods() == {"ingress", "elsewhere"}
        assert k3s.read_k3s_drained(wish, served.context())["attributes"]["drained"] is True
        assert k3s.read_k3s_schedulable(wish, served.context())["attributes"]["held"] is True
        k3s.write_k3s_schedulable(wish, served.context())
        node = served.store.data["objects"]["nodes//w1"]
        assert "unschedulable" not in node["spec"]
        assert node["metadata"]["annotations"] == {}

    def test_a_drain_that_does_not_end_says_which_pods_stay(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served.node("w1")
        served.pod("app", "w1", "ReplicaSet")
        monkeypatch.setattr(k3s, "_evict", lambda pod, api: None)
        with pytest.raises(AgentError, match="1 pods stay on w1: default/app"):
            k3s.write_k3s_drained(order("w1", patience=0.1), served.context())
        held = served.store.data["objects"]["nodes//w1"]["metadata"]["annotations"]
        assert held == {agent_k3s.HELD: "draining"}

    def test_a_node_that_is_ready_is_never_forgotten(self, served: Served) -> None:
        served.node("w1")
        served.node("w2", ready="Unknown")
        with pytest.raises(AgentError, match="Ready") as refused:
            k3s.write_k3s_forgotten(order("w1"), served.context())
        assert refused.value.outcome == "refused"
        k3s.write_k3s_forgotten(order("w2"), served.context())
        assert k3s.read_k3s_forgotten(order("w2"), served.context())["attributes"]["known"] is False
        assert k3s.read_k3s_forgotten(order("w1"), served.context())["attributes"]["known"] is True

    def test_a_look_tells_nodes_by_their_conditions(self, served: Served) -> None:
        served.node("w1", ready="False")
        query = {"daemonset": "ingress-nginx/ingress-nginx-controller"}
        found = agent_k3s.answer_k3s(query, served.context())
        assert found["ready"] is True
        [node] = found["nodes"]
        assert (node["name"], node["ready"]) == ("w1", "False")
        assert found["ingress"] == {}
        assert len(found["authority"]) == 16

    def test_a_server_without_a_majority_tells_no_nodes(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(served.store, "has_quorum", lambda: False)
        found = agent_k3s.answer_k3s({"daemonset": "a/b"}, served.context())
        assert (found["ready"], found["nodes"]) == (False, [])
        assert "etcd" in found["failed"]

    def test_nobody_gets_in_without_the_administrators_certificate(
        self, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(agent_k3s, "TLS", str(tmp_path / "nothing"))
        with pytest.raises(AgentError, match="never run here"):
            agent_k3s.api_of(served.context()).get("/api/v1/nodes")


def test_what_the_api_adds_by_itself_is_no_difference() -> None:
    wanted = {"a": [{"b": 1}], "c": {}, "d": False}
    assert differing(wanted, {"a": [{"b": 1, "protocol": "TCP"}], "more": 1}, "x") == []
    assert differing(wanted, {"a": [{"b": 2}]}, "x") == ["x.a.0.b"]
    assert differing(wanted, {"a": []}, "x") == ["x.a"]


class _Blocks:
    def __init__(self, *blocks: bytes) -> None:
        self.channel = self
        self._blocks = blocks

    def receive_bytes(self) -> Iterator[bytes]:
        yield from self._blocks


class TestArtefact:
    def test_it_is_put_in_place_whole_and_only_with_its_own_digest(self, tmp_path: Path) -> None:
        path = str(tmp_path / "bin" / "k3s")
        digest = f"sha256:{hashlib.sha256(b'onetwo').hexdigest()}"
        wish = order(path, digest=digest, mode=0o755)
        context: Any = _Blocks(b"one", b"two")
        assert artefact.read_artefact(wish, context)["present"] is False
        artefact.write_artefact(wish, context)
        found = artefact.read_artefact(wish, context)["attributes"]
        assert (found["digest"], found["mode"]) == (digest, "0755")
        with pytest.raises(AgentError, match=r"not the one of versions\.yaml"):
            artefact.write_artefact(wish, _Blocks(b"on"))  # type: ignore[arg-type]  # it only receives
        assert artefact.read_artefact(wish, context)["attributes"]["digest"] == digest
        assert [item.name for item in (tmp_path / "bin").iterdir()] == ["k3s"]

    def test_a_changed_file_is_read_again(self, tmp_path: Path) -> None:
        path = tmp_path / "k3s"
        path.write_bytes(b"one")
        first = artefact.read_artefact(order(str(path)), _Blocks())["attributes"]["digest"]  # type: ignore[arg-type]  # not used
        path.write_bytes(b"two")
        second = artefact.read_artefact(order(str(path)), _Blocks())["attributes"]["digest"]  # type: ignore[arg-type]  # not used
        assert first != second


class TestInterface:
    def test_the_interface_is_found_by_its_address(self, tmp_path: Path) -> None:
        path = str(tmp_path / "d" / "10.yaml")
        wish = order(path, address="127.0.0.1", option="flannel-iface")
        context: Any = None
        assert interface_option.read_interface_option(wish, context)["present"] is False
        interface_option.write_interface_option(wish, context)
        assert Path(path).read_text().splitlines()[1] == "flannel-iface: lo"
        found = interface_option.read_interface_option(wish, context)["attributes"]
        assert found == {"option": "flannel-iface", "address": "127.0.0.1"}

    def test_another_interface_in_the_file_is_seen_by_what_it_carries(self, tmp_path: Path) -> None:
        path = tmp_path / "10.yaml"
        path.write_text("flannel-iface: nothere0\n")
        wish = order(str(path), address="127.0.0.1", option="flannel-iface")
        context: Any = None
        assert interface_option.read_interface_option(wish, context)["attributes"]["address"] == ""

    def test_an_address_that_nobody_carries_is_a_problem(self, tmp_path: Path) -> None:
        wish = order(str(tmp_path / "x"), address="203.0.113.77", option="flannel-iface")
        context: Any = None
        with pytest.raises(AgentError, match=r"no interface carries 203\.0\.113\.77"):
            interface_option.read_interface_option(wish, context)

    def test_the_kernel_tells_the_mtu_and_no_network_of_pods_is_no_error(self) -> None:
        mtu, carrier = pod_network._link(socket.if_nametoindex("lo"))
        assert mtu > 0
        assert carrier == 0
        context: Any = None
        asked = {"pods": "10.42.0.0/16", "port": 10250}
        assert pod_network.answer_pod_network(asked, context)["vxlan"] is False


class TestStart:
    @pytest.fixture
    def host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        class Done:
            exit_code = 0

        monkeypatch.setattr(k3s_start, "CONFIG", str(tmp_path / "config.yaml"))
        monkeypatch.setattr(k3s_start, "ETCD", str(tmp_path / "etcd"))
        monkeypatch.setattr(k3s_start, "FOLDER", str(tmp_path / "run"))
        monkeypatch.setattr(k3s_start, "UNITS", str(tmp_path / "units"))
        monkeypatch.setattr(k3s_start, "run", lambda *_, **__: Done())
        (tmp_path / "config.yaml").write_text('token: "t"\nserver: "https://10.0.0.101:6443"\n')
        (tmp_path / "config.yaml.d").mkdir()
        (tmp_path / "config.yaml.d/10.yaml").write_text("flannel-iface: ens10\n")
        return tmp_path

    def test_a_first_start_leaves_the_steady_file_and_goes_without_a_trace(
        self, host: Path
    ) -> None:
        context: Any = None
        steady = (host / "config.yaml").read_text()
        k3s_start.write_k3s_start(
            order("k3s.service", by="cluster-init", command="server"), context
        )
        assert (host / "config.yaml").read_text() == steady
        once = (host / "run/config.yaml").read_text()
        assert once == 'token: "t"\ncluster-init: true\n'
        assert (host / "run/config.yaml").stat().st_mode & 0o777 == 0o600
        assert (host / "run/config.yaml.d/10.yaml").read_text() == "flannel-iface: ens10\n"
        found = k3s_start.read_k3s_start(order("k3s.service"), context)
        assert found["attributes"] == {"by": "cluster-init"}
        k3s_start.write_k3s_start(order("k3s.service", by="", command="server"), context)
        assert k3s_start.read_k3s_start(order("k3s.service"), context)["attributes"] == {"by": ""}
        assert not (host / "run").exists()

    def test_a_server_with_data_is_refused_on_the_host_itself(self, host: Path) -> None:
        (host / "etcd").mkdir()
        context: Any = None
        with pytest.raises(AgentError, match="never starts as a first one") as refused:
            k3s_start.write_k3s_start(
                order("k3s.service", by="cluster-init", command="server"), context
            )
        assert refused.value.outcome == "refused"
        assert not (host / "units").exists()

    def test_a_join_elsewhere_replaces_the_one_line(self, host: Path) -> None:
        context: Any = None
        wish = order("k3s-agent.service", by="https://10.0.0.102:6443", command="agent")
        k3s_start.write_k3s_start(wish, context)
        text = (host / "run/config.yaml").read_text()
        assert 'server: "https://10.0.0.102:6443"\n' in text
        assert "10.0.0.101" not in text
