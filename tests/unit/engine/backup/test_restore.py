"""Which backup a restore begins with, and which it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from keybuzz.engine.backup.held import Held
from keybuzz.engine.backup.report import Worked
from keybuzz.engine.backup.restore import Plan, moment_of, problem_of, start_from, taken
from keybuzz.engine.backup.take import chosen
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.core.reading import Answer
from keybuzz.report.screen.backups import plan_text
from keybuzz.site.backups.archive import Copy
from tasks.backup import MODULE
from tasks.backup.desired import ARCHIVE, SOURCE
from tasks.backup.postgres.archive import POSTGRES
from tasks.backup.postgres.copies import copies
from tests.unit.support.site_values import PLANTED, memory_site
from tests.unit.tasks.backup.backup_world import STREAMING, archive, entry

OLD = Copy("old", True, "DONE", 90.0, 100.0, 1)
NEW = Copy("new", True, "DONE", 190.0, 200.0, 1)
HALF = Copy("half", False, "STARTED", 290.0, 0.0, 0, wrong="it was not taken whole: STARTED")
BAD = Copy("bad", True, "DONE", 290.0, 300.0, 1, 9.0, "a checksum is wrong")
ALL = (OLD, NEW, HALF, BAD)
FOREIGN = Copy("lost", True, "DONE", 190.0, 200.0, 1, foreign="it is of another cluster: 70")
YOUNG = Copy("young", True, "DONE", 390.0, 400.0, 1)


@pytest.mark.parametrize(
    ("moment", "found"), [(None, NEW), (250.0, NEW), (200.5, NEW), (200.0, OLD), (150.0, OLD)]
)
def test_the_newest_good_one_that_ended_before_the_time(moment: float | None, found: Copy) -> None:
    assert start_from(ALL, "", moment, "postgres") is found


@pytest.mark.parametrize(
    ("wanted", "moment", "said"),
    [
        ("", 50.0, "no good backup ended before that time"),
        ("bad", None, "bad must not be restored: a checksum is wrong"),
        ("half", None, "half must not be restored: it was not taken whole"),
        ("new", 150.0, "new ended after that time"),
        ("", 9e12, "has not come yet"),
        ("new", 9e12, "has not come yet"),
    ],
)
def test_what_would_bring_back_something_else_is_refused(
    wanted: str, moment: float | None, said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        start_from(ALL, wanted, moment, "postgres")


def test_a_named_one_is_taken_and_an_unknown_one_named() -> None:
    assert start_from(ALL, "old", 150.0, "postgres") is OLD
    with pytest.raises(UsageError, match=r"no backup older of postgres\n.*old, new, half, bad"):
        start_from(ALL, "older", None, "postgres")
    with pytest.raises(RefusedError, match="no backup of postgres was taken whole"):
        chosen((HALF,), "", "postgres")


def test_a_time_has_the_zone_that_it_says_or_this_machines_own() -> None:
    there = datetime(2026, 11, 30, 12, 0, 6, tzinfo=timezone(timedelta(hours=1)))
    assert moment_of("2026-11-30T12:00:06+01:00") == there.timestamp()
    own = datetime(2026, 11, 30, 12, 0, 6).astimezone().timestamp()
    assert moment_of("2026-11-30 12:00:06") == own
    assert datetime.fromtimestamp(moment_of("2026-11-30T11:00:06Z"), UTC) == there
    with pytest.raises(UsageError, match="'noon' is no time"):
        moment_of("noon")


def test_after_a_rebuild_from_zero_an_old_backup_is_restored_when_it_is_named() -> None:
    assert start_from((FOREIGN,), "lost", None, "postgres") is FOREIGN
    assert start_from((FOREIGN, YOUNG), "lost", 250.0, "postgres") is FOREIGN
    for found, moment in (((FOREIGN,), None), ((FOREIGN, YOUNG), 250.0)):
        with pytest.raises(RefusedError, match="lost it is of another cluster: 70") as refused:
            start_from(found, "", moment, "postgres")
        assert "kbz restore postgres --backup lost" in refused.value.hint
    assert start_from((FOREIGN, YOUNG), "", None, "postgres") is YOUNG
    broken = replace(FOREIGN, wrong="a checksum is wrong")
    with pytest.raises(RefusedError, match="must not be restored: a checksum is wrong"):
        start_from((broken,), "lost", None, "postgres")
    with pytest.raises(RefusedError) as refused:
        start_from((broken,), "", None, "postgres")
    assert refused.value.hint == "kbz backup list postgres", "it proposes none that is refused"


def test_the_plan_says_that_the_data_is_of_another_cluster() -> None:
    plan = Plan("postgres", "keybuzz-pg", "backup-01", FOREIGN, "", "/target")
    assert "the data of another cluster than the living one" in plan_text(plan)
    assert "another cluster" not in plan_text(replace(plan, copy=YOUNG))


def test_verification_takes_one_of_another_cluster_only_by_its_name() -> None:
    assert chosen((FOREIGN,), "lost", "postgres") is FOREIGN
    assert chosen((OLD, FOREIGN), "", "postgres") is OLD
    with pytest.raises(RefusedError, match="taken whole: lost it is of another cluster"):
        chosen((FOREIGN,), "", "postgres")


def test_a_backup_of_another_cluster_is_foreign_while_the_living_one_answers() -> None:
    foreign = archive(entry(system="7000000000000000000"))
    answers = {ARCHIVE: Answer(ARCHIVE, foreign), SOURCE: Answer(SOURCE, STREAMING)}
    assert "it is of another cluster" in copies(answers)[0].foreign
    assert copies(answers)[0].wrong == "", "nothing is wrong with it"
    assert copies({**answers, ARCHIVE: Answer(ARCHIVE, archive(entry()))})[0].against == ""
    alone = {**answers, SOURCE: Answer(SOURCE, problem="no route")}
    assert copies(alone)[0].against == "", "on the worst day there is nothing to compare with"
    with pytest.raises(ValueError, match="Input/output error"):
        copies({ARCHIVE: Answer(ARCHIVE, problem="Input/output error")})


def test_the_refusal_of_a_full_place_names_all_that_a_restore_leaves() -> None:
    works = POSTGRES.restore(memory_site(), POSTGRES.place, "20270114T030000", "", "image:1")
    made = next(work.argv for work in works if work.argv[:2] == ("docker", "run"))
    container = made[made.index("--name") + 1]
    done = works[-1].argv[-1]
    refused = taken(Held(MODULE, POSTGRES, "backup-01"), "a restored server is there")
    assert "a restored server is there" in str(refused)
    assert all(
        f"{word}{end}" in refused.hint
        for word, end in ((container, ","), (POSTGRES.place.folder, " "), (done, ";"))
    )


def test_what_is_optional_may_fail_and_what_is_needed_ends_it() -> None:
    away = Worked("ask the leader", False, 1.0, "no route")
    assert problem_of((away, Worked("copy", True, 1.0))) == ""
    assert problem_of((away, Worked("copy", False, 1.0, "no room"))) == "copy: no room"


def test_no_step_of_a_restore_has_a_password_and_only_the_end_says_that_it_is_complete() -> None:
    site = memory_site()
    works = POSTGRES.restore(
        site, POSTGRES.place, "20270114T030000", "2026-11-30 11:00:06+00:00", "image:1"
    )
    words = [word for work in works for word in (*work.argv, work.stdin)]
    assert not [word for word in words if PLANTED in word]
    assert works[-1].argv[:2] == ("mv", "-T")
    assert [work.name for work in works if not work.needed] == [
        "ask the leader to close its WAL file",
        "file the WAL that was received",
    ]
    assert "--target-time" in words
    latest = POSTGRES.restore(site, POSTGRES.place, "20270114T030000", "", "image:1")
    assert "--target-time" not in [word for work in latest for word in work.argv]
