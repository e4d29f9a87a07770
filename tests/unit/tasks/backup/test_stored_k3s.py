"""Which server of K3s is the source, and which snapshots are found to be none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from k3s_stand_in.snapshots import bolt

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from tasks.backup.on_host import etcd
from tasks.backup.store import k3s
from tests.unit.support.site_values import memory_site

SITE = memory_site()
ONE, OTHER = "a" * 64, "b" * 64
TOKEN = "a-token-of-a-test"
LONG = f"K10{ONE}::server:{TOKEN}"
KEYS = {f"/registry/pods/default/{n}": b"x" * (n * 37 % 5000) for n in range(300)}


def masters(*told: str | None) -> dict[str, Answer]:
    """Return what each server says: the checksum of its authority, an error, or nothing at all."""
    found: dict[str, Answer] = {}
    for server, said in zip(SITE.members("k3s-masters"), told, strict=True):
        name = f"backup.k3s.{server.name}"
        good = said in (ONE, OTHER)
        value = {"exit_code": 0 if good else 1, "stdout": f"200 {said}\n", "stderr": f"{said}\n"}
        found[name] = Answer(name, problem="no route") if said is None else Answer(name, value)
    return found


@pytest.mark.parametrize(
    ("told", "source"),
    [((ONE, ONE, ONE), "k8s-master-01"), ((None, "refused", ONE), "k8s-master-03")],
)
def test_a_server_that_answers_is_the_source(told: tuple[str | None, ...], source: str) -> None:
    found = k3s.choose(SITE, masters(*told))
    assert (found.host, found.cluster) == (source, ONE)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((None, None, "TimeoutError"), "no route.*TimeoutError"),
        ((ONE, OTHER, ONE), "no server of K3s"),
    ],
)
def test_servers_that_are_not_one_cluster_are_no_source(
    told: tuple[str | None, ...], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        k3s.choose(SITE, masters(*told))


def taken(folder: Path, token: str = TOKEN) -> Path:
    """Lay a snapshot out, with the token next to it."""
    opened = etcd.storage_key(TOKEN).decode()
    (folder / etcd.SNAPSHOT).write_bytes(bolt.snapshot({**KEYS, opened: b"sealed"}))
    (folder / etcd.TOKEN).write_text(f"{token}\n")
    return folder


@pytest.mark.parametrize("token", [TOKEN, LONG])
def test_a_whole_one_is_counted_and_counted_alike_from_then_on(tmp_path: Path, token: str) -> None:
    taken(tmp_path, token)
    for _ in range(2):
        assert etcd.main("", [str(tmp_path)]) == 0
    counts = json.loads((tmp_path / "kbz.counts.json").read_text())
    assert counts == {"keys": 301, "revision": 302}


def _sealed(content: bytes) -> bytes:
    """Return pages with a checksum of their own."""
    return content[:-32] + hashlib.sha256(content[:-32]).digest()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "without its checksum": lambda content: content[:-32],
    "a byte is another": lambda content: content[:9000] + b"\xff" + content[9001:],
    "empty": lambda content: b"",
    "no heads": lambda content: _sealed(bytes(8192) + content[8192:]),
    "no such page": lambda content: _sealed(content[:12288] + bytes(4096) + content[16384:]),
    "entries beyond the page": lambda content: _sealed(
        content[:12288] + content[12288:12304] + b"\xff" * 64 + content[12368:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_found(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = taken(tmp_path) / etcd.SNAPSHOT
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert etcd.main("", [str(tmp_path)]) == 65
    assert "damaged: " in capsys.readouterr().err


@pytest.mark.parametrize("token", ["another", "", f"K10{ONE}::server:another"])
def test_a_token_that_does_not_open_it_is_found(tmp_path: Path, token: str) -> None:
    taken(tmp_path, token)
    assert etcd.main("", [str(tmp_path)]) == 65


def test_the_token_in_its_long_form_leads_to_the_same_key() -> None:
    assert etcd.storage_key(LONG) == etcd.storage_key(TOKEN)


def test_a_token_whose_key_was_deleted_opens_nothing(tmp_path: Path) -> None:
    taken(tmp_path)
    key = etcd.storage_key(TOKEN).decode()
    found = {**KEYS, key: b"sealed"}
    (tmp_path / etcd.SNAPSHOT).write_bytes(bolt.snapshot(found, gone=(key,)))
    assert etcd.main("", [str(tmp_path)]) == 65
    (tmp_path / etcd.SNAPSHOT).write_bytes(bolt.snapshot(found, gone=("/registry/pods/default/1",)))
    assert etcd.main("", [str(tmp_path)]) == 0
