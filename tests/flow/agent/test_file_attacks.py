"""Somebody else may write in the folder of a file: what he puts there is never followed, and never blocks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.host.files import Directory, File, UnitReload
from tests.flow.support.agent_host import OneHost, one_host

NEW = "answer = 42\n"
PRECIOUS = "root:precious\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OneHost]:
    with one_host(tmp_path) as host:
        host.scratch.install("systemctl", "exit 0")
        yield host


@pytest.fixture
def victim(host: OneHost) -> Path:
    """A file outside of everything that kbz describes."""
    path = host.files.parent / "victim"
    path.write_text(PRECIOUS)
    path.chmod(0o600)
    return path


def a_file(host: OneHost, **more: Any) -> File:
    return File(str(host.files / "app.conf"), Content.plain(NEW), **more)


def test_a_link_in_place_of_the_file_is_replaced_and_its_target_neither_read_nor_written(
    host: OneHost, victim: Path
) -> None:
    path = Path(a_file(host).path)
    path.symlink_to(victim)
    (change,) = host.plan(a_file(host))
    assert change.differences[0].observed == "(a link)"
    assert "precious" not in change.diff
    assert host.converge(a_file(host)) == [Outcome.CHANGED]
    assert not path.is_symlink()
    assert path.read_text() == NEW
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == (PRECIOUS, 0o600)
    assert not host.scratch.previous(path).exists()
    assert host.converge(a_file(host)) == []


@pytest.mark.parametrize("word", ["new", "pending"])
def test_a_link_in_place_of_our_own_files_is_not_followed(
    host: OneHost, victim: Path, word: str
) -> None:
    beside = host.files / f".app.conf.kbz-{word}"
    nowhere = host.files.parent / "nowhere"
    for target in (victim, nowhere):
        Path(a_file(host).path).unlink(missing_ok=True)
        beside.symlink_to(target)
        wanted = a_file(host, reload=UnitReload("app.service"))
        assert host.converge(wanted) == [Outcome.CHANGED]
        assert not os.path.lexists(beside)
        assert host.converge(wanted) == []
    assert victim.read_text() == PRECIOUS
    assert not nowhere.exists()


def test_a_link_in_place_of_a_directory_is_not_followed(host: OneHost) -> None:
    other = host.files.parent / "other"
    other.mkdir(mode=0o700)
    path = host.files / "data"
    changes = host.plan(Directory(str(path), 999, 999, 0o777))
    path.symlink_to(other)
    (result,) = host.apply(*changes)
    assert result.outcome is Outcome.FAILED
    assert (other.stat().st_mode & 0o777, other.stat().st_uid) == (0o700, 0)
    assert path.is_symlink()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_file_is_neither_opened_nor_replaced(host: OneHost, kind: str) -> None:
    path = Path(a_file(host).path)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    before = path.lstat().st_ino
    (change,) = host.plan(a_file(host))
    assert change.differences[0].observed == "(a pipe, socket or device)"
    result = host.only(a_file(host))
    assert result.outcome is Outcome.FAILED
    assert "must be a file and is a pipe, socket or device" in result.what
    assert path.lstat().st_ino == before


def test_a_name_with_everything_in_it_is_only_a_name(host: OneHost) -> None:
    path = host.files / "a b'\"$(touch x);*\n\\é"
    wanted = File(str(path / "app.conf"), Content.plain(NEW))
    assert host.converge(Directory(str(path)), wanted) == [Outcome.CHANGED] * 2
    assert (path / "app.conf").read_text() == NEW
    assert [item.name for item in host.files.iterdir()] == [path.name]
    assert host.converge(Directory(str(path)), wanted) == []
