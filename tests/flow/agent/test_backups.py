"""The agent's reading of an archive of Barman's: what is in it, what is missing, and what kbz has noted."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from keybuzz.transport.replies import shaped
from tasks.backup.agent.look import answer_backups
from tasks.backup.readings import BackupsAnswer

NO_CONTEXT: Any = None
"""The archive is read by files alone."""

INFO = """begin_time=2026-11-30 10:58:19.280076+00:00
begin_wal=000000010000000000000003
end_time=2026-11-30 10:58:24.769683+00:00
end_wal=000000010000000000000003
size=22602132
status=DONE
systemid=7713916959790098547
"""
ID = "20261130T105818"


class Archive:
    """A folder with what Barman writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.marks = root / "marks"
        self.folder = root / "keybuzz-pg"
        for folder in (self.marks, self.folder / "base", self.folder / "meta"):
            folder.mkdir(parents=True)

    def described(self, text: str = INFO, name: str = ID) -> None:
        (self.folder / "base" / name).mkdir()
        (self.folder / "meta" / f"{name}-backup.info").write_text(text)

    def wal(self, *names: str) -> None:
        for name in names:
            folder = self.folder / "wals" / name[:16]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"x")

    def read(self) -> BackupsAnswer:
        answer = answer_backups({"folder": str(self.folder), "marks": str(self.marks)}, NO_CONTEXT)
        shaped(answer, BackupsAnswer)  # as the controller takes it
        return answer  # type: ignore[return-value]  # proven the line before


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def segment(number: int, timeline: int = 1, log: int = 0) -> str:
    return f"{timeline:08X}{log:08X}{number:08X}"


def test_a_backup_is_told_as_barman_describes_it(archive: Archive) -> None:
    archive.described()
    archive.wal(segment(3), segment(4))
    found = archive.read()
    [backup] = found["backups"]
    assert (backup["id"], backup["status"], backup["size"]) == (ID, "DONE", 22602132)
    assert backup["system"] == "7713916959790098547"
    assert backup["end"] - backup["begin"] == pytest.approx(5.49, abs=0.01)
    assert backup["end"] == pytest.approx(1796036304.77, abs=0.01)
    assert (found["wals"], found["last_wal"], found["missing"]) == (2, segment(4), [])
    assert 0 < found["free"] <= found["total"]
    assert abs(found["now"] - time.time()) < 60


def test_the_place_of_older_barmans_is_read_too(archive: Archive) -> None:
    (archive.folder / "base" / ID).mkdir()
    (archive.folder / "base" / ID / "backup.info").write_text(INFO)
    assert archive.read()["backups"][0]["status"] == "DONE"


def test_a_backup_without_a_description_was_not_taken_whole(archive: Archive) -> None:
    (archive.folder / "base" / ID).mkdir()
    assert archive.read()["backups"][0]["status"] == "EMPTY"


def test_a_time_that_nothing_understands_is_none(archive: Archive) -> None:
    archive.described(INFO.replace("2026-11-30 10:58:24.769683+00:00", "yesterday"))
    assert archive.read()["backups"][0]["end"] == 0.0


def test_missing_wal_is_named_across_logs_and_a_failover_is_no_gap(archive: Archive) -> None:
    archive.described()
    archive.wal(segment(3), segment(5), segment(255), segment(1, log=1), segment(5, timeline=2))
    missing = archive.read()["missing"]
    assert missing[0] == segment(4)
    assert segment(6) in missing
    assert len(missing) == 20, "a long gap is told by its first names"


def test_the_end_of_a_log_is_followed_by_the_next(archive: Archive) -> None:
    archive.described(INFO.replace("000000010000000000000003", segment(254)))
    archive.wal(segment(254), segment(255), segment(0, log=1))
    assert archive.read()["missing"] == []
    archive.wal(segment(2, log=1))
    assert archive.read()["missing"] == [segment(1, log=1)]


def test_the_wal_that_the_oldest_backup_begins_with_is_missed(archive: Archive) -> None:
    archive.described()
    archive.wal(segment(4), segment(5))
    assert archive.read()["missing"] == [segment(3)]
    assert archive.read()["last_missing"] == segment(3)


def test_the_end_of_a_gap_is_told_however_long_it_is(archive: Archive) -> None:
    archive.described()
    archive.wal(segment(3), segment(200), segment(201, log=0x00FFFFFF))
    found = archive.read()
    assert found["missing"][0] == segment(4)
    assert len(found["missing"]) == 20
    assert found["last_missing"] == segment(200, log=0x00FFFFFF)


@pytest.mark.parametrize("first", [1, 3, 4, 5])
def test_another_timeline_begins_at_any_place_up_to_the_next_file(
    archive: Archive, first: int
) -> None:
    archive.described()
    archive.wal(segment(3), segment(4), segment(first, timeline=2))
    assert archive.read()["missing"] == []
    assert archive.read()["last_missing"] == ""


def test_a_gap_at_a_failover_that_goes_beyond_every_file_before_it_is_seen(
    archive: Archive,
) -> None:
    archive.described()
    archive.wal(segment(3), segment(4), segment(3, timeline=2), segment(7, timeline=3))
    found = archive.read()
    assert found["missing"] == [segment(5, timeline=2), segment(6, timeline=2)]
    assert found["last_missing"] == segment(6, timeline=2)


def test_when_the_newest_file_came_is_told(archive: Archive) -> None:
    archive.described()
    archive.wal(segment(3), segment(4))
    newest = archive.folder / "wals" / segment(4)[:16] / segment(4)
    os.utime(newest, (1_700_000_000, 1_700_000_000))
    assert archive.read()["last_wal_at"] == 1_700_000_000


def test_what_kbz_has_noted_is_told_with_its_time(archive: Archive) -> None:
    archive.described()
    (archive.marks / f"verified-{ID}").write_text("a checksum is wrong\n")
    (archive.marks / "restored").write_text("")
    found = archive.read()
    assert found["backups"][0]["wrong"] == "a checksum is wrong"
    assert abs(found["backups"][0]["verified"] - time.time()) < 60
    assert abs(found["restored"] - time.time()) < 60


def test_before_the_first_backup_there_is_only_room(tmp_path: Path) -> None:
    found = answer_backups(
        {"folder": str(tmp_path / "keybuzz-pg"), "marks": str(tmp_path / "marks")}, NO_CONTEXT
    )
    assert found["backups"] == []
    assert int(str(found["total"])) > 0
