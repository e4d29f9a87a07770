"""mc on the controller (MIN-5): what is described, what is written, and what its checks say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.plan import State
from keybuzz.model.core.reading import Answer
from keybuzz.site.site import Site
from tasks.minio_client import MODULE
from tasks.minio_client.alias import MinioAlias
from tasks.minio_client.desired import LOGIN
from tests.unit.support.site_values import PLANTED, described, memory_site
from tests.unit.tasks.minio_client.client_world import (
    ALIAS_ID,
    HOST,
    PROGRAM_ID,
    good,
    healthy,
    live,
    with_alias,
)

DENIED = Answer(LOGIN, {"accepted": False, "reason": "SignatureDoesNotMatch"})
SILENT = Answer(LOGIN, problem="MinIO does not answer")


def told(check: str, findings: tuple[Finding, ...]) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def unpinned() -> Site:
    binaries = {**memory_site().binaries, "mc": replace(memory_site().binaries["mc"], digest="")}
    return replace(memory_site(), binaries=binaries)


def test_the_alias_is_the_one_of_the_notes_and_on_the_controller_only() -> None:
    known = described(memory_site(), MODULE)
    assert set(known) == {HOST}
    (alias,) = [
        r for r in known[HOST].modules["minio-client"].resources if isinstance(r, MinioAlias)
    ]
    assert (alias.alias, alias.url) == ("minio", "http://10.0.0.134:9000")
    assert (alias.path, alias.user) == ("/root/.mc/config.json", "kb_minio")
    assert {"10.0.0.131", "minio-02", "10.0.0.10"} <= set(alias.nodes)
    assert dict(alias.wanted(memory_site().digest_key))["mode"] == "0600"
    assert PLANTED not in str(alias.wanted(memory_site().digest_key)) + repr(alias)


def test_nothing_is_left_to_do_in_health() -> None:
    found = healthy()
    assert MODULE.next_stage(found) is None
    assert {finding.level for finding in MODULE.checks(found)} == {Level.OK}


def test_all_is_written_in_one_stage_and_then_minio_is_waited_for() -> None:
    stage = MODULE.next_stage(live({}, SILENT))
    assert stage is not None
    assert {change.identity for change in stage.changes} == {
        "directory:/root/.mc",
        ALIAS_ID,
        PROGRAM_ID,
    }
    assert not any(change.disrupts for change in stage.changes)
    stage = MODULE.next_stage(live(good(), SILENT))
    assert stage is not None
    assert not stage.changes
    assert stage.after is not None
    assert stage.after.reason(live(good(), DENIED)) == f"{HOST}: SignatureDoesNotMatch"
    assert stage.after.reason(healthy()) is None


def test_a_controller_out_of_sight_is_waited_for_by_no_stage() -> None:
    assert MODULE.next_stage(live({}, away=True)) is None


def test_another_controller_is_not_this_runs() -> None:
    assert MODULE.next_stage(replace(live(good(), DENIED), selected=frozenset())) is None


def test_without_a_digest_no_program_is_placed_and_the_alias_is_made() -> None:
    site = unpinned()
    found = live({}, site=site)
    assert PROGRAM_ID not in {change.identity for change in found.changes()}
    assert ALIAS_ID in {change.identity for change in found.changes()}
    finding = told("minio-client.program", MODULE.checks(live(good(site), site=site)))
    assert finding.level is Level.WARN
    assert "no sha256" in finding.message


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("url", "", "no alias minio"),
        ("url", "http://10.0.0.131:9000", "another place than http://10.0.0.134:9000"),
        ("credentials", False, "other credentials than minio.env"),
        ("mode", "0644", "mode 0644"),
    ],
)
def test_each_fault_of_the_alias_is_told_and_is_a_change(
    attribute: str, value: object, said: str
) -> None:
    states = good()
    found = live({**states, ALIAS_ID: with_alias(states[ALIAS_ID], **{attribute: value})})
    finding = told("minio-client.alias", MODULE.checks(found))
    assert finding.level is Level.CRITICAL
    assert said in finding.message
    assert [change.identity for change in found.changes()] == [ALIAS_ID]


def test_a_second_way_in_is_a_warning_and_no_change() -> None:
    states = good()
    second = with_alias(states[ALIAS_ID], others=("old at 10.0.0.131:9000",))
    found = live({**states, ALIAS_ID: second})
    finding = told("minio-client.alias.other", MODULE.checks(found))
    assert finding.level is Level.WARN
    assert "old at 10.0.0.131:9000" in finding.message
    assert not tuple(found.changes())
    assert MODULE.next_stage(found) is None


def test_a_program_that_is_another_or_absent_is_critical() -> None:
    states = good()
    for state in (
        State(PROGRAM_ID, False),
        replace(states[PROGRAM_ID], attributes={"digest": "sha256:0"}),
    ):
        found = MODULE.checks(live({**states, PROGRAM_ID: state}))
        assert told("minio-client.program", found).level is Level.CRITICAL


def test_what_minio_says_is_told_and_a_controller_that_is_away_is_not_left_out() -> None:
    assert told("minio-client.entry", MODULE.checks(live(good(), DENIED))).level is Level.CRITICAL
    assert told("minio-client.entry", MODULE.checks(live(good(), SILENT))).level is Level.UNKNOWN
    (finding,) = MODULE.checks(live({}, away=True))
    assert (finding.check, finding.level) == ("minio-client.reachable", Level.UNKNOWN)
