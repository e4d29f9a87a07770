"""backup-01: what is described, in which order it is made, and what its checks say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.files import File
from tasks.backup import MODULE, values
from tasks.backup.desired import ARCHIVE, SLOT_STATE, SOURCE
from tasks.backup.postgres.archive import POSTGRES
from tasks.backup.rollout import not_streaming
from tasks.patroni.agent import postgres
from tasks.patroni.service.resources import BACKUP_FUNCTIONS, BACKUP_ROLES
from tests.unit.support.site_values import PLANTED, described, memory_site, with_secrets
from tests.unit.tasks.backup.backup_world import (
    DAY,
    HOST,
    HOUR,
    NOW,
    SLOT_ID,
    STREAMING,
    SYSTEM,
    UNIT_ID,
    archive,
    entry,
    good,
    healthy,
    live,
)

SIX = str(6 << 30)
NO_SLOT = {**STREAMING, "row": [SYSTEM, "none", "none", "-1", "true", "10240"]}
GAP = "000000010000000000000007"
PASSFILE_ID = f"file:{values.PASSFILE}"
UNREAD = {**STREAMING, "row": [SYSTEM, "false", "reserved", "0", "true", "10240"]}
NO_RIGHTS = {**STREAMING, "row": [SYSTEM, "true", "reserved", "0", "false", "10240"]}


def told(check: str, found: Live) -> Finding:
    (finding,) = [finding for finding in MODULE.checks(found) if finding.check == check]
    return finding


def text_of(path: str, **secrets: str) -> Content:
    known = described(with_secrets(memory_site(), secrets), MODULE)[HOST].modules["backup"]
    (file,) = [r for r in known.resources if isinstance(r, File) and r.path == path]
    return file.text


def test_barman_streams_from_the_official_endpoint_and_its_file_holds_no_password() -> None:
    assert set(described(memory_site(), MODULE)) == {HOST}
    text = text_of(values.BARMAN_CONF).reveal()
    assert "[keybuzz-pg]" in text
    assert "host=10.0.0.10 port=5432 user=kb_repl" in text
    assert "slot_name = kbz_backup" in text
    assert "RECOVERY WINDOW OF 14 DAYS" in text
    assert PLANTED not in text


def test_a_password_with_a_colon_is_one_field_of_libpqs_file() -> None:
    line = text_of(values.PASSFILE, POSTGRES_REPL_PASS="a:b\\c-and-more-of-it").reveal()
    assert line == "10.0.0.10:5432:*:kb_repl:a\\:b\\\\c-and-more-of-it\n"
    assert "b\\" not in str(text_of(values.PASSFILE, POSTGRES_REPL_PASS="a:b\\c-and-more-of-it"))


def test_the_daily_backup_is_what_the_verb_runs_and_its_timer_changes_with_it() -> None:
    daily = text_of(values.DAILY_FILE).reveal()
    for work in POSTGRES.take(memory_site(), {}, "image:1"):
        assert f"ExecStart=/usr/bin/{' '.join(work.argv)}\n" in daily
    site, other = memory_site(), with_secrets(memory_site(), {"PATRONI_CLUSTER_NAME": "other-pg"})
    assert "OnCalendar=*-*-* 03:00:00" in values.timer_text(site)
    assert values.timer_text(site) != values.timer_text(other)


def test_nothing_is_left_to_do_in_health() -> None:
    assert MODULE.next_stage(healthy()) is None
    assert {finding.level for finding in MODULE.checks(healthy())} == {Level.OK}
    assert len(MODULE.checks(healthy())) == len(MODULE.check_infos)


def test_the_slot_is_there_before_the_receiver_begins() -> None:
    stage = MODULE.next_stage(live(source=NO_SLOT, states={}))
    assert stage is not None
    assert stage.after is not None
    names = {change.identity for change in stage.changes}
    assert SLOT_ID in names
    assert UNIT_ID not in names
    assert stage.after.reason(live(source=NO_SLOT)) == "the leader has no such slot yet"
    assert stage.after.reason(live(source=UNREAD)) is None
    rest = {name: state for name, state in good().items() if name != UNIT_ID}
    stage = MODULE.next_stage(live(source=UNREAD, states=rest))
    assert stage is not None
    assert stage.after is not None
    assert [change.identity for change in stage.changes] == [UNIT_ID]
    assert stage.after.reason(live(source=UNREAD)) == "nothing reads the slot yet"
    assert stage.after.reason(healthy()) is None


def test_why_the_endpoint_cannot_be_asked_is_told_while_it_is_waited_for() -> None:
    silent = live(source=Answer(SOURCE, problem="timed out"))
    stage = MODULE.next_stage(live(source=NO_SLOT, states={}))
    assert stage is not None
    assert stage.after is not None
    assert stage.after.reason(silent) == f"{HOST}: timed out"
    assert not_streaming(silent) == f"{HOST}: timed out"


def test_only_hosts_of_the_run_that_answer_are_waited_for() -> None:
    stage = MODULE.next_stage(live(source=NO_SLOT, states={}))
    assert stage is not None
    assert stage.after is not None
    beside = frozenset({HOST, "somewhere-else"})
    assert stage.after.reason(replace(live(source=UNREAD), selected=beside)) is None
    assert MODULE.next_stage(replace(healthy(), selected=beside)) is None


def test_a_host_without_anything_described_hides_no_other() -> None:
    found = live(source=UNREAD)
    view = found.hosts[HOST]
    hosts = {"backup-00": replace(view, resources=()), HOST: view}
    two = replace(found, hosts=hosts, selected=frozenset(hosts))
    assert not_streaming(two) == "nothing reads the slot yet"


def test_a_receiver_that_does_not_read_is_waited_for() -> None:
    stage = MODULE.next_stage(live(source=UNREAD))
    assert stage is not None
    assert not stage.changes


@pytest.mark.parametrize(
    ("check", "level", "said", "found"),
    [
        ("backup.postgres.age", Level.CRITICAL, "no good base backup", archive()),
        (
            "backup.postgres.age",
            Level.WARN,
            "no base backup yet",
            archive(since=NOW - HOUR),
        ),
        ("backup.postgres.age", Level.CRITICAL, "no good base backup", archive(since=0.0)),
        (
            "backup.postgres.age",
            Level.CRITICAL,
            "it was not taken whole: STARTED",
            archive(entry(status="STARTED")),
        ),
        (
            "backup.postgres.age",
            Level.CRITICAL,
            "is 27.0 h old",
            archive(entry(end=NOW - 27 * HOUR)),
        ),
        ("backup.postgres.age", Level.CRITICAL, "is -1.0 h old", archive(entry(end=NOW + HOUR))),
        (
            "backup.postgres.age",
            Level.OK,
            "20270113T030000 is 20.0 h old",
            archive(entry("20270113T030000", end=NOW - 20 * HOUR), entry(status="FAILED")),
        ),
        (
            "backup.postgres.cluster",
            Level.CRITICAL,
            "another cluster",
            archive(entry(system="7000000000000000000")),
        ),
        (
            "backup.postgres.wal",
            Level.CRITICAL,
            "000000010000000000000007",
            archive(entry(), missing=[GAP], last_missing=GAP),
        ),
        (
            "backup.postgres.wal",
            Level.CRITICAL,
            "000000010000000000000001",
            archive(entry(begin_wal=GAP), missing=[GAP[:-1] + "1"], last_missing=GAP),
        ),
        (
            "backup.postgres.wal",
            Level.WARN,
            "000000010000000000000007",
            archive(
                entry("20270113T030000"),
                entry(begin_wal=GAP[:-1] + "8"),
                missing=[GAP],
                last_missing=GAP,
            ),
        ),
        (
            "backup.postgres.wal",
            Level.CRITICAL,
            "000000010000000000000007",
            archive(
                entry("20270113T030000"),
                entry(begin_wal=GAP[:-1] + "8", wrong="a checksum is wrong"),
                missing=[GAP],
                last_missing=GAP,
            ),
        ),
        (
            "backup.postgres.wal",
            Level.CRITICAL,
            "was filed 27.0 h ago",
            archive(entry(), last_wal_at=NOW - 27 * HOUR),
        ),
        (
            "backup.postgres.wal",
            Level.CRITICAL,
            "was filed 27.0 h ago",
            archive(
                entry(begin_wal=GAP[:-1] + "8"),
                missing=[GAP],
                last_missing=GAP,
                last_wal_at=NOW - 27 * HOUR,
            ),
        ),
        ("backup.postgres.wal", Level.WARN, "no WAL", archive(entry(), wals=0)),
        (
            "backup.postgres.verified",
            Level.WARN,
            "was ever verified",
            archive(entry(verified=0.0)),
        ),
        (
            "backup.postgres.verified",
            Level.WARN,
            "9.0 days ago",
            archive(entry(verified=NOW - 9 * DAY)),
        ),
        (
            "backup.postgres.verified",
            Level.CRITICAL,
            "must not be restored: a checksum is wrong",
            archive(entry(wrong="a checksum is wrong")),
        ),
        (
            "backup.postgres.verified",
            Level.WARN,
            "20270113T030000 must not be restored",
            archive(entry("20270113T030000", wrong="a checksum is wrong"), entry()),
        ),
        ("backup.postgres.restored", Level.WARN, "ever restored", archive(entry(), restored=0.0)),
        (
            "backup.postgres.restored",
            Level.WARN,
            "36.0 days ago",
            archive(entry(), restored=NOW - 36 * DAY),
        ),
        ("backup.room", Level.WARN, "80 %", archive(entry(), free=40 << 30)),
        ("backup.room", Level.CRITICAL, "95 %", archive(entry(), free=10 << 30)),
        ("backup.room", Level.UNKNOWN, "how large", archive(entry(), total=0)),
    ],
)
def test_each_fault_of_the_archive_is_told(
    check: str, level: Level, said: str, found: dict[str, object]
) -> None:
    finding = told(check, live(found))
    assert finding.level is level
    assert said in finding.message
    assert finding.hint or level is Level.OK


@pytest.mark.parametrize(
    ("check", "level", "row"),
    [
        (
            "backup.postgres.streams",
            Level.CRITICAL,
            [SYSTEM, "none", "none", "-1", "true", "10240"],
        ),
        (
            "backup.postgres.streams",
            Level.CRITICAL,
            [SYSTEM, "false", "reserved", "0", "true", "10240"],
        ),
        (
            "backup.postgres.streams",
            Level.CRITICAL,
            [SYSTEM, "false", "lost", "0", "true", "10240"],
        ),
        ("backup.postgres.slot", Level.WARN, [SYSTEM, "true", "extended", SIX, "true", "10240"]),
        ("backup.postgres.slot", Level.WARN, [SYSTEM, "none", "none", "-1", "true", "10240"]),
        ("backup.postgres.slot", Level.UNKNOWN, [SYSTEM, "true"]),
        ("backup.postgres.slot", Level.OK, [SYSTEM, "true", "extended", SIX, "true", "20480"]),
        ("backup.postgres.slot", Level.WARN, [SYSTEM, "true", "extended", SIX, "true", "-1"]),
        ("backup.postgres.slot", Level.WARN, [SYSTEM, "true", "extended", "1", "true", "0"]),
    ],
)
def test_what_postgres_says_of_the_slot_is_told(check: str, level: Level, row: list[str]) -> None:
    assert told(check, live(source={**STREAMING, "row": row})).level is level


def test_of_a_cluster_that_was_rebuilt_the_way_to_the_old_data_is_named() -> None:
    found = live(archive(entry("20270114T030000", system="7000000000000000000")))
    assert "kbz backup run postgres" in told("backup.postgres.cluster", found).hint
    named = "kbz restore postgres --backup 20270114T030000"
    assert named in told("backup.postgres.cluster", found).hint


@pytest.mark.parametrize("status", ["EMPTY", "STARTED", "FAILED", "WAITING_FOR_WALS"])
@pytest.mark.parametrize(
    ("whole", "unfinished", "level"),
    [(SYSTEM, "", Level.OK), ("7000000000000000000", SYSTEM, Level.CRITICAL)],
)
def test_a_backup_that_is_not_whole_says_nothing_of_the_cluster(
    status: str, whole: str, unfinished: str, level: Level
) -> None:
    first = entry("20270113T030000", system=whole)
    found = live(archive(first, entry(status=status, system=unfinished)))
    assert told("backup.postgres.cluster", found).level is level
    alone = live(archive(entry(status=status, system=SYSTEM)))
    assert told("backup.postgres.cluster", alone).level is Level.WARN


def test_without_the_rights_of_a_base_backup_a_run_is_not_good_and_says_what_grants_them() -> None:
    """It was so after an upgrade: the run was green, and no base backup worked."""
    found = live(source=NO_RIGHTS)
    assert told("backup.postgres.streams", found).level is Level.OK
    finding = told("backup.postgres.rights", found)
    assert (finding.level, finding.hint) == (Level.CRITICAL, "kbz run patroni")
    with pytest.raises(RefusedError, match="base backups") as caught:
        MODULE.next_stage(found)
    assert "kbz run patroni" in caught.value.hint
    rest = {name: state for name, state in good().items() if name != UNIT_ID}
    stage = MODULE.next_stage(live(source=NO_RIGHTS, states=rest))
    assert stage is not None, "what can be set up is set up first"
    assert [change.identity for change in stage.changes] == [UNIT_ID]


def test_what_the_agent_grants_is_what_is_asked() -> None:
    assert BACKUP_ROLES == postgres._BACKUP_ROLES
    assert BACKUP_FUNCTIONS == postgres._BACKUP_FUNCTIONS
    for name in (*BACKUP_ROLES, *BACKUP_FUNCTIONS):
        assert f"'{name}'" in SLOT_STATE


def test_a_unit_that_stopped_is_critical_and_started_again() -> None:
    states = good()
    states[UNIT_ID].attributes["running"] = False  # type: ignore[index]  # made here
    found = live(states=states)
    assert told("backup.receiver", found).level is Level.CRITICAL
    assert [change.identity for change in found.changes()] == [UNIT_ID]


def test_a_password_that_the_store_no_longer_holds_is_told_while_wal_still_streams() -> None:
    states = good()
    states[PASSFILE_ID].attributes["digest"] = "of another password"  # type: ignore[index]  # made here
    found = live(states=states)
    assert told("backup.postgres.streams", found).level is Level.OK
    finding = told("backup.postgres.password", found)
    assert (finding.level, finding.hint) == (Level.CRITICAL, "kbz run backup")
    stage = MODULE.next_stage(found)
    assert stage is not None
    assert [change.identity for change in stage.changes] == [PASSFILE_ID]


def test_what_is_not_known_is_unknown_and_a_host_that_is_away_is_not_left_out() -> None:
    found = live(Answer(ARCHIVE, problem="Input/output error"))
    for check in ("backup.postgres.age", "backup.postgres.wal", "backup.room"):
        assert told(check, found).level is Level.UNKNOWN
    (finding,) = MODULE.checks(live(away=True))
    assert (finding.check, finding.level) == ("backup.reachable", Level.UNKNOWN)
