"""What an older installation left: seen by name, taken away alone, and last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host import retired as kind
from keybuzz.agent.runtime.children import Completed
from keybuzz.model.host.retired import CONTAINER, FILE, FOLDER, UNIT, Retired


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
        return Completed(int(argv[1] != "daemon-reload"), b"", b"", False)

    monkeypatch.setattr(kind, "run_child", run)
    monkeypatch.setattr(kind, "_UNITS", str(tmp_path))
    return made


def there(item: Retired, docker: Docker) -> bool:
    return bool(kind.read_retired(item.query(), _with(docker))["attributes"]["there"])


def _with(docker: Docker) -> Any:
    return type("Context", (), {"docker": docker})()


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
    with pytest.raises(opener.UnsafeFileError):
        take(Retired(FILE, str(tmp_path)), docker)
