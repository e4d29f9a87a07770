"""The steps of a restore that are scripts, run by a real shell: whose data is in the way, and what is begun again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.backup.placing import AGAIN_SCRIPT, AWAY_SCRIPT, FREE_SCRIPT
from tasks.backup.postgres.restored import LAST_WAL_SCRIPT, OPENED_SCRIPT

PARTIAL, WHOLE = "000000010000000000000004.partial", "000000010000000000000004"


class Place:
    """A target of a restore, and a Docker that knows one container or none."""

    def __init__(self, root: Path) -> None:
        self.target = root / "postgres"
        self.begun, self.done = root / "postgres.begun", root / "postgres.done"
        self._programs = root / "bin"
        self.calls = root / "calls"
        self.docker("exit 1")

    def docker(self, script: str) -> None:
        self._programs.mkdir(exist_ok=True)
        program = self._programs / "docker"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self.calls}\n{script}\n')
        program.chmod(0o755)

    def run(self, script: str, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script, "sh", *map(str, words)],
            env={"PATH": f"{self._programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def free(self) -> subprocess.CompletedProcess[str]:
        return self.run(FREE_SCRIPT, self.target, self.begun, self.done, "restored")

    def again(self) -> subprocess.CompletedProcess[str]:
        return self.run(AGAIN_SCRIPT, self.target, self.begun, self.done, "restored")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_empty_place_is_free(place: Place) -> None:
    assert place.free().returncode == 0


def test_data_of_anybody_else_is_in_the_way_and_is_named(place: Place) -> None:
    place.target.mkdir()
    done = place.free()
    assert done.returncode == 1
    assert f"{place.target} is there, and is no restore of kbz" in done.stdout


def test_a_container_of_that_name_is_in_the_way(place: Place) -> None:
    place.docker("exit 0")
    done = place.free()
    assert done.returncode == 1
    assert "a container restored is there" in done.stdout


def test_what_was_begun_is_free_and_what_is_complete_is_not(place: Place) -> None:
    place.target.mkdir()
    place.begun.touch()
    place.docker("exit 0")
    assert place.free().returncode == 0
    place.begun.rename(place.done)
    done = place.free()
    assert done.returncode == 1
    assert "a restored server is there since 20" in done.stdout


def test_the_mark_of_a_restore_that_was_taken_away_is_in_the_way_of_nothing(place: Place) -> None:
    place.done.touch()
    assert place.free().returncode == 0
    assert place.done.exists(), "looking never writes"
    place.docker("exit 0")
    assert place.free().returncode == 1, "its container is still there"
    place.docker("exit 1")
    place.target.mkdir()
    assert place.free().returncode == 1, "its folder is still there"


def test_a_restore_that_is_cut_off_after_one_that_was_taken_away_is_begun_again(
    place: Place,
) -> None:
    place.done.touch()
    assert place.again().returncode == 0
    assert (place.begun.exists(), place.done.exists()) == (True, False)
    place.target.mkdir()
    assert place.free().returncode == 0


def test_a_complete_restore_keeps_its_mark(place: Place) -> None:
    place.target.mkdir()
    place.done.touch()
    assert place.again().returncode == 0
    assert place.done.exists()
    assert place.target.exists()


def test_only_what_a_restore_began_is_taken_away_before_it_begins_again(place: Place) -> None:
    place.target.mkdir()
    (place.target / "PG_VERSION").touch()
    place.begun.touch()
    assert place.again().returncode == 0
    assert not place.target.exists()
    assert place.begun.exists()
    assert place.calls.read_text() == "rm --force --volumes restored\n"


def test_what_a_drill_left_is_taken_away_and_a_container_that_stays_is_told(place: Place) -> None:
    words = (place.target, place.begun, place.done, "drilled")
    place.target.mkdir()
    place.begun.touch()
    place.docker("exit 0")
    done = place.run(AWAY_SCRIPT, *words)
    assert done.returncode == 1
    assert "the container drilled does not go" in done.stdout
    assert place.target.exists()
    place.docker("exit 1")
    for _ in range(2):
        assert place.run(AWAY_SCRIPT, *words).returncode == 0
    assert not place.target.exists()
    assert not place.begun.exists()


def test_without_the_mark_of_its_beginning_nothing_is_taken_away(place: Place) -> None:
    place.target.mkdir()
    assert place.again().returncode == 0
    assert place.target.exists()
    assert not place.calls.exists()


def test_the_wal_that_is_still_received_is_added_and_a_whole_file_is_never_replaced(
    place: Place, tmp_path: Path
) -> None:
    archive, wal = tmp_path / "archive", place.target / "barman_wal"
    for folder in (archive / "streaming", archive / "wals", wal):
        folder.mkdir(parents=True)
    assert place.run(LAST_WAL_SCRIPT, archive, place.target).returncode == 0, "there may be none"
    (archive / "streaming" / PARTIAL).write_text("half")
    (archive / "wals" / "00000002.history").write_text("1 0/5000000")
    assert place.run(LAST_WAL_SCRIPT, archive, place.target).returncode == 0
    assert (wal / WHOLE).read_text() == "half"
    assert (wal / "00000002.history").read_text() == "1 0/5000000"
    (wal / WHOLE).write_text("whole")
    assert place.run(LAST_WAL_SCRIPT, archive, place.target).returncode == 0
    assert (wal / WHOLE).read_text() == "whole"


def test_a_server_that_ended_is_told_with_its_own_reason(place: Place) -> None:
    place.docker(
        'case "$1" in inspect) echo false;; logs) echo "LOG: x"; echo "FATAL: recovery ended"; esac'
    )
    done = place.run(OPENED_SCRIPT, "restored", "/run", "kb_admin")
    assert (done.returncode, done.stdout) == (1, "FATAL: recovery ended\n")


def test_a_server_that_has_replayed_everything_is_open(place: Place) -> None:
    place.docker('case "$1" in inspect) echo true;; exec) echo t;; esac')
    assert place.run(OPENED_SCRIPT, "restored", "/run", "kb_admin").returncode == 0
