"""What kbz reads of MinIO and writes to it, against the lab's stand-in and real folders."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keybuzz.agent.readings import table as readings
from keybuzz.agent.runtime import probe
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.engine.drill.client import client_of
from keybuzz.model.core.secret import Secret
from keybuzz.model.reports.drill import Workload
from keybuzz.site.drill import NotSentError, UnconfirmedError
from tasks.minio.agent import look as agent_minio
from tasks.minio.agent import minio as kind
from tasks.minio.agent.look import DeniedError
from tasks.minio.drill import TRY
from tasks.minio.service import S3
from tasks.minio.service.resources import (
    MinioAccess,
    MinioAliases,
    MinioBucket,
    MinioDrive,
    MinioLook,
)
from tests.flow.servers.minio_server import NODES, PASSWORD, USER, Trio, free_ports, trio, until

CONTEXT: Any = SimpleNamespace()
BUCKET = "keybuzz-backups"
OFFICIAL = "http://10.0.0.134:9000"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    with trio(tmp_path_factory.mktemp("minio"), *NODES) as made:
        yield made


def access(nodes: Trio, node: int = 1, password: str = PASSWORD) -> MinioAccess:
    return MinioAccess("127.0.0.1", USER, Secret("P", password), nodes.ports[node])


DRILL_BUCKET = "kbz-drill"


def workload(nodes: Trio, password: str = PASSWORD) -> Workload:
    port = nodes.ports[1]
    return Workload(S3, "127.0.0.1", port, USER, Secret("P", password), BUCKET)


def look(nodes: Trio, password: str = PASSWORD) -> dict[str, Any]:
    answer = readings.ask(MinioLook("minio.node", access(nodes, password=password)).query())
    assert "problem" not in answer, answer
    found: dict[str, Any] = answer["value"]
    return found


class TestBucket:
    def test_it_is_made_once_and_keeps_versions(self, nodes: Trio) -> None:
        bucket = MinioBucket(access(nodes, 2), BUCKET)
        assert not kind.read_minio_bucket(bucket.query(), CONTEXT)["present"]
        for _ in range(2):
            kind.write_minio_bucket(bucket.order(), CONTEXT)
            found = kind.read_minio_bucket(bucket.query(), CONTEXT)
            assert found == {"present": True, "attributes": {"versioning": "Enabled"}}
        assert nodes.client(3).get_bucket_versioning(BUCKET).status == "Enabled"

    def test_a_bucket_made_by_hand_gets_its_versions_and_keeps_its_objects(
        self, nodes: Trio
    ) -> None:
        client = nodes.client(1)
        client.make_bucket("by-hand")
        client.put_object("by-hand", "a", io.BytesIO(b"x"), 1)
        bucket = MinioBucket(access(nodes), "by-hand")
        assert kind.read_minio_bucket(bucket.query(), CONTEXT)["attributes"] == {
            "versioning": "never"
        }
        kind.write_minio_bucket(bucket.order(), CONTEXT)
        assert client.get_bucket_versioning("by-hand").status == "Enabled"
        assert client.get_object("by-hand", "a").read() == b"x"

    def test_a_wrong_password_is_a_sentence_without_it(self, nodes: Trio) -> None:
        bucket = MinioBucket(access(nodes, password="another-needle"), BUCKET)
        with pytest.raises(DeniedError) as caught:
            kind.read_minio_bucket(bucket.query(), CONTEXT)
        assert "needle" not in str(caught.value)


@contextmanager
def overloaded() -> Iterator[int]:
    """Give a MinIO that answers its administrator, and no request of S3."""
    ended = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # its name is http.server's
            if self.path == "/":
                ended.wait(30)
            body = b'{"servers": [], "deploymentID": "x"}'
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            ended.set()
            server.shutdown()
            thread.join()


class TestLook:
    def test_it_sees_three_servers_three_drives_and_one_set(self, nodes: Trio) -> None:
        found = look(nodes)
        names = {f"127.0.0.1:{port}" for port in nodes.ports.values()}
        assert found["servers"] == dict.fromkeys(names, "online")
        assert found["drives"] == dict.fromkeys(names, "ok")
        assert (found["sets"], found["parity"], found["denied"]) == ([3], 1, False)
        form = json.loads((nodes.drive(1) / ".minio.sys/format.json").read_text())
        assert found["deployment"] == form["id"]
        assert found["version"] == "2024-10-02T17:50:41Z"

    def test_requests_that_are_held_back_are_told_by_every_node_until_they_go_on(
        self, nodes: Trio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`mc admin service freeze`: health stays 200, and only the administrator is answered."""
        monkeypatch.setattr(agent_minio, "_HELD_BACK", 0.5)
        first, third = access(nodes).order(), access(nodes, 3).order()
        agent_minio.admin(first, "POST", "service", {"action": "freeze"})
        try:
            held = agent_minio.look(third)
            assert (held["frozen"], held["slow"]) == (True, False)
            assert agent_minio.look(third)["servers"]
            bucket, node = (
                MinioBucket(access(nodes, 3), BUCKET),
                MinioLook("node", access(nodes, 3)),
            )
            request = {"key": "aa", "resources": [bucket.query()], "readings": [node.query()]}
            said = probe.run(request, cast("Any", None))
            assert said["states"][0]["problem"]
            assert said["answers"][0]["value"]["frozen"] is True, (
                "though its bucket was asked first"
            )
        finally:
            agent_minio.admin(third, "POST", "service", {"action": "unfreeze"})
        assert agent_minio.look(first)["frozen"] is False

    def test_an_overload_is_told_from_a_freeze_by_what_a_freeze_does_not_hold_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All nodes slow at once looked like `mc admin service freeze`, whose way out does not help."""
        monkeypatch.setattr(agent_minio, "_HELD_BACK", 0.3)
        with overloaded() as port:
            order = MinioAccess("127.0.0.1", "root", Secret("S", "secret-12345"), port).order()
            found = agent_minio.look(order)
        assert (found["frozen"], found["slow"]) == (False, True)

    def test_who_is_not_let_in_is_told_so(self, nodes: Trio) -> None:
        found = look(nodes, "another-password")
        assert (found["denied"], found["servers"]) == (True, {})

    def test_where_nobody_listens_is_a_problem(self) -> None:
        reached = MinioAccess("127.0.0.1", USER, Secret("P", PASSWORD), free_ports(1)[0])
        answer = readings.ask(MinioLook("minio.node", reached).query())
        assert "MinIO does not answer" in answer["problem"]


class TestDrive:
    def read(self, path: Path) -> dict[str, Any]:
        query = MinioDrive(str(path), mount=True, formats=("1/xl/3",)).query()
        found: dict[str, Any] = kind.read_minio_drive(query, CONTEXT)["attributes"]
        return found

    @pytest.mark.parametrize("names", [(), ("lost+found",), (".minio.sys/tmp",)])
    def test_nothing_is_empty(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        for name in names:
            (tmp_path / name).mkdir(parents=True)
        found = self.read(tmp_path)
        assert (found["usable"], found["found"], found["deployment"]) == (True, "empty", "")
        assert self.read(tmp_path / "not there")["found"] == "empty"

    def test_a_drive_of_minio_has_its_place(self, nodes: Trio) -> None:
        found = [self.read(nodes.drive(node)) for node in NODES]
        assert {item["found"] for item in found} == {"minio"}
        assert [(item["place"], item["size"]) for item in found] == [(1, 3), (2, 3), (3, 3)]
        assert len({item["deployment"] for item in found}) == 1

    def test_a_folder_is_not_a_mount_and_a_mount_is_one(self, tmp_path: Path) -> None:
        assert self.read(tmp_path)["mounted"] is False
        assert self.read(Path("/proc"))["mounted"] is True

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("photos/1.jpg", "no format.json, and photos"),
            (".minio.sys/buckets/x", ".minio.sys with buckets, and no format.json"),
        ],
    )
    def test_other_content_is_not_usable(self, tmp_path: Path, path: str, said: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("x")
        found = self.read(tmp_path)
        assert (found["usable"], found["found"]) == (False, said)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{"version":"1","format":"fs","id":"1","fs":{"version":"2"}}', "of kind fs"),
            ("{", "that says nothing"),
            ("[]", "that says nothing"),
            (
                '{"version":"1","format":"xl","id":"1","xl":{"version":"9","this":"a","sets":[["a"]]}}',
                "of version 1/xl/9",
            ),
            (
                '{"version":"1","format":"xl","id":"1","xl":{"version":"3","this":"b","sets":[["a"]]}}',
                "has no place",
            ),
            (
                '{"version":"1","format":"xl","id":"1","xl":{"version":"3","this":"a","sets":[["a"],["b"]]}}',
                "has no place",
            ),
        ],
    )
    def test_a_format_of_another_layout_is_not_usable(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        """A single node of older days, and data of a newer version, are refused before anything starts."""
        (tmp_path / ".minio.sys").mkdir()
        (tmp_path / ".minio.sys/format.json").write_text(text)
        found = self.read(tmp_path)
        assert found["usable"] is False
        assert said in found["found"]

    def test_no_order_changes_a_drive(self, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        with pytest.raises(AgentError) as caught:
            kind.write_minio_drive(
                MinioDrive(str(tmp_path), mount=False, formats=()).order(), CONTEXT
            )
        assert caught.value.outcome == "refused"
        assert (tmp_path / "photos").is_dir()


class TestAliases:
    def others(self, tmp_path: Path, **aliases: dict[str, str]) -> list[str]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"version": "10", "aliases": aliases}))
        query = MinioAliases(str(path), "minio", OFFICIAL).query()
        found: list[str] = kind.read_minio_aliases(query, CONTEXT)["attributes"]["others"]
        return found

    def test_the_one_alias_and_what_mc_brings_along_are_fine(self, tmp_path: Path) -> None:
        delivered = {
            "local": {"url": "http://localhost:9000", "accessKey": "", "secretKey": ""},
            "play": {"url": "https://play.min.io", "accessKey": "Q", "secretKey": "z"},
            "s3": {"url": "https://s3.amazonaws.com", "accessKey": "YOUR", "secretKey": "YOUR"},
        }
        assert self.others(tmp_path, minio={"url": f"{OFFICIAL}/"}, **delivered) == []
        absent = MinioAliases(str(tmp_path / "none"), "minio", OFFICIAL).query()
        assert kind.read_minio_aliases(absent, CONTEXT)["attributes"]["others"] == []

    @pytest.mark.parametrize(
        ("name", "url", "said"),
        [
            ("minio", "http://10.0.0.131:9000", "minio at 10.0.0.131:9000"),
            ("minio", "http://10.0.0.10:9000", "minio at 10.0.0.10:9000"),
            ("backup", OFFICIAL, "backup at 10.0.0.134:9000"),
            ("s3", "https://s3.keybuzz.io", "s3 at s3.keybuzz.io"),
            ("local", "http://localhost:9000", "local at localhost:9000"),
            ("x", "http://user:needle@10.0.0.131:9000", "x at 10.0.0.131:9000"),
        ],
    )
    def test_any_other_is_named_without_its_keys(
        self, tmp_path: Path, name: str, url: str, said: str
    ) -> None:
        entry = {"url": url, "accessKey": "key", "secretKey": "needle"}
        assert self.others(tmp_path, **{name: entry}) == [said]

    def test_what_is_no_configuration_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("[")
        query = MinioAliases(str(tmp_path / "config.json"), "minio", OFFICIAL).query()
        with pytest.raises(AgentError, match="is not a configuration of mc"):
            kind.read_minio_aliases(query, CONTEXT)


class TestDrillClient:
    def test_numbers_are_objects_of_its_own_bucket_which_is_gone_at_the_end(
        self, nodes: Trio
    ) -> None:
        client = client_of(workload(nodes))
        client.prepare()
        for number in range(12):
            client.write(number)
        client.prepare()
        client.write(7)
        client.write(8)
        assert client.read() == {7, 8}
        client.remove()
        client.close()
        assert not nodes.client(2).bucket_exists(DRILL_BUCKET)


class TestAlone:
    """A node that nobody can reach."""

    def test_it_takes_no_write_and_says_that_it_was_not_confirmed(self, tmp_path: Path) -> None:
        with trio(tmp_path, *NODES) as nodes:
            client = client_of(workload(nodes))
            client.prepare()
            client.write(1)
            assert "kbz-accepted" in self.tried(nodes)
            nodes.kill(2, 3)
            until(lambda: nodes.health(1) == 503, "the write quorum is gone")
            with pytest.raises(UnconfirmedError):
                client.write(2)
            assert "refused: 503" in self.tried(nodes)
            nodes.kill(1)
            with pytest.raises((NotSentError, UnconfirmedError)):
                client.write(3)
            nodes.start(*NODES)
            nodes.until_healthy(*NODES)
            assert client.read() == {-1, 1}, "what was acknowledged, and nothing else"
            client.close()

    def tried(self, nodes: Trio) -> str:
        """Run the drill's own program on the node."""
        where = [f"127.0.0.1:{nodes.ports[1]}", f"/{DRILL_BUCKET}/-1"]
        done = subprocess.run(
            [sys.executable, "-c", TRY, *where],
            input=f"{USER}\n{PASSWORD}\n",
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout
