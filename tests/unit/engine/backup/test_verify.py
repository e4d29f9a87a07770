"""What condemns a backup: that its files were found damaged, and no other end of the program that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.agent.runtime.frames import PREFIXES, bytes_frame, json_frame
from keybuzz.engine.backup.report import BackupReport
from keybuzz.engine.backup.take import verify
from keybuzz.model.core.outcome import ExitCode
from tests.unit.engine.memory.test_forgetful import workspace
from tests.unit.support.scripted_hosts import Json, Script, result_of, scripted
from tests.unit.tasks.backup.backup_world import HOST, STREAMING, archive, entry

CHECKSUM = 'pg_verifybackup: error: checksum mismatch for file "global/1262"'
NO_ROOM = "install: cannot create regular file: No space left on device"


class BackupHost:
    """backup-01, where the program that reads a backup ends as it is told; it remembers what was noted."""

    def __init__(
        self, code: int, said: str, *, timed_out: bool = False, full: bool = False
    ) -> None:
        self.code, self.said, self.timed_out, self.full = code, said, timed_out, full
        self.notes: list[str] = []

    def __call__(self, host: str, request: Json) -> Iterable[bytes]:
        if "id" not in request:
            return []  # its lease is given back
        number = request["id"]
        if request["op"] == "probe":
            answers = [self._answer(query["kind"]) for query in request["readings"]]
            return [
                json_frame({"id": number, "result": {**result_of(request), "answers": answers}})
            ]
        if request["op"] != "exec":
            return [json_frame({"id": number, "result": result_of(request)})]
        code, said, timed_out = self._ended(request)
        result = {"exit_code": code, "timed_out": timed_out}
        return [
            bytes_frame(PREFIXES["stderr"] + said.encode()),
            json_frame({"id": number, "result": result}),
        ]

    @staticmethod
    def _answer(kind: str) -> Json:
        return {"value": archive(entry(verified=0.0)) if kind == "backups" else STREAMING}

    def _ended(self, request: Json) -> tuple[int, str, bool]:
        if "pg_verifybackup" in request["argv"]:
            return self.code, self.said, self.timed_out
        if request["argv"][0] == "install":
            if self.full:
                return 1, NO_ROOM, False
            self.notes.append(request["stdin"])
        return 0, "", False


def verified(path: Path, host: BackupHost) -> BackupReport:
    made = workspace(path / "journal.sqlite")
    return verify(replace(made, nornir=scripted(Script({HOST: host}))), "postgres", "")


def test_a_whole_one_is_noted_without_a_word(tmp_path: Path) -> None:
    host = BackupHost(0, "")
    assert verified(tmp_path, host).code is ExitCode.GOOD
    assert host.notes == [""]


def test_damage_is_noted_as_the_program_says_it(tmp_path: Path) -> None:
    host = BackupHost(1, CHECKSUM)
    assert verified(tmp_path, host).code is ExitCode.FAILED
    [note] = host.notes
    assert CHECKSUM in note


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (125, "docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        (126, "docker: Error response from daemon: OCI runtime create failed"),
        (127, 'docker: Error response from daemon: exec: "pg_verifybackup": not found'),
        (137, CHECKSUM),
        (-9, ""),
        (1, "Cannot connect to the Docker daemon. Is the docker daemon running?"),
        (1, "out of memory"),
    ],
)
def test_any_other_end_fails_and_leaves_what_was_noted(
    tmp_path: Path, code: int, said: str
) -> None:
    host = BackupHost(code, said)
    report = verified(tmp_path, host)
    assert report.code is ExitCode.FAILED
    assert "was not judged" in report.problem
    assert said in report.problem
    assert host.notes == []


def test_so_does_the_end_of_its_time(tmp_path: Path) -> None:
    host = BackupHost(1, CHECKSUM, timed_out=True)
    assert "was not judged" in verified(tmp_path, host).problem
    assert host.notes == []


def test_a_good_one_that_cannot_be_noted_is_no_good_end(tmp_path: Path) -> None:
    report = verified(tmp_path, BackupHost(0, "", full=True))
    assert report.code is ExitCode.FAILED
    assert NO_ROOM in report.problem
