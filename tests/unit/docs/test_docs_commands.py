"""Every command in the docs: its words are real, what only looks is run here, what changes something names its test."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import click
import pytest

from keybuzz.cli.main import VERBS, cli
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.model.core.errors import KbzError
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.record import report_document
from tests.unit.cli.test_every_verb import CHANGES, LOOKS, WORLD, Place, place
from tests.unit.docs.test_pains import names
from tests.unit.report.test_report_text import FINDINGS, report
from tests.unit.support.cli_said import Kbz, kbz
from tests.unit.support.docs_commands import ROOT, Shown, commands, others

__all__ = ["kbz", "place"]  # the fixtures

SERVICES, FLEET = "tests/lab/services", "tests/lab/fleet"
LEGACY = "tests/lab/legacy"
FAILURES = f"{SERVICES}/test_patroni_failures"
ELSEWHERE = {
    "run": f"{SERVICES}/test_patroni.py::TestRepairs::test_drift_names_it_and_run_repairs_only_that",
    "run --plan": f"{SERVICES}/test_patroni.py::TestSavedPlan::test_it_is_applied_exactly_or_not_at_all",
    "run --side-by-side": f"{FLEET}/test_whole_fleet.py::test_side_by_side_there_is_nothing_left_to_do",
    "run --lift-freeze": f"{SERVICES}/test_galera.py::TestFreeze::test_a_lift_repairs_them_one_at_a_time_behind_synced",
    "resume": f"{FAILURES}.py::TestInterrupt::test_ctrl_c_stops_after_the_step_and_resume_goes_on",
    "restart": f"{FLEET}/test_restart.py::TestRestart::test_patroni_each_container_once_the_leader_last_no_row_lost",
    "maintenance on": f"{FLEET}/test_drill_patroni.py::TestMaintenance::test_it_hands_over_and_is_expected_away",
    "maintenance off": f"{FLEET}/test_drill_patroni.py::TestMaintenance::test_it_hands_over_and_is_expected_away",
    "switchover": f"{FLEET}/test_drill_patroni.py::TestScenarios::test_a_switchover_goes_to_the_named_member",
    "upgrade": "tests/flow/upgrade/test_upgrade.py"
    "::test_the_image_is_everywhere_first_and_then_one_member_at_a_time_the_leader_last",
    "upgrade --back": "tests/flow/upgrade/test_upgrade.py"
    "::test_a_bad_image_stops_at_the_first_member_and_back_ends_green",
    "drill": f"{FLEET}/test_drill_patroni.py::TestScenarios::test_graceful_switchover_loses_nothing_and_another_leads",
    "recover": f"{SERVICES}/test_galera_trouble.py::TestTotalStop::test_recover_brings_back_every_acknowledged_row",
    "backup run": f"{SERVICES}/test_backup.py::TestBackup::test_a_first_backup_is_taken_listed_and_verified",
    "backup verify": f"{SERVICES}/test_backup.py::TestBackup::test_a_first_backup_is_taken_listed_and_verified",
    "restore": f"{SERVICES}/test_backup.py::TestDroppedTable::test_it_is_back_with_every_acknowledged_row_before_it",
    "exec": "tests/lab/lab/test_hosts.py::test_an_unknown_host_is_refused_until_its_key_is_trusted",
    "hosts trust": "tests/lab/lab/test_hosts.py::test_an_unknown_host_is_refused_until_its_key_is_trusted",
    "hosts forget": "tests/lab/lab/test_hosts.py::test_a_key_that_changed_is_never_replaced_by_trust_alone",
    "secrets init": "tests/unit/cli/test_every_verb.py::test_the_lease_is_free_again_when_its_holder_has_ended",
    "secrets rotate": f"{FLEET}/test_rotation.py::test_a_rotation_is_taken_by_all_members_and_leaves_nothing_to_do",
    "apps remove-account": f"{SERVICES}/test_applications.py::TestByHand"
    "::test_each_is_removed_by_its_typed_name_and_nothing_else_is",
    "versions lock": f"{FLEET}/test_digests.py::test_the_registrys_digest_is_locked",
    "versions mirror": "tests/flow/engine/test_mirror_images.py::test_pulled_once_handed_out_and_then_only_asked_for",
    "drift install": "tests/flow/engine/test_drift_schedule.py::test_it_is_written_started_left_alone_and_taken_away",
    "backup install": "tests/unit/engine/schedule/test_schedule.py::test_backups_are_taken_on_a_schedule",
    "health install": "tests/unit/engine/schedule/test_schedule.py::test_the_verbs",
    "drift accept": f"{SERVICES}/test_redis.py::TestFreeze::test_an_accepted_edit_is_quiet_until_it_is_another",
    "lab up": "tests/lab/lab/test_lab_services.py::test_a_second_up_starts_builds_and_stores_nothing",
    "lab legacy": f"{LEGACY}/test_adopt_page.py::test_every_line_in_its_order_brings_the_old_redis_over",
    "lab down": "tests/lab/lab/test_lab_services.py::test_down_ends_every_service",
}
"""Commands that change something, and the test that runs them on real servers."""
ASKS_THE_LAB = {"lab status", "lab images", "lab diff"}
"""They look, at a lab that is up: `tests/lab/lab/test_lab_services.py`."""
SHOP = ROOT / "docs" / "examples" / "shop"
"""The repository of an application, in which its files are checked."""
PROGRAMS = {
    "echo",
    "scripts/demo",
    "scripts/test",
    "scripts/bench",
    "scripts/docs",
    "scripts/setup",
    "ssh-keygen",
}
GOOD = {ExitCode.GOOD, ExitCode.DIFFERENT, ExitCode.REFUSED, ExitCode.UNREACHABLE}
"""With all hosts away, a command whose words are right ends so."""
SHOWN = commands()
TYPED = [shown for shown in SHOWN if shown.typed]


def verb_of(words: tuple[str, ...]) -> tuple[str, click.Command, list[str]]:
    """Return the verb's words, its command, and the words after it; click's own error when there is none."""
    context = click.Context(cli, info_name="kbz")
    command: click.Command = cli
    name: list[str] = []
    # `kbz -v restart patroni` is `kbz restart patroni`, told in more words.
    rest = list(words[1:] if words[:1] == ("-v",) and len(words) > 1 else words)
    while isinstance(command, click.Group):
        # A group may have a verb that is meant when none is named.
        default = getattr(command, "default", "")
        if default and (not rest or rest[0] not in (*command.commands, "-h", "--help")):
            rest.insert(0, "show" if rest and rest[0].isdecimal() else default)
        if not rest or rest[0].startswith("-"):
            break
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"there is no verb {' '.join([*name, rest[0]])}")
        name.append(rest.pop(0))
        command, context = found, click.Context(found, parent=context, info_name=name[-1])
    return " ".join(name), command, rest


def parse(shown: Shown) -> None:
    """Read the words as the command line does; a sentence may leave arguments out."""
    _, command, rest = verb_of(shown.words)
    if isinstance(command, click.Group):
        assert not shown.typed or "--help" in rest or "-h" in rest, f"{shown}: which of its verbs?"
        return
    context = click.Context(command, info_name="kbz")
    try:
        if shown.typed:
            command.make_context("kbz", rest)
        else:
            command.make_parser(context).parse_args(args=rest)
    except click.exceptions.Exit:
        return


@pytest.mark.parametrize("shown", dict.fromkeys(SHOWN), ids=str)
def test_its_words_are_real(shown: Shown) -> None:
    if shown.words[:1] == ("VERB",):
        return
    parse(shown)


def test_the_readers_of_docs_find_commands_and_refuse_wrong_ones(tmp_path: Path) -> None:
    assert len(TYPED) > 40
    assert len(SHOWN) > 150
    for words in (
        ("helth",),
        ("lab", "fly"),
        ("health", "--frmat", "json"),
        ("plan", "--format", "x"),
    ):
        with pytest.raises((click.UsageError, KbzError)):
            parse(Shown(tmp_path, words, typed=True))


@pytest.mark.parametrize(
    "shown",
    dict.fromkeys(shown for shown in TYPED if verb_of(shown.words)[0] in LOOKS - ASKS_THE_LAB),
    ids=str,
)
def test_what_only_looks_is_run(
    place: Place, kbz: Kbz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Shown
) -> None:
    """Over the real inventory, with every host behind a bastion that is not there."""
    monkeypatch.chdir(SHOP if shown.words[0] == "policy" else ROOT)
    config = str(place.folder / "site.config")
    answer = report_document(report("health", findings=FINDINGS))
    (tmp_path / "health.json").write_text(json.dumps(answer))
    journal = Journal(place.folder / "state" / "journal.sqlite")
    run = journal.begin("drift", ("kbz drift",), ("base",), 0.0, place.folder)
    drifted = HostRecord("etl-01", Outcome.CHANGED, 1, "")
    journal.end(run, 1.0, ExitCode.DIFFERENT, {"etl-01": drifted}, "", "")
    if {"--watch", "-w", "serve"} & set(shown.words) or shown.words[1:2] == ("scheduler",):
        return  # until Ctrl-C: tests/unit/cli/test_watching.py, tests/flow/report/test_serve.py, tests/flow/shards/
    if shown.words[0] == "history":
        shown = replace(shown, words=tuple("1" if w.isdecimal() else w for w in shown.words))
    done = kbz("--config", config, *(word.replace("/tmp/", f"{tmp_path}/") for word in shown.words))
    assert done.returncode in GOOD, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "shown",
    dict.fromkeys(shown for shown in TYPED if verb_of(shown.words)[0] not in LOOKS - ASKS_THE_LAB),
    ids=str,
)
def test_what_changes_something_is_run_by_a_test_that_is_there(shown: Shown) -> None:
    verb = verb_of(shown.words)[0]
    if verb in ASKS_THE_LAB or not verb:
        return
    assert verb in set(CHANGES) | WORLD
    assert verb in ELSEWHERE, f"{shown}: name the test that runs it"
    for option in shown.words:
        if f"{verb} {option}" in ELSEWHERE:
            verb = f"{verb} {option}"
    path, _, test = ELSEWHERE[verb].partition("::")
    assert test in names(path), f"{ELSEWHERE[verb]} is not there"


def test_the_list_of_tests_has_no_verb_that_is_none() -> None:
    for verb in ELSEWHERE:
        assert re.sub(r" --.*", "", verb) in set(CHANGES) | WORLD


@pytest.mark.parametrize(("page", "line"), others(), ids=str)
def test_another_command_is_a_script_of_ours(page: Path, line: str) -> None:
    program = ROOT / line.split()[0]
    assert line.split()[0] in PROGRAMS, f"{page}: {line}"
    assert "/" not in line.split()[0] or os.access(program, os.X_OK)


def test_every_verb_is_shown_somewhere() -> None:
    known = {
        verb_of(shown.words)[0].split()[0]
        for shown in SHOWN
        if shown.words[:1] != ("VERB",) and shown.words
    }
    assert set(VERBS) <= known | {"completion"}
