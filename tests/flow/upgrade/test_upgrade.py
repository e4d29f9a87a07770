"""`kbz upgrade`, whole: refused or carried out, cut off anywhere, stopped by a bad image, and back again."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.support.fleet import HOSTS
from tests.flow.upgrade.site import NEVER_RUNS, VERSIONS, Upgraded, upgraded

REFUSED, USAGE, FAILED = 3, 64, 1
OLD, NEW = "demo/app:1.2.3", "demo/app:1.2.4"
UPGRADE = ("upgrade", "app", "--to", "1.2.4", "--reason", "a fault of 1.2.3, decided by the owner")
BACK = ("upgrade", "app", "--back")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Upgraded]:
    with upgraded(tmp_path) as made:
        yield made


def record(site: Upgraded) -> Path:
    return site.folder / "state" / "upgrades" / "app.json"


def test_the_image_is_everywhere_first_and_then_one_member_at_a_time_the_leader_last(
    site: Upgraded,
) -> None:
    done = site.kbz(*UPGRADE)
    assert done.code == 0, done.stdout + done.stderr
    assert "allowed by: its own release notes" in done.stderr
    assert "+    reference: demo/app:1.2.4" in done.stderr
    assert site.running == [NEW] * 3
    assert [engine.did for engine in site.engines.values()] == [[f"load {NEW}", f"start {NEW}"]] * 3
    assert site.versions.startswith(VERSIONS)
    runs = json.loads(site.kbz("history", "--format", "json").stdout)["runs"]
    assert [run["verb"] for run in runs[:2]] == ["run", "versions mirror"]
    assert "upgrade app --to 1.2.4" in runs[0]["command"]
    assert json.loads(record(site).read_text())["done"] is True
    assert record(site).stat().st_mode & 0o777 == 0o600
    again = site.kbz(*UPGRADE)
    assert again.code == 0, again.stderr
    assert "versions.yaml says demo/app:1.2.4 already" in again.stderr
    versions = site.versions
    (site.folder / "versions.yaml").write_text(
        versions.replace("reference: demo/app:1.2.4", "reference: demo/app:1.2.5")
    )
    past = site.kbz(*BACK)
    assert past.code == REFUSED, "another hand has changed it since: there is nothing to undo"
    assert "versions.yaml says demo/app:1.2.5" in past.stderr
    (site.folder / "versions.yaml").write_text(versions)
    site.engines[HOSTS[1]].containers["app"]["options"]["Image"] = "demo/app:1.2.7"
    other = site.kbz(*BACK)
    assert other.code == REFUSED
    assert "app runs demo/app:1.2.7, which the last upgrade neither" in other.stderr
    assert site.versions == versions
    site.engines[HOSTS[1]].containers["app"]["options"]["Image"] = NEW
    back = site.kbz(*BACK)
    assert back.code == 0, back.stdout + back.stderr
    assert site.running == [OLD] * 3
    assert site.versions == VERSIONS
    assert not record(site).exists()
    nothing = site.kbz(*BACK)
    assert "no upgrade of app is known" in nothing.stderr


def test_a_bad_image_stops_at_the_first_member_and_back_ends_green(site: Upgraded) -> None:
    stopped = site.kbz("upgrade", "app", "--to", "1.2.9", "--reason", "looks good to the owner")
    assert stopped.code == FAILED, stopped.stdout + stopped.stderr
    assert sorted(site.running) == sorted([OLD, OLD, ""])
    assert site.running[0] == OLD, "the leader is last"
    assert [f"start {NEVER_RUNS}" in engine.did for engine in site.engines.values()].count(
        True
    ) == 1
    other = site.kbz(*UPGRADE)
    assert other.code == REFUSED
    assert "has begun and is not complete" in other.stderr
    back = site.kbz(*BACK)
    assert back.code == 0, back.stdout + back.stderr
    assert site.running == [OLD] * 3
    assert site.versions == VERSIONS
    assert site.kbz(*UPGRADE).code == 0


def test_over_a_row_without_a_way_back_there_is_one_while_no_member_runs_it_and_a_later_release_after(
    site: Upgraded,
) -> None:
    closed = ("upgrade", "app", "--to", "1.4.0", "--reason", "looks good to the owner")
    assert site.kbz(*closed, die="after put").code == -signal.SIGKILL
    back = site.kbz(*BACK)
    assert back.code == 0, back.stdout + back.stderr
    assert (site.versions, record(site).exists()) == (VERSIONS, False)
    stopped = site.kbz(*closed)
    assert stopped.code == FAILED, stopped.stdout + stopped.stderr
    assert "no way back once a member runs it: data of 1.4" in stopped.stderr
    refused = site.kbz(*BACK)
    assert refused.code == REFUSED
    assert "no way back from demo/app:1.4.0" in refused.stderr
    assert "--to a later release repairs it forward" in refused.stderr
    older = site.kbz("upgrade", "app", "--to", "1.3.1", *UPGRADE[4:])
    assert older.code == REFUSED
    assert sorted(site.running) == ["", OLD, OLD]
    forward = site.kbz("upgrade", "app", "--to", "1.4.1", "--reason", "1.4.0 does not start")
    assert forward.code == 0, forward.stdout + forward.stderr
    assert site.running == ["demo/app:1.4.1"] * 3
    assert json.loads(record(site).read_text())["former"] == OLD
    assert site.kbz(*BACK).code == REFUSED


def test_a_record_that_was_not_carried_out_skips_no_gate(site: Upgraded) -> None:
    assert site.kbz(*UPGRADE, die="after record").code == -signal.SIGKILL
    site.engines[HOSTS[1]].containers["app"]["running"] = False
    refused = site.kbz(*UPGRADE)
    assert refused.code == REFUSED
    assert f"such as container:app on {HOSTS[1]}" in refused.stderr
    assert site.versions == VERSIONS


def test_what_the_run_would_refuse_is_refused_before_anything_is_written(site: Upgraded) -> None:
    foreign = site.kbz("upgrade", "app", "--to", "1.3.9", "--reason", "looks good to the owner")
    assert foreign.code == REFUSED
    assert "demo/app:1.3.9 does not read the data here" in foreign.stderr
    (site.folder / "policies.yaml").write_text(
        "freeze: []\nwaivers: []\nmaintenance:\n"
        f"  - {{host: {HOSTS[1]}, reason: 'a disk is replaced', since: '2026-01-01T00:00:00+00:00', "
        "until: '2099-01-01T00:00:00+00:00'}\n"
    )
    resting = site.kbz(*UPGRADE)
    assert resting.code == REFUSED
    assert f"kbz maintenance off {HOSTS[1]}" in resting.stderr
    assert site.versions == VERSIONS
    assert not record(site).exists()


def test_nothing_is_changed_that_the_operator_has_not_seen(site: Upgraded) -> None:
    moved = site.kbz(*UPGRADE, edit="after put")
    assert moved.code == REFUSED, moved.stdout + moved.stderr
    assert "needs what the plan that was shown does not say" in moved.stdout + moved.stderr
    assert site.running == [OLD] * 3
    assert not any(done.startswith("start") for e in site.engines.values() for done in e.did)
    ended = site.kbz(*UPGRADE)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert site.running == [NEW] * 3


POINTS = ("after record", "after put", "step 9")
"""Steps 1 to 6 hand the image out, and those behind them replace a member each, in two."""
STEPS = tuple(f"step {number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12))
LONG = ("before mirror", "after mirror", "before put", "before run", "after run", *STEPS)


@pytest.mark.parametrize(
    "point", [*POINTS, *(pytest.param(point, marks=pytest.mark.long) for point in LONG)]
)
def test_after_a_kill_the_same_command_ends_it(site: Upgraded, point: str) -> None:
    killed = site.kbz(*UPGRADE, die=point)
    assert killed.code == -signal.SIGKILL, killed.stdout + killed.stderr
    assert site.running.count("") <= 1
    begun = site.versions != VERSIONS
    assert record(site).exists() or not begun, "the way back is known before anything is written"
    ended = site.kbz(*UPGRADE)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert site.running == [NEW] * 3
    assert json.loads(record(site).read_text())["done"] is True
    loads = [engine.did.count(f"load {NEW}") for engine in site.engines.values()]
    assert loads == [1] * 3


@pytest.mark.parametrize(("words", "point"), [(UPGRADE, "step 10"), (BACK, "step 4")])
def test_resume_ends_it_as_the_same_command_does(
    site: Upgraded, words: tuple[str, ...], point: str
) -> None:
    if words == BACK:
        assert site.kbz(*UPGRADE).code == 0
    assert site.kbz(*words, die=point).code == -signal.SIGKILL
    assert {OLD, NEW} <= set(site.running), "it was cut off while members are replaced"
    ended = site.kbz("resume")
    assert ended.code == 0, ended.stdout + ended.stderr
    assert f": kbz {shlex.join(words[:3])}" in ended.stderr
    assert site.running == [OLD if words == BACK else NEW] * 3
    if words == BACK:
        assert not record(site).exists(), "there is nothing left to undo"
    else:
        assert json.loads(record(site).read_text())["done"] is True, "and --back knows its end"
    assert "there is nothing to resume" in site.kbz("resume").stdout


def test_what_the_table_does_not_have_is_refused_with_the_next_step(site: Upgraded) -> None:
    refusals = {
        (
            "--to",
            "2.0.0",
        ): "allowed from demo/app:1.2.3: to a later release of 1.2, or to a release of 1.3",
        ("--to", "1.2.2"): "--back goes back",
        ("--to", "1.2.4-alpine"): "another flavour",
        ("--to", "1.2.4"): "--reason TEXT (VER-1)",
        ("--to", "1.3"): "partial tag (VER-1)",
        ("--to", "other/app:1.2.4"): "no table says",
        ("--back",): "no upgrade of app is known",
        (): "give --to TAG, or --back",
    }
    for words, said in refusals.items():
        reason = () if "--reason" in said or not words or words == ("--back",) else UPGRADE[4:]
        refused = site.kbz("upgrade", "app", *words, *reason)
        assert said in refused.stderr, (words, refused.stderr)
        assert refused.code in (0, 1, REFUSED, USAGE), words
    assert site.versions == VERSIONS
    assert [engine.did for engine in site.engines.values()] == [[]] * 3
    assert not record(site).exists()


def test_hosts_that_differ_already_and_hosts_that_are_silent_are_not_upgraded(
    site: Upgraded,
) -> None:
    site.engines[HOSTS[1]].containers["app"]["running"] = False
    refused = site.kbz(*UPGRADE)
    assert refused.code == REFUSED
    assert f"such as container:app on {HOSTS[1]}" in refused.stderr
    site.hosts[HOSTS[2]].python.write_text("#!/bin/sh\nexit 1\n")
    silent = site.kbz(*UPGRADE)
    assert silent.code == 4
    assert f"{HOSTS[2]} did not answer; nothing was changed" in silent.stderr
    assert site.versions == VERSIONS


def test_a_frozen_module_needs_its_lift(tmp_path: Path) -> None:
    with upgraded(tmp_path) as site:
        (tmp_path / "policies.yaml").write_text("freeze: [patroni]\nwaivers: []\n")
        refused = site.kbz(*UPGRADE)
        assert refused.code == REFUSED
        assert "module app is frozen (FRZ-1)" in refused.stderr
        assert site.versions == VERSIONS
        lifted = site.kbz(*UPGRADE, "--lift-freeze", "app")
        assert lifted.code == 0, lifted.stdout + lifted.stderr
        assert site.running == [NEW] * 3
