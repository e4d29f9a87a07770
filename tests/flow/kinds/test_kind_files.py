"""Directories, links and files: made, changed, left alone, and never half way."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action
from keybuzz.model.host.files import Absent, Directory, File, HostValidator, Symlink, UnitReload
from tests.flow.support.agent_host import OneHost, one_host
from tests.flow.support.inotify import watching
from tests.flow.support.sshd import until

NEW, OLD = "answer = 42\n", "answer = 41\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHost]:
    with one_host(tmp_path_factory.mktemp("hosts")) as host:
        yield host


@pytest.fixture
def host(running: OneHost) -> OneHost:
    """The host with nothing on it."""
    running.clear()
    return running


def a_file(host: OneHost, text: str = NEW, **more: Any) -> File:
    return File(str(host.files / "app.conf"), Content.plain(text), **more)


def look(path: Path | str) -> tuple[int, int, str]:
    status = os.lstat(path)
    return status.st_uid, status.st_gid, f"{stat.S_IMODE(status.st_mode):04o}"


def names(host: OneHost) -> list[str]:
    return sorted(path.name for path in host.files.iterdir())


def test_a_directory_is_made_repaired_and_then_left_alone(host: OneHost) -> None:
    path = host.files / "data" / "inner"
    wanted = Directory(str(path), 999, 998, 0o700)
    assert host.plan(wanted)[0].action is Action.CREATE
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert look(path) == (999, 998, "0700")
    assert look(path.parent) == (0, 0, "0755")
    (path / "kept").write_text("by the application")
    path.chmod(0o777)
    assert [d.attribute for d in host.plan(wanted)[0].differences] == ["mode"]
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert look(path) == (999, 998, "0700")
    assert (path / "kept").read_text() == "by the application"
    assert host.converge(wanted) == []


def test_a_file_where_a_directory_must_be_is_not_removed(host: OneHost) -> None:
    path = host.files / "data"
    path.write_text("precious")
    (change,) = host.plan(Directory(str(path)))
    assert (change.action, change.reason) == (Action.LATER, f"{path} is not a directory")
    assert path.read_text() == "precious"


def test_a_link_is_made_turned_and_then_left_alone(host: OneHost) -> None:
    path = host.files / "current"
    for target in ("releases/1", "releases/2"):
        wanted = Symlink(str(path), target)
        assert host.converge(wanted) == [Outcome.CHANGED]
        assert str(path.readlink()) == target
        assert host.converge(wanted) == []
    assert names(host) == ["current"]


def test_a_directory_is_not_replaced_by_a_link(host: OneHost) -> None:
    path = host.files / "current"
    path.mkdir()
    assert host.only(Symlink(str(path), "elsewhere")).outcome is Outcome.FAILED
    assert names(host) == ["current"]
    assert path.is_dir()


def test_what_must_be_absent_is_removed_but_never_a_directory(host: OneHost) -> None:
    path = host.files / "old.conf"
    wanted = Absent(str(path))
    assert host.converge(wanted) == []
    path.symlink_to("nowhere")
    assert host.converge(wanted) == [Outcome.CHANGED]
    assert names(host) == []
    path.mkdir()
    result = host.only(wanted)
    assert (result.outcome, path.is_dir()) == (Outcome.FAILED, True)
    assert "kbz removes no directories" in result.what


def test_a_file_is_made_changed_and_then_left_alone(host: OneHost) -> None:
    old, new = a_file(host, OLD, owner=7, mode=0o640), a_file(host, NEW, owner=7, mode=0o640)
    path = Path(new.path)
    assert host.converge(old) == [Outcome.CHANGED]
    assert (path.read_text(), look(path)) == (OLD, (7, 0, "0640"))
    assert host.converge(new) == [Outcome.CHANGED]
    assert (path.read_text(), look(path)) == (NEW, (7, 0, "0640"))
    unchanged = path.stat()
    assert host.converge(new) == []
    assert path.stat() == unchanged
    assert names(host) == ["app.conf"]


def test_the_version_before_is_kept_with_its_owner_and_mode(host: OneHost) -> None:
    host.converge(a_file(host, OLD, owner=7, mode=0o600))
    host.converge(a_file(host, NEW, owner=7, mode=0o600))
    kept = host.scratch.previous(Path(a_file(host).path))
    assert (kept.read_text(), look(kept)) == (OLD, (7, 0, "0600"))
    assert look(host.scratch.root / "var-lib/kbz/previous") == (0, 0, "0700")


def test_owner_and_mode_are_set_before_any_content(host: OneHost) -> None:
    seen = host.files.parent / "seen"
    validator = HostValidator(("sh", "-c", f"stat -c '%u %g %a %s' {{}} > {seen}"))
    with watching(host.files) as watch:
        host.converge(a_file(host, owner=7, group=8, mode=0o600, validator=validator))
        events = watch.events(".app.conf.kbz-new")
    assert events == ["made", "attributes", "modified", "moved from"]
    assert seen.read_text() == f"7 8 600 {len(NEW)}\n"


def test_a_change_replaces_the_file_in_one_step(host: OneHost) -> None:
    host.converge(a_file(host, OLD))
    with watching(host.files) as watch:
        host.converge(a_file(host, NEW))
        assert watch.events("app.conf") == ["moved to"]


def test_a_validator_that_refuses_leaves_the_old_file(host: OneHost) -> None:
    log = host.scratch.log_calls("systemctl")
    host.converge(a_file(host, OLD))
    before = os.lstat(a_file(host).path)
    refuse = HostValidator(
        ("sh", "-c", f"cmp {{}} {a_file(host).path}; echo line 1 is odd; exit 1")
    )
    result = host.only(a_file(host, validator=refuse, reload=UnitReload("app.service")))
    assert result.outcome is Outcome.FAILED
    assert "line 1 is odd" in result.what
    assert result.hint == "the file in place was not touched"
    assert Path(a_file(host).path).read_text() == OLD
    assert os.lstat(a_file(host).path) == before
    assert names(host) == ["app.conf"]
    assert log.read_text() == ""


def test_a_lost_controller_leaves_the_old_file_and_nothing_beside_it(host: OneHost) -> None:
    host.converge(a_file(host, OLD))
    hang = HostValidator(("sh", "-c", "exec sleep 300 # {}"))
    changes = host.plan(a_file(host, validator=hang))
    applying = threading.Thread(target=host.apply, args=changes)
    applying.start()
    until(lambda: names(host) == [".app.conf.kbz-new", "app.conf"], "the validator to run")
    host.session.close()
    applying.join(15)
    assert not applying.is_alive()
    until(lambda: names(host) == ["app.conf"], "the temporary file to go")
    assert Path(a_file(host).path).read_text() == OLD


def test_an_empty_directory_that_docker_made_becomes_the_file(host: OneHost) -> None:
    path = Path(a_file(host).path)
    path.mkdir()
    (change,) = host.plan(a_file(host))
    assert change.differences[0].observed == "(a directory)"
    assert host.converge(a_file(host)) == [Outcome.CHANGED]
    assert path.read_text() == NEW
    assert host.converge(a_file(host)) == []


def test_a_directory_with_something_in_it_is_left_alone(host: OneHost) -> None:
    path = Path(a_file(host).path)
    path.mkdir()
    (path / "precious").write_text("data")
    result = host.only(a_file(host))
    assert result.outcome is Outcome.FAILED
    assert "is a directory with something in it" in result.what
    assert (path / "precious").read_text() == "data"


def test_a_file_that_moved_since_the_plan_is_refused(host: OneHost) -> None:
    host.converge(a_file(host, OLD))
    changes = host.plan(a_file(host))
    Path(a_file(host).path).write_text("by hand\n")
    (result,) = host.apply(*changes)
    assert result.outcome is Outcome.REFUSED
    assert "has moved since the plan was made (digest)" in result.what
    assert Path(a_file(host).path).read_text() == "by hand\n"
    assert names(host) == ["app.conf"]


def test_a_file_that_came_since_the_plan_is_refused(host: OneHost) -> None:
    changes = host.plan(a_file(host))
    Path(a_file(host).path).write_text("by hand\n")
    (result,) = host.apply(*changes)
    assert (result.outcome, "existence" in result.what) == (Outcome.REFUSED, True)
    assert Path(a_file(host).path).read_text() == "by hand\n"


def test_what_somebody_else_did_already_is_fine(host: OneHost) -> None:
    changes = host.plan(a_file(host))
    host.converge(a_file(host))
    assert [result.outcome for result in host.apply(*changes)] == [Outcome.OK]


def test_the_first_step_that_fails_stops_those_after_it(host: OneHost) -> None:
    path = Path(a_file(host).path)
    blocked, after = Symlink(str(path), "target"), Directory(str(host.files / "after"))
    changes = host.plan(Directory(str(host.files / "before")), blocked, after)
    path.mkdir()
    results = host.apply(*changes)
    outcomes = [Outcome.CHANGED, Outcome.REFUSED, Outcome.SKIPPED]
    assert [result.outcome for result in results] == outcomes
    assert names(host) == ["app.conf", "before"]
