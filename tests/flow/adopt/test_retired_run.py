"""A run takes away what an older installation left, last; adopt and drift tell it until then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.adopt.adopt import adopt
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.host.retired import retired, retiring_last
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def described(host: ScratchHost) -> tuple[Resource, ...]:
    old = host.files / "old"
    return (
        File(str(host.files / "app.conf"), Content.plain("new\n")),
        *retired(files=(f"{old}/old.cfg", f"{old}/none.cfg"), folders=(str(old),)),
    )


def test_files_go_behind_the_work_and_their_folder_behind_them(three: Fleet) -> None:
    plain = Demo(three.hosts, described).module()
    module = replace(plain, next_stage=retiring_last(plain.next_stage), virgin=lambda live: True)
    for host in three.hosts.values():
        (host.files / "old").mkdir()
        (host.files / "old/old.cfg").write_text("requirepass of-long-ago\n")
    (found,) = adopt(three.workspace, (module,), frozenset(HOSTS)).modules
    assert {d.identity.partition(":")[0] for d in found.differences} == {"file", "retired"}
    assert found.restarts == 0
    assert three.run(module).exit_code == ExitCode.GOOD
    for host in three.hosts.values():
        assert not (host.files / "old").exists()
        assert (host.files / "app.conf").read_text() == "new\n"
        kept = host.previous(host.files / "old/old.cfg")
        assert kept.read_text() == "requirepass of-long-ago\n"
    again = three.run(module)
    assert (again.exit_code, again.plan.size) == (ExitCode.GOOD, 0)


def test_a_folder_that_is_not_empty_stays(three: Fleet) -> None:
    plain = Demo(three.hosts, described).module()
    module = replace(plain, next_stage=retiring_last(plain.next_stage), virgin=lambda live: True)
    kept = [host.files / "old/data.rdb" for host in three.hosts.values()]
    for path in kept:
        path.parent.mkdir()
        path.write_bytes(b"REDIS0011")
    assert three.run(module).exit_code == ExitCode.GOOD
    assert [path.read_bytes() for path in kept] == [b"REDIS0011"] * len(kept)


@pytest.fixture
def mounted(three: Fleet) -> Iterator[Path]:
    """Return an empty folder on a mount of its own, of the same file system."""
    point, source = (three.hosts[SECOND].files / name for name in ("old", "volume"))
    for folder in (point, source):
        folder.mkdir()
    subprocess.run(["mount", "--bind", source, point], check=True)
    yield point
    subprocess.run(["umount", point], check=True)


def test_a_link_and_a_mount_point_stay_and_the_run_converges(three: Fleet, mounted: Path) -> None:
    """`rmdir` refused both, after the plan had counted them: each run failed, and so did the next."""
    plain = Demo(three.hosts, described).module()
    module = replace(plain, next_stage=retiring_last(plain.next_stage), virgin=lambda live: True)
    link = three.hosts[FIRST].files / "old"
    (three.hosts[FIRST].files / "elsewhere").mkdir()
    link.symlink_to(three.hosts[FIRST].files / "elsewhere")
    assert three.run(module).exit_code == ExitCode.GOOD
    again = three.run(module)
    assert (again.exit_code, again.plan.size) == (ExitCode.GOOD, 0)
    assert link.is_symlink()
    assert mounted.is_dir()
