"""The table: what hosts and accidents may do, which kind each case is of, and the test that does it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = "tests/unit/hostile"
TABLE: dict[str, dict[str, str]] = {
    "a reply is data of one host": {
        "malformed, deep, late, duplicate, with NaN, a lone surrogate or huge numbers": (
            f"{HERE}/test_frames_of_a_host.py::test_a_reply_of_no_shape_is_a_lost_contact_of_one_host"
        ),
        "a greeting": (
            f"{HERE}/test_frames_of_a_host.py::test_a_greeting_of_no_shape_is_a_lost_contact_of_one_host"
        ),
        "a second answer, and one that comes too late": (
            f"{HERE}/test_frames_of_a_host.py"
            "::test_what_comes_after_the_answer_is_no_answer_to_the_next_question"
        ),
        "any field of a probe": f"{HERE}/test_every_field.py::test_of_a_probe",
        "any field in the middle of a run": (
            f"{HERE}/test_every_field.py::test_of_an_apply_in_the_middle_of_a_run"
        ),
        "events twice, too early, never": (
            f"{HERE}/test_every_field.py::test_of_events_in_any_order_and_number"
        ),
        "a daemon's answer of another shape": (
            f"{HERE}/test_frames_of_a_host.py"
            "::test_an_answer_of_no_shape_is_the_problem_of_that_answer_alone"
        ),
        "a daemon's answer of any content": (
            f"{HERE}/test_answers_of_a_host.py::test_nothing_falls_over_what_a_host_says"
        ),
        "a check that has not thought of it": (
            f"{HERE}/test_answers_of_a_host.py"
            "::test_a_check_that_falls_over_one_host_says_so_of_that_host_and_judges_the_others"
        ),
    },
    "memory is bounded": {
        "one frame of 60 MB, and small frames that grow": (
            f"{HERE}/test_memory.py"
            "::test_a_host_that_sends_without_measure_costs_little_and_only_its_own_answer"
        ),
        "exec -- yes": (
            f"{HERE}/test_memory.py"
            "::test_a_command_that_never_stops_writing_is_kept_up_to_its_limit_and_counted"
        ),
    },
    "words of hosts write nothing of their own": {
        "in reports": f"{HERE}/test_visible.py::test_no_word_of_a_host_writes_a_line_in_a_report",
        "in JSON, JUnit, Nagios, Prometheus": (
            f"{HERE}/test_visible.py::test_no_word_of_a_host_gets_into_a_machine_s_form"
        ),
        "in progress and in the journal": (
            f"{HERE}/test_visible.py"
            "::test_no_word_of_a_host_writes_a_line_of_progress_or_of_the_journal"
        ),
        "in the output of a command": (
            f"{HERE}/test_visible.py::test_each_line_of_a_command_s_output_stands_behind_its_host"
        ),
    },
    "proposed commands are safe to paste": {
        "a file named as a command": (
            f"{HERE}/test_proposed.py"
            "::test_a_copy_of_a_secret_with_a_hostile_name_is_removed_and_nothing_else_is_done"
        ),
        "a command that is not quoted": (
            f"{HERE}/test_proposed.py::test_no_command_is_built_around_the_function_that_quotes"
        ),
    },
    "one member's word opens no gate": {
        "Patroni's leader": (
            f"{HERE}/test_single_word.py::test_the_leader_alone_cannot_call_a_member_good"
        ),
        "a server of K3s": (
            f"{HERE}/test_single_word.py::test_one_server_alone_cannot_call_a_node_ready"
        ),
        "a node of RabbitMQ": (
            f"{HERE}/test_single_word.py"
            "::test_a_node_alone_cannot_say_that_its_queues_have_replicas_elsewhere"
        ),
        "a Sentinel": (
            "tests/unit/tasks/redis/test_rollout_redis.py"
            "::test_one_sentinel_that_claims_a_newer_epoch_decides_nothing"
        ),
    },
    "ends from outside": {
        "TERM and HUP at every step": (
            "tests/flow/ends/test_signals_every_step.py::test_a_signal_lets_the_steps_at_work_end"
        ),
        "a second signal": (
            "tests/flow/ends/test_signals_every_step.py"
            "::test_a_second_one_cuts_the_steps_at_work_and_the_run_is_reported_all_the_same"
        ),
        "a closed pipe": "tests/unit/cli/test_endings.py::test_a_closed_pipe_hides_no_verdict",
        "a full disk behind stdout": (
            "tests/unit/cli/test_endings.py"
            "::test_a_full_disk_hides_no_verdict_and_makes_no_good_one"
        ),
        "a terminal that is gone (EIO)": (
            "tests/unit/cli/test_endings.py::test_a_lost_terminal_hides_no_verdict"
        ),
        "streams closed before the start": (
            "tests/unit/cli/test_endings.py"
            "::test_streams_that_were_closed_before_the_start_are_given_to_no_file"
        ),
        "a core dump": "tests/unit/cli/test_endings.py::test_no_core_dump_is_left",
    },
    "the journal": {
        "damaged, or in the way (S-50)": (
            "tests/unit/engine/memory/test_forgetful.py"
            "::test_looks_go_on_and_say_that_they_are_not_remembered"
        ),
        "locked": (
            "tests/unit/engine/memory/test_forgetful.py"
            "::test_a_journal_that_another_process_holds_stops_no_look"
        ),
        "full": "tests/unit/engine/memory/test_forgetful.py::test_a_full_disk_stops_no_look",
        "a change without it": (
            "tests/unit/engine/memory/test_forgetful.py"
            "::test_a_change_says_so_before_it_asks_a_host"
        ),
        "locked at a run's end (S-51)": (
            "tests/unit/engine/memory/test_forgetful.py"
            "::test_a_journal_that_is_lost_at_the_end_of_a_run_does_not_keep_the_report_back"
        ),
        "a clock in 2100": (
            "tests/unit/engine/memory/test_retention.py"
            "::test_a_clock_that_is_years_ahead_forgets_nothing"
        ),
        "a row from the future": (
            "tests/unit/engine/memory/test_retention.py"
            "::test_a_row_from_the_future_forgets_nothing_and_time_goes_on_after_it"
        ),
    },
}
CASES = [(kind, case, test) for kind, cases in TABLE.items() for case, test in cases.items()]


@pytest.mark.parametrize(("kind", "case", "test"), CASES, ids=[case for _, case, _ in CASES])
def test_every_case_has_its_test(kind: str, case: str, test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in names, f"{kind}: {case}"
