"""The schedules of drift and health: what is written, that nothing is written twice, and whether it works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.cli import main
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.schedule.placing import place, take_away
from keybuzz.engine.schedule.schedule import BACKUP, DRIFT, EVERY, HEALTH, Schedule, Watch, files
from keybuzz.engine.schedule.standing import ScheduleStatus, next_due
from keybuzz.engine.schedule.standing import schedule_status as status_of
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.outcome import Outcome
from keybuzz.report.text.schedule import status_text
from tests.unit.support.site_values import planted_configuration

CONFIG = Path("/srv/50% of $all/nornir_config.yaml")
SCHEDULE = Schedule(DRIFT, CONFIG, ("redis",), ("redis,!redis-03", "db-*"), "hourly", 120, 240)

each_watch = pytest.mark.parametrize("watch", [DRIFT, HEALTH], ids=["drift", "health"])


def schedule_status(journal: Journal, into: Path, now: float) -> ScheduleStatus:
    return status_of(DRIFT, journal, into, now)


@pytest.fixture(autouse=True)
def london() -> Iterator[None]:
    """The time of day is this machine's own: here, one that has a summer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/London")
        time.tzset()
        yield
    time.tzset()


def below(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_line_of_cron_is_the_command_as_it_was_meant() -> None:
    [(path, text)] = files(SCHEDULE, "cron").items()
    assert path == DRIFT.cron
    assert text.endswith("\n")
    line = text.splitlines()[-1]
    times, rest = line.split(" root ", 1)
    assert times == "0 * * * *"
    # What cron does with the line: an escaped % is a %, and the shell splits it.
    words = shlex.split(rest.replace("\\%", "%"))
    assert "%" not in rest.replace("\\%", "")
    assert words[:4] == ["timeout", "-k", "10", "420"]
    assert words[words.index("--config") + 1] == str(CONFIG)
    assert words[words.index("drift") :] == [
        *("drift", "look", "redis", "--limit", "redis,!redis-03", "--limit", "db-*"),
        *("--deadline", "240", "--only-new", "--jitter", "120"),
    ]


def test_the_units_say_deadline_jitter_and_that_findings_are_no_failure() -> None:
    units = files(SCHEDULE, "systemd")
    assert set(units) == {DRIFT.service, DRIFT.timer, DRIFT.failed}
    assert "\nOnFailure=kbz-drift-failed.service\n" in units[DRIFT.service]
    [told] = re.findall(r"^ExecStart=(.*)$", units[DRIFT.failed], re.MULTILINE)
    assert told.endswith(" notify failed kbz-drift.service")
    service, timer = units[DRIFT.service], units[DRIFT.timer]
    assert "TimeoutStartSec=300\n" in service
    assert "SuccessExitStatus=2 3 4\n" in service
    assert '--config "/srv/50%% of $$all/nornir_config.yaml" drift look redis' in service
    assert "--deadline 240 --only-new\n" in service
    assert "RandomizedDelaySec=120\n" in timer
    assert "Persistent=true\n" in timer


@each_watch
def test_systemd_reads_the_units_as_they_are(tmp_path: Path, watch: Watch) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    script = tmp_path / "50% of $all" / "nornir_config.yaml"
    script.parent.mkdir()
    list(place(Schedule(watch, script, (), (), "daily", 0, 60), "systemd", tmp_path))
    folder = tmp_path / watch.service.parent
    done = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            str(folder / watch.service.name),
            str(folder / watch.timer.name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if f"kbz-{watch.verb}" in line]
    assert ours == []


@pytest.mark.parametrize("every", EVERY)
def test_both_programs_mean_the_same_moments(every: str) -> None:
    """systemd's own reading of the calendar, and ours of the table."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    base = "2027-01-15 10:07:00"
    done = subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={base}", EVERY[every].calendar],
        capture_output=True,
        text=True,
        check=True,
    )
    [found] = re.findall(r"Next elapse: \w+ (\S+ \S+)", done.stdout)
    now = time.mktime(time.strptime(base, "%Y-%m-%d %H:%M:%S"))
    due = next_due(EVERY[every], now)
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(due)) == found


@pytest.mark.parametrize("day", ["2027-03-27", "2027-10-30"])
def test_a_run_is_due_by_the_clock_also_when_the_clock_is_changed(
    day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        now = time.mktime(time.strptime(f"{day} 22:00", "%Y-%m-%d %H:%M"))
        due = time.strftime("%H:%M", time.localtime(next_due(EVERY["daily"], now)))
    time.tzset()
    assert due == "03:00"


def test_it_is_written_once_and_the_other_program_gives_way(tmp_path: Path) -> None:
    assert [line.rpartition(" is ")[2] for line in place(SCHEDULE, "cron", tmp_path)] == ["written"]
    before = (tmp_path / DRIFT.cron).stat()
    assert [line.rpartition(" is ")[2] for line in place(SCHEDULE, "cron", tmp_path)] == [
        "as wanted"
    ]
    assert (tmp_path / DRIFT.cron).stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o644
    list(place(SCHEDULE, "systemd", tmp_path))
    assert set(below(tmp_path)) == {
        str(path) for path in (DRIFT.service, DRIFT.timer, DRIFT.failed)
    }
    list(place(SCHEDULE, "cron", tmp_path))
    assert set(below(tmp_path)) == {str(DRIFT.cron)}
    assert list(take_away(DRIFT, tmp_path)) == [f"{tmp_path / DRIFT.cron} is gone"]
    assert below(tmp_path) == {}
    assert list(take_away(DRIFT, tmp_path)) == ["nothing is scheduled"]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state" / "journal.sqlite")


def ran(journal: Journal, started: float, code: int | None) -> int:
    return ran_as(journal, shlex.join(["kbz", *SCHEDULE.words("cron")]), started, code)


def ran_as(journal: Journal, line: str, started: float, code: int | None) -> int:
    number = journal.begin("drift", (line,), ("base",), started, Path("/"))
    if code is not None:
        journal.end(number, started + 5, code, {}, "", "skipped: x" if code == 3 else "")
    return number


def written_at(folder: Path, moment: float) -> None:
    list(place(SCHEDULE, "cron", folder))
    os.utime(folder / DRIFT.cron, (moment, moment))


def test_status_of_nothing(journal: Journal, tmp_path: Path) -> None:
    found = schedule_status(journal, tmp_path, 1e9)
    assert not found.good
    assert status_text(found) == "scheduled  no → kbz drift install\nlast run   never"


def test_status_tells_the_last_run_from_the_last_that_looked(
    journal: Journal, tmp_path: Path
) -> None:
    now = 1.7e9
    written_at(tmp_path, now - 86400)
    looked = ran(journal, now - 1800, 0)
    skipped = ran(journal, now - 600, 3)
    found = schedule_status(journal, tmp_path, now)
    assert found.good
    assert (found.program, found.every, found.since) == ("cron", "hourly", now - 86400)
    text = status_text(found)
    assert re.search(rf"last run   run {skipped}, .*, exit 3, skipped\n", text)
    assert re.search(rf"last look  run {looked}, .*, exit 0\n", text)
    assert "next run   2023-11-14 23:00:00" in text
    cut = ran(journal, now - 300, None)
    journal_text = status_text(schedule_status(journal, tmp_path, now))
    assert f"run {cut}, " in journal_text
    assert "at work" in journal_text


@pytest.mark.parametrize(("hours", "good"), [(2.0, True), (2.2, False)])
def test_a_schedule_that_has_not_looked_for_twice_its_time_is_overdue(
    journal: Journal, tmp_path: Path, hours: float, good: bool
) -> None:
    now = 1.7e9
    written_at(tmp_path, now - 86400)
    ran(journal, now - hours * 3600, 2)
    ran(journal, now - 60, 3)  # it did not look
    found = schedule_status(journal, tmp_path, now)
    assert (found.good, "overdue" in status_text(found)) == (good, not good)


def test_a_run_by_hand_is_not_one_of_the_schedule(journal: Journal, tmp_path: Path) -> None:
    written_at(tmp_path, 1.7e9 - 86400)
    ran_as(journal, "kbz drift redis --limit redis-01", 1.7e9 - 60, 0)
    found = schedule_status(journal, tmp_path, 1.7e9)
    assert found.overdue
    assert found.last is None


@pytest.mark.parametrize("program", ["systemd", "cron"])
def test_no_word_can_add_a_line(program: str) -> None:
    with pytest.raises(UsageError, match="line break"):
        files(replace(SCHEDULE, limit=("a\nExecStart=/bin/evil",)), program)


def test_a_new_schedule_has_time_for_its_first_run(journal: Journal, tmp_path: Path) -> None:
    written_at(tmp_path, 1.7e9 - 60)
    assert schedule_status(journal, tmp_path, 1.7e9).good


def kbz(folder: Path, *words: str) -> int:
    return main._main(["--config", str(folder / "nornir_config.yaml"), *words])


@each_watch
def test_the_verbs(tmp_path: Path, capsys: pytest.CaptureFixture[str], watch: Watch) -> None:
    planted_configuration(tmp_path)
    into = tmp_path / "root"
    words = ("redis", "--limit", "redis-01", "--by", "cron", "--every", "6h", "--into", str(into))
    assert kbz(tmp_path, watch.verb, "install", *words, "--show") == 0
    shown = capsys.readouterr().out
    assert below(into) == {}
    assert kbz(tmp_path, watch.verb, "install", *words) == 0
    assert capsys.readouterr().out == f"{into / watch.cron} is written\n"
    assert shown == f"{into / watch.cron}:\n{below(into)[str(watch.cron)]}\n"
    line = below(into)[str(watch.cron)].splitlines()[-1]
    assert line.startswith("0 */6 * * * root timeout ")
    assert shlex.quote(str(tmp_path / "nornir_config.yaml")) in line
    assert Path(sys.executable).parent.as_posix() in line
    assert kbz(tmp_path, watch.verb, "status", "--into", str(into)) == 0
    assert "scheduled  6h by cron, since " in capsys.readouterr().out
    assert kbz(tmp_path, watch.verb, "uninstall", "--into", str(into)) == 0
    assert below(into) == {}
    assert kbz(tmp_path, watch.verb, "status", "--into", str(into)) == 2


def test_backups_are_taken_on_a_schedule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted_configuration(tmp_path)
    into = tmp_path / "root"
    assert kbz(tmp_path, "backup", "install", "--by", "systemd", "--into", str(into)) == 0
    units = below(into)
    service = units[str(BACKUP.service)]
    assert service.splitlines()[1].endswith(" backup run all --only-bad")
    assert "SuccessExitStatus" not in service, "a backup that failed is a failure of the unit"
    assert "OnFailure=kbz-backup-failed.service\n" in service
    assert f"TimeoutStartSec={12 * 3600 + 60}\n" in service
    assert "OnCalendar=*-*-* 03:00\n" in units[str(BACKUP.timer)]
    assert kbz(tmp_path, "backup", "install", "--by", "cron", "--into", str(into)) == 0
    [line] = [line for line in below(into)[str(BACKUP.cron)].splitlines() if " root " in line]
    assert line.endswith(" backup run all --only-bad --jitter 7200")
    assert kbz(tmp_path, "backup", "uninstall", "--into", str(into)) == 0
    assert below(into) == {}
    assert "kbz-backup is gone" in capsys.readouterr().out


def test_a_module_that_does_not_exist_is_not_scheduled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted_configuration(tmp_path)
    assert kbz(tmp_path, "drift", "install", "reddis", "--into", str(tmp_path / "root")) == 64
    assert "did you mean redis" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_two_schedules_are_two(tmp_path: Path) -> None:
    list(place(SCHEDULE, "cron", tmp_path))
    list(place(replace(SCHEDULE, watch=HEALTH), "systemd", tmp_path))
    units = (HEALTH.service, HEALTH.timer, HEALTH.failed)
    assert set(below(tmp_path)) == {str(path) for path in (DRIFT.cron, *units)}
    list(take_away(HEALTH, tmp_path))
    assert set(below(tmp_path)) == {str(DRIFT.cron)}


def test_the_status_of_health_counts_the_hosts_that_are_not_well(
    journal: Journal, tmp_path: Path
) -> None:
    schedule = replace(SCHEDULE, watch=HEALTH)
    list(place(schedule, "cron", tmp_path))
    line = shlex.join(["kbz", *schedule.words("cron")])
    number = journal.begin("health", (line,), ("base",), 1.7e9, Path("/"))
    ends = {"redis-01": Outcome.OK, "redis-02": Outcome.FAILED, "redis-03": Outcome.UNKNOWN}
    hosts = {host: HostRecord(host, outcome, 0, "") for host, outcome in ends.items()}
    journal.end(number, 1.7e9 + 5, 2, hosts, "", "")
    found = status_of(HEALTH, journal, tmp_path, 1.7e9 + 60)
    assert (found.present, found.last_look) == (2, journal.run(number))
    assert status_of(DRIFT, journal, tmp_path, 1.7e9 + 60).last is None


def told(folder: Path, printed: str, result: str, *, mail: bool = True) -> str:
    """Return what is mailed when the unit has ended: its own line, in a real shell, with the programs it calls."""
    unit = files(replace(SCHEDULE, watch=HEALTH), "systemd")[HEALTH.service]
    [line] = re.findall(r'^ExecStopPost=-/bin/sh -c "(.*)"$', unit, re.MULTILINE)
    # What systemd does with it: quotes and backslashes, then % and $.
    line = re.sub(r"\\(.)", r"\1", line).replace("%%", "%").replace("$$", "$")
    (folder / "printed").write_text(printed)
    (folder / "mail").unlink(missing_ok=True)
    programs = {
        "journalctl": f'case "$*" in *_SYSTEMD_INVOCATION_ID=cafe*) cat {folder}/printed;; esac',
        "hostname": "echo install-01",
        "sendmail": f'[ "$*" = "-i -t" ] && cat > {folder}/mail',
    }
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    if not mail:
        (folder / "sendmail").unlink()
    for name in ("sh", "cat"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(f"/bin/{name}")
    environment = {
        "PATH": str(folder),
        "INVOCATION_ID": "cafe",
        "SERVICE_RESULT": result,
        "EXIT_STATUS": "1",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return (folder / "mail").read_text() if (folder / "mail").exists() else ""


def test_under_systemd_what_was_printed_is_mailed_as_cron_does(tmp_path: Path) -> None:
    said = "  new    critical redis.quorum: 1 of 3 `rm -rf /` $(id) 100%"
    assert told(tmp_path, f"{said}\n", "success") == (
        f"To: root\nSubject: kbz health on install-01\n\n{said}\n"
    )
    assert told(tmp_path, "", "success") == ""
    ended = told(tmp_path, "", "timeout")
    assert "kbz health could not look: timeout, exit 1\n" in ended
    assert told(tmp_path, f"{said}\n", "success", mail=False) == ""
