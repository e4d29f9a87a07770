"""What a container's user may put into its folder: a pipe, a file without end, links, second names. None is followed.

Each attack is tried at each place where the agent reads or writes below such a folder, with a real session.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from keybuzz.agent.guard.opener import UnsafeFileError
from keybuzz.agent.runtime.context import Context
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.files import Absent, Directory, File, Symlink
from tasks.galera.agent.position import answer_galera_position as position
from tests.flow.support.agent_host import KEY, OneHost, one_host

USER = 999
"""Whom the folder belongs to: the user of a container."""
SECRET = "precious-Kx81"
ENDLESS = 1_500_000_000

Attack = Callable[[Path, Path], None]


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def second_name(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def without_end(path: Path, victim: Path) -> None:
    with path.open("wb") as file:
        file.truncate(ENDLESS)


def folder(path: Path, victim: Path) -> None:
    path.mkdir()


ATTACKS: dict[str, Attack] = {
    "a pipe": pipe,
    "a link to a secret": link,
    "a second name of a secret": second_name,
    "a file of 1.5 GB": without_end,
    "a folder": folder,
}
RESOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "file": (".erlang.cookie", {"secret": True, "secret_lines": []}),
    "redis-runtime": ("redis.conf", {}),
    "sentinel-runtime": ("sentinel.conf", {"master": "kb"}),
    "redis-data": ("data/dump.rdb", {"newest": 11}),
    "mariadb-data": ("data/ibdata1", {"newest": "10.11"}),
    "rabbitmq-data": ("mnesia/rabbit@x-feature_flags", {"newer": []}),
    "minio-drive": (".minio.sys/format.json", {"formats": ["1/xl/3"]}),
    "patroni-identity": (
        "PG_VERSION",
        {
            "scope": "x",
            "postgres_major": "16",
            "url": "http://127.0.0.1:9",
            "container": "none",
            "namespace": "/db/",
            "raft_port": 7000,
        },
    ),
    "minio-aliases": ("config.json", {"alias": "x", "url": "y"}),
}
"""Kind of resource -> the file that its reader opens, and what the query says besides."""
FOLDERS = {"redis-data", "mariadb-data", "rabbitmq-data", "minio-drive", "patroni-identity"}
"""Kinds whose name is the folder."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path) as host:
        yield host


@pytest.fixture
def data(host: OneHost) -> Path:
    """A folder of a container's user."""
    path = host.files / "container"
    path.mkdir()
    os.chown(path, USER, USER)
    return path


@pytest.fixture
def victim(host: OneHost) -> Path:
    path = host.files.parent / "victim"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def planted(data: Path, name: str, attack: Attack, victim: Path) -> Path:
    path = data / name
    for parent in reversed(path.relative_to(data).parents[:-1]):
        (data / parent).mkdir(exist_ok=True)
        os.chown(data / parent, USER, USER)
    attack(path, victim)
    if not path.is_symlink() and attack is not second_name:
        os.chown(path, USER, USER)
    return path


def answered(host: OneHost, **asked: Any) -> Any:
    payload = {"key": KEY.key.hex(), "resources": [], "readings": [], **asked}
    host.probe()  # opens the session
    return host.session.request("probe", payload, dict[str, Any], timeout=20)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", RESOURCES)
def test_a_resource_is_read_in_time_and_tells_nothing(
    host: OneHost, data: Path, victim: Path, kind: str, attack: str
) -> None:
    name, more = RESOURCES[kind]
    path = planted(data, name, ATTACKS[attack], victim)
    named = data if kind in FOLDERS else path
    if kind == "redis-data":
        named = path.parent
    query = {"kind": kind, "name": str(named), "data": str(data), **more}
    (state,) = answered(host, resources=[query])["states"]
    assert SECRET not in str(state)
    assert resident(host) < 200_000, "kB: nothing was read whole"
    if kind == "file" and attack in ("a file of 1.5 GB", "a second name of a secret"):
        assert str(path) in state["problem"]


def resident(host: OneHost) -> int:
    """Return the most memory that the agent ever had, in kB."""
    status = Path(f"/proc/{host.session.agent.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "reading",
    [
        {"kind": "text", "name": "x"},
        {"kind": "listing", "name": "x"},
    ],
    ids=lambda reading: reading["kind"],
)
def test_a_reading_is_answered_in_time_and_tells_nothing(
    host: OneHost, data: Path, victim: Path, reading: dict[str, Any], attack: str
) -> None:
    path = planted(data, "grastate.dat", ATTACKS[attack], victim)
    (answer,) = answered(host, readings=[{**reading, "path": str(path), "data": str(data)}])[
        "answers"
    ]
    assert SECRET not in str(answer)
    assert resident(host) < 200_000


@pytest.mark.parametrize("attack", [name for name in ATTACKS if name != "a folder"])
def test_a_stopped_galera_node_is_refused_when_its_state_is_no_file_of_its_own(
    data: Path, victim: Path, attack: str
) -> None:
    planted(data, "grastate.dat", ATTACKS[attack], victim)
    context = Mock(Context)
    context.docker.inspect.return_value = None
    with pytest.raises(UnsafeFileError, match=r"grastate\.dat"):
        position({"container": "mariadb", "data": str(data)}, context)


def test_a_folder_on_the_way_that_is_a_link_is_not_entered(
    host: OneHost, data: Path, victim: Path
) -> None:
    other = host.files.parent / "other"
    other.mkdir()
    (other / "format.json").write_text(SECRET)
    (data / ".minio.sys").symlink_to(other)
    os.chown(data / ".minio.sys", USER, USER, follow_symlinks=False)
    query = {"kind": "minio-drive", "name": str(data), "formats": []}
    (state,) = answered(host, resources=[query])["states"]
    assert "may have made" in state["problem"]
    copies = {"kind": "listing", "name": "x", "path": str(data / ".minio.sys")}
    (answer,) = answered(host, readings=[copies])["answers"]
    assert "format.json" not in str(answer)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: File(str(path / "app.conf"), Content.plain("new\n")),
        lambda path: Directory(str(path / "inner"), USER, USER, 0o777),
        lambda path: Symlink(str(path / "inner"), "/etc"),
        lambda path: Absent(str(path / "victim")),
    ],
    ids=["file", "directory", "symlink", "absent"],
)
def test_nothing_is_written_through_a_link_of_the_containers_user(
    host: OneHost, data: Path, victim: Path, make: Callable[[Path], Any]
) -> None:
    trap = data / "conf"
    trap.symlink_to(victim.parent)
    os.chown(trap, USER, USER, follow_symlinks=False)
    before = sorted(path.name for path in victim.parent.iterdir())
    changes = host.plan(make(trap))
    outcomes = {result.outcome for result in host.apply(*changes)}
    assert outcomes <= {Outcome.FAILED, Outcome.REFUSED}
    assert sorted(path.name for path in victim.parent.iterdir()) == before
    assert victim.read_text() == SECRET


def test_a_link_of_roots_in_a_folder_of_roots_is_followed(host: OneHost) -> None:
    """As /var/run is one on every server, and /opt on one whose disk is elsewhere."""
    real = host.files / "disk"
    real.mkdir()
    (host.files / "opt").symlink_to(real)
    wanted = File(str(host.files / "opt" / "app" / "app.conf"), Content.plain("new\n"))
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert (real / "app" / "app.conf").read_text() == "new\n"
    assert host.converge(wanted) == []


def test_the_copy_before_is_of_what_was_compared_and_of_no_link(
    host: OneHost, data: Path, victim: Path
) -> None:
    path = data / "app.conf"
    path.write_text("old\n")
    os.chown(path, USER, USER)
    wanted = File(str(path), Content.plain("new\n"))
    assert host.converge(wanted) == [Outcome.CHANGED]
    kept = host.scratch.previous(path)
    assert (kept.read_text(), kept.stat().st_uid) == ("old\n", USER)
    kept.unlink()
    path.unlink()
    path.symlink_to(victim)
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert not kept.exists()
    assert victim.read_text() == SECRET
