"""What an older installation left: seen by name, taken away alone, and last."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.host import file as file_kind
from keybuzz.agent.kinds.host import packages
from keybuzz.agent.kinds.host import retired as kind
from keybuzz.agent.readings import units
from keybuzz.agent.runtime.children import Completed
from keybuzz.model.host.retired import CONTAINER, FILE, FOLDER, UNIT, Retired
from tasks.postgres_proxy.leftovers import LEFTOVERS


class Docker:
    """Knows some containers, and notes what is done to them."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.made: list[str] = []

    def inspect(self, name: str) -> object:
        return {"Id": name} if name in self.names else None

    def act(self, verb: str, path: str) -> None:
        self.made.append(f"{verb} {path}")


@pytest.fixture
def systemctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    made: list[str] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        made.append(" ".join(argv[1:]))
        linked = tmp_path / argv[-1]
        if argv[1] == "disable" and linked.is_symlink():
            linked.unlink()  # as systemctl does
        return Completed(int(argv[1] != "daemon-reload"), b"", b"", False)

    monkeypatch.setattr(kind, "run_child", run)
    monkeypatch.setattr(kind, "_UNITS", str(tmp_path))
    return made


@pytest.fixture(autouse=True)
def _debian(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A host without a package that matters, whose previous versions lie in a folder of the test."""
    here = tmp_path_factory.mktemp("var-lib")
    monkeypatch.setattr(packages, "_STATUS", str(here / "status"))
    monkeypatch.setattr(file_kind, "PREVIOUS", str(here / "previous"))
    (here / "status").write_text(_paragraph("bash", "install ok installed"))


def _paragraph(name: str, status: str, *conffiles: Path) -> str:
    lines = "".join(f" {path} {'0' * 32}\n" for path in conffiles)
    return f"Package: {name}\nStatus: {status}\nVersion: 1\nConffiles:\n{lines}\n"


def kept(path: Path) -> Path:
    return Path(file_kind.PREVIOUS + str(path))


def there(item: Retired, docker: Docker) -> bool:
    return bool(kind.read_retired(item.query(), _with(docker))["attributes"]["there"])


def _with(docker: Docker) -> Any:
    def once(_: object, __: str, read: Callable[[], Any]) -> Any:
        return read()

    return type("Context", (), {"docker": docker, "once": once, "named": lambda *_: ()})()


def take(item: Retired, docker: Docker) -> None:
    kind.write_retired(item.order(), _with(docker))


def test_a_unit_goes_without_its_stop_command(systemctl: list[str], tmp_path: Path) -> None:
    item, docker = Retired(UNIT, "redis-docker.service"), Docker()
    assert not there(item, docker)
    (tmp_path / "redis-docker.service").write_text(
        "[Service]\nExecStop=/usr/bin/docker stop redis\n"
    )
    assert there(item, docker)
    take(item, docker)
    assert not there(item, docker)
    assert "docker stop redis" in kept(tmp_path / "redis-docker.service").read_text()
    order = [line.split()[0] for line in systemctl]
    assert order.index("daemon-reload") < order.index("kill") < order.index("stop")


def test_a_container_is_stopped_and_its_volumes_stay() -> None:
    item, docker = Retired(CONTAINER, "watcher"), Docker("watcher-2")
    assert not there(item, docker)
    docker.names.add("watcher")
    assert there(item, docker)
    take(item, docker)
    assert docker.made == ["POST /containers/watcher/stop?t=10", "DELETE /containers/watcher"]


def test_a_file_goes_and_a_folder_only_when_it_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "old.cfg"
    path.write_text("password")
    docker = Docker()
    file, around = Retired(FILE, str(path)), Retired(FOLDER, str(folder))
    assert (there(file, docker), there(around, docker)) == (True, False)
    take(around, docker)
    assert path.exists()
    take(file, docker)
    assert (there(file, docker), there(around, docker)) == (False, True)
    take(around, docker)
    assert not folder.exists()
    assert kept(path).read_text() == "password"


@pytest.mark.parametrize("mask", ["/dev/null", ""])
def test_a_masked_unit_stays_masked(mask: str, systemctl: list[str], tmp_path: Path) -> None:
    """It makes sure that the unit never starts: that is no leftover, and without it the unit could start again."""
    item, path = Retired(UNIT, "redis-docker.service"), tmp_path / "redis-docker.service"
    if mask:
        path.symlink_to(mask)
    else:
        path.touch()
    assert not there(item, Docker())
    take(item, Docker())
    assert os.path.lexists(path)
    assert systemctl == []


def test_a_linked_unit_whose_link_systemctl_removes_goes_at_once(
    systemctl: list[str], tmp_path: Path
) -> None:
    item = Retired(UNIT, "redis-docker.service")
    (tmp_path / "theirs.service").write_text("[Service]\n")
    (tmp_path / "redis-docker.service").symlink_to(tmp_path / "theirs.service")
    assert there(item, Docker())
    take(item, Docker())
    assert not there(item, Docker())
    assert "daemon-reload" in systemctl
    assert (tmp_path / "theirs.service").exists()


@pytest.mark.parametrize("part", [FILE, FOLDER])
def test_a_link_to_a_folder_and_a_folder_with_a_files_name_are_no_leftovers(
    part: str, tmp_path: Path
) -> None:
    """Docker makes a folder where a file that it should mount is missing; a run that refused it would never end."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    item = Retired(part, str(tmp_path / ("real" if part == FILE else "link")))
    assert not there(item, Docker())
    take(item, Docker())
    assert (tmp_path / "link").is_dir()


def test_a_configuration_file_that_dpkg_keeps_stays(tmp_path: Path) -> None:
    path = tmp_path / "old.cfg"
    path.write_text("of the package")
    Path(packages._STATUS).write_text(_paragraph("old", "deinstall ok config-files", path))
    item = Retired(FILE, str(path))
    assert not there(item, Docker())
    take(item, Docker())
    assert path.exists()


@pytest.mark.parametrize(
    ("package", "unit", "stays"),
    [
        ("install ok installed", "inactive disabled", True),
        ("install ok half-configured", "inactive disabled", True),
        ("deinstall ok not-installed", "inactive disabled", False),
        ("", "inactive enabled", True),
        ("", "active disabled", True),
        ("", "inactive disabled", False),
    ],
)
def test_files_of_a_service_that_is_installed_or_runs_stay(
    package: str, unit: str, stays: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Debian's own HAProxy, on other ports, lost its configuration to the entry of a database."""
    active, enabled = unit.split()
    said = f"ActiveState={active}\nUnitFileState={enabled}\n".encode()
    asked: list[str] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        asked.append(argv[-1])
        return Completed(0, said, b"", False)

    monkeypatch.setattr(units, "run_child", run)
    if package:
        Path(packages._STATUS).write_text(_paragraph("haproxy", package))
    path = tmp_path / "haproxy.cfg"
    path.write_text("listen x\n  bind :8080\n")
    items = Retired(FILE, str(path), "haproxy"), Retired(FOLDER, str(tmp_path), "haproxy")
    for item in items:
        take(item, Docker())
    assert (path.exists(), tmp_path.exists()) == (stays, stays)
    assert set(asked) <= {"haproxy.service"}


def test_what_debians_own_services_read_names_its_service() -> None:
    """Whatever a module retires in a folder that a package of Debian has too."""
    named = {item.target: item.service for item in LEFTOVERS if item.part in (FILE, FOLDER)}
    assert named == {
        "/etc/haproxy/haproxy.cfg": "haproxy",
        "/etc/haproxy": "haproxy",
        "/etc/pgbouncer/pgbouncer.ini": "pgbouncer",
        "/etc/pgbouncer/userlist.txt": "pgbouncer",
        "/etc/pgbouncer": "pgbouncer",
    }
