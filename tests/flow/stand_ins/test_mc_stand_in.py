"""The lab's stand-in of mc holds to mc's own file and words, over the file that kbz writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from keybuzz.agent.runtime.errors import AgentError
from keybuzz.lab.supply.artefacts import packed, programs
from keybuzz.model.core.secret import Secret
from tasks.minio_client.agent import alias as kind
from tasks.minio_client.alias import MinioAlias
from tests.flow.servers.minio_server import NODES, PASSWORD, USER, Trio, trio

CONTEXT: Any = SimpleNamespace()
OTHER = {"url": "https://files.example.com", "accessKey": "a", "secretKey": "b", "more": 1}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    with trio(tmp_path_factory.mktemp("minio"), *NODES) as made:
        yield made


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [found] = [item for item in programs() if item.name == "mc"]
    path = tmp_path_factory.mktemp("bin") / "mc"
    path.write_bytes(packed(found))
    return path


def mc(program: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "MC_CONFIG_DIR": str(folder)}
    argv = [sys.executable, str(program), *words]
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def alias(nodes: Trio, folder: Path, password: str = PASSWORD) -> MinioAlias:
    url = f"http://127.0.0.1:{nodes.ports[1]}"
    return MinioAlias(
        str(folder / "config.json"), "minio", url, USER, Secret("P", password), ("127.0.0.1",)
    )


def read(wanted: MinioAlias) -> dict[str, Any]:
    state = kind.read_minio_alias(wanted.query(), CONTEXT)
    return {"present": state["present"], **state.get("attributes", {})}


def test_it_lists_the_buckets_of_the_alias_and_refuses_wrong_keys(
    nodes: Trio, program: Path, tmp_path: Path
) -> None:
    nodes.client(1).make_bucket("first")
    kind.write_minio_alias(alias(nodes, tmp_path).order(), CONTEXT)
    done = mc(program, tmp_path, "ls", "minio/")
    assert (done.returncode, done.stderr) == (0, "")
    assert "first/" in done.stdout
    kind.write_minio_alias(alias(nodes, tmp_path, "wrong-wrong").order(), CONTEXT)
    done = mc(program, tmp_path, "ls", "minio/")
    assert done.returncode == 1
    assert "mc: <ERROR> Unable to list folder" in done.stderr
    kept = (tmp_path / "config.json").read_bytes()
    url = f"http://127.0.0.1:{nodes.ports[1]}"
    assert mc(program, tmp_path, "alias", "set", "x", url, USER, "wrong-wrong").returncode == 1
    assert (tmp_path / "config.json").read_bytes() == kept


def test_it_reads_what_kbz_writes_and_kbz_reads_what_it_writes(
    nodes: Trio, program: Path, tmp_path: Path
) -> None:
    wanted = alias(nodes, tmp_path)
    assert read(wanted) == {"present": False}
    assert (
        mc(program, tmp_path, "alias", "set", "minio", wanted.url, USER, PASSWORD).returncode == 0
    )
    found = read(wanted)
    assert (found["url"], found["credentials"], found["mode"]) == (wanted.url, True, "0600")
    kind.write_minio_alias(alias(nodes, tmp_path, "another-one").order(), CONTEXT)
    shown = mc(program, tmp_path, "alias", "list").stdout
    assert wanted.url in shown
    assert "another-one" in shown
    assert read(wanted)["credentials"] is False


def test_it_names_itself_as_a_stand_in(program: Path, tmp_path: Path) -> None:
    assert "stand-in of the kbz lab" in mc(program, tmp_path, "--version").stdout
    assert mc(program, tmp_path, "admin", "info", "minio").returncode == 1


def test_other_aliases_and_unknown_fields_are_kept_byte_for_value(
    nodes: Trio, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    before = {"version": "10", "aliases": {"mine": OTHER}, "later": [1]}
    path.write_text(json.dumps(before))
    path.chmod(0o644)
    kind.write_minio_alias(alias(nodes, tmp_path).order(), CONTEXT)
    after = json.loads(path.read_text())
    ours = after["aliases"].pop("minio")
    assert after == before
    assert {"url", "accessKey", "secretKey", "api", "path"} == set(ours)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_way_in_is_named_without_its_keys(nodes: Trio, tmp_path: Path) -> None:
    url = "http://user:needle@127.0.0.1:9000/x"
    aliases = {"mine": OTHER, "second": {**OTHER, "url": url}}
    (tmp_path / "config.json").write_text(json.dumps({"version": "10", "aliases": aliases}))
    found = read(alias(nodes, tmp_path))
    assert found["others"] == ["second at 127.0.0.1:9000"]
    assert found["url"] == ""
    assert "needle" not in str(found)


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"version": "9", "aliases": {}}', '{"version": "10", "aliases": [1]}']
)
def test_what_is_not_mcs_present_form_is_never_written(
    nodes: Trio, tmp_path: Path, text: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(AgentError) as caught:
        kind.write_minio_alias(alias(nodes, tmp_path).order(), CONTEXT)
    assert caught.value.outcome == "refused"
    assert caught.value.hint
    assert (tmp_path / "config.json").read_text() == text
