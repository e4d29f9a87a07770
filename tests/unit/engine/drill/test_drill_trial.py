"""One trial: it begins only on a green cluster, ends early on its conditions, and restores in any case."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.drill.trial import GREEN_TIMEOUT
from keybuzz.model.core.errors import RefusedError, StepError
from keybuzz.model.reports.drill import Scenario, Verdict
from tests.unit.support.drill_stage import DRILL, PROMISED, VICTIM, Stage

UNPROMISED = replace(PROMISED, promised=False, expectation="it is asynchronous")


class TestGood:
    def test_it_measures_the_outage_and_finds_every_write(self) -> None:
        stage = Stage(outage=5)
        trial = stage.run()
        assert trial.verdict is Verdict.RECOVERED
        assert trial.seconds == pytest.approx(6.0)
        assert trial.tally is not None
        assert trial.tally.acknowledged > 20
        assert trial.tally.lost == 0
        assert trial.restored
        assert trial.leader_before == trial.leader_after == VICTIM
        assert stage.did.index("start") < stage.did.index("inject") < stage.did.index("restored")
        assert stage.did[-1] == "remove"

    def test_a_victim_that_can_not_answer_is_not_asked(self) -> None:
        stage = Stage()
        stage.run(Scenario.HOST_KILLED)
        broken = stage.did[stage.did.index("inject") : stage.did.index("restored")]
        assert "look silent" in broken
        assert "look" not in broken
        assert "look silent" not in stage.did[stage.did.index("restored") :]

    def test_it_recovers_only_when_the_module_says_so_too(self) -> None:
        stage = Stage(outage=0)
        drill = replace(
            DRILL,
            not_recovered=lambda *_: "no member leads" if stage.since_fault < 9 else None,
        )
        assert stage.run(drill=drill).verdict is Verdict.RECOVERED
        assert stage.since_fault - stage.since_restore == 9


class TestRefused:
    """Nothing is broken, and the probe's place is removed."""

    def test_a_red_cluster(self) -> None:
        stage = Stage(green=lambda look: "db-2 not up; 2 of 3 members are")
        with pytest.raises(RefusedError, match="green cluster only: db-2 not up"):
            stage.run()
        assert stage.did == ["look"]

    def test_an_endpoint_that_takes_no_writes(self) -> None:
        stage = Stage(endpoint=False)
        with pytest.raises(RefusedError, match="does not acknowledge writes: Connection refused"):
            stage.run()
        assert "inject" not in stage.did
        assert stage.did[-1] == "remove"

    def test_a_stop_before_the_fault(self) -> None:
        stop = threading.Event()
        stop.set()
        stage = Stage(baseline=0)
        with pytest.raises(Exception, match="stopped on request"):
            stage.run(stop=stop)
        assert "inject" not in stage.did


class TestEndsEarly:
    """Each of its conditions ends the fault; what was broken is restored, and the report says why."""

    def test_a_recovery_over_its_limit(self) -> None:
        stage = Stage(outage=1000)
        trial = stage.run()
        assert trial.verdict is Verdict.FAILED
        assert "not recovered within 20 s: writes do not flow" in trial.messages[0]
        assert trial.restored
        assert stage.since_fault < 40

    def test_a_second_member_lost(self) -> None:
        stage = Stage(troubles=lambda look: frozenset({"db-2 is lost too"} if look > 2 else ()))
        trial = stage.run()
        assert trial.verdict is Verdict.ABORTED
        assert trial.messages == ("aborted: db-2 is lost too",)
        assert "restored" in stage.did

    def test_one_slow_answer_is_no_second_member_lost(self) -> None:
        stage = Stage(troubles=lambda look: frozenset({"db-2 is lost too"} if look % 2 else ()))
        assert stage.run().verdict is Verdict.RECOVERED

    def test_ctrl_c(self) -> None:
        stop = threading.Event()
        stage = Stage(outage=1000, on_look=lambda look: stop.set() if look == 2 else None)
        trial = stage.run(stop=stop)
        assert trial.verdict is Verdict.ABORTED
        assert trial.messages == ("stopped on request",)
        assert trial.restored
        assert trial.tally is not None

    def test_ctrl_c_while_the_fault_is_made_although_nothing_is_missed_afterwards(self) -> None:
        stop = threading.Event()
        stage = Stage(outage=0)

        def slow_stop() -> None:
            stage.now += 60.0
            stop.set()

        stage.on_inject = slow_stop
        trial = stage.run(stop=stop)
        assert trial.verdict is Verdict.ABORTED
        assert trial.messages == ("stopped on request",)
        assert trial.restored

    def test_a_fault_that_half_happened(self) -> None:
        def fail() -> None:
            raise StepError("docker does not answer", where=VICTIM)

        stage = Stage(on_inject=fail)
        trial = stage.run()
        assert trial.verdict is Verdict.FAILED
        assert trial.messages == ("docker does not answer",)
        assert "restored" in stage.did

    def test_a_fault_of_kbz_itself(self) -> None:
        def fail(look: int) -> None:
            raise ZeroDivisionError

        stage = Stage(on_look=fail)
        with pytest.raises(ZeroDivisionError):
            stage.run()
        assert "restored" in stage.did
        assert stage.did[-1] == "remove"


class TestRestoration:
    def test_it_is_tried_until_it_works(self) -> None:
        stage = Stage(restores_fail=3)
        trial = stage.run()
        assert trial.verdict is Verdict.RECOVERED
        assert stage.did.count("restore failed") == 3
        assert stage.did.count("restored") == 1

    @pytest.mark.parametrize(
        "fault",
        [
            OSError("no space left"),
            RuntimeError("reentrant call inside <_io.BufferedWriter>"),
            ValueError("I/O operation on closed file"),
        ],
        ids=lambda fault: type(fault).__name__,
    )
    def test_that_nothing_can_be_said_keeps_nothing_from_it(self, fault: Exception) -> None:
        def fail() -> None:
            raise fault

        stage = Stage(
            on_say=fail,
            restores_fail=3,
            green=lambda look: "partitioned" if 0 < look < 9 else "",
            unhealed=lambda look: "db-2 sees a partition",
        )
        trial = stage.run(Scenario.LINK_CUT)
        assert trial.restored
        assert stage.did.count("restored") == stage.did.count("healed") == 1
        assert stage.said == []

    def test_what_was_broken_is_restored_first_and_told_afterwards(self) -> None:
        stage = Stage()
        stage.run()
        place = stage.did.index("restored")
        assert not stage.did[place - 1].startswith("say")
        assert stage.did[place + 1] == f"say restored {VICTIM}; waiting for green"

    def test_it_waits_for_every_member(self) -> None:
        stage = Stage(green=lambda look: "db-1 is starting" if 0 < look < 30 else "")
        trial = stage.run()
        assert trial.verdict is Verdict.RECOVERED
        assert stage.since_restore >= 30
        assert stage.said.count("not green yet: db-1 is starting") == 1

    def test_a_cluster_that_does_not_heal_by_itself_is_healed_once_and_the_report_says_so(
        self,
    ) -> None:
        stage = Stage(
            green=lambda look: "partitioned" if 0 < look < 9 else "",
            unhealed=lambda look: "db-2 sees a partition" if look >= 3 else "",
            heals_fail=2,
        )
        trial = stage.run(Scenario.LINK_CUT)
        assert trial.verdict is Verdict.RECOVERED
        assert stage.did.count("healed") == 1
        assert stage.did.index("restored") < stage.did.index("healed")
        assert trial.messages == (
            "demo on db-1 was restarted to heal the cluster: db-2 sees a partition",
        )

    def test_one_that_heals_by_itself_is_left_alone(self) -> None:
        stage = Stage(green=lambda look: "partitioned" if 0 < look < 9 else "")
        assert stage.run(Scenario.LINK_CUT).messages == ()
        assert "healed" not in stage.did

    def test_a_cluster_that_stays_red_is_a_failure_that_says_so(self) -> None:
        stage = Stage(green=lambda look: "db-1 is starting" if look else "")
        trial = stage.run()
        assert trial.verdict is Verdict.FAILED
        assert not trial.restored
        assert f"not green {GREEN_TIMEOUT:g} s after" in trial.messages[-1]


class TestLedger:
    def test_a_lost_write_is_a_failure_where_none_may_be(self) -> None:
        trial = Stage(loses=frozenset({3, 4})).run()
        assert trial.verdict is Verdict.FAILED
        assert trial.messages == ("2 acknowledged writes are lost, and none may be",)

    def test_a_lost_write_is_told_where_it_may_be(self) -> None:
        trial = Stage(loses=frozenset({3, 4})).run(workload=UNPROMISED)
        assert trial.verdict is Verdict.RECOVERED
        assert trial.tally is not None
        assert trial.tally.lost == 2
        assert trial.messages == ("2 acknowledged writes are lost: it is asynchronous",)

    def test_a_ledger_that_can_not_be_read_back_proves_nothing(self) -> None:
        trial = Stage(unreadable=True).run()
        assert trial.verdict is Verdict.FAILED
        assert trial.tally is None
        assert "could not be read back" in trial.messages[0]


class TestIsolated:
    def test_a_node_that_takes_writes_alone_is_a_failure(self) -> None:
        stage = Stage(isolated=(True, ""))
        trial = stage.run(Scenario.LINK_CUT)
        assert trial.verdict is Verdict.FAILED
        assert trial.isolated_accepted is True
        assert "two members took writes at the same time" in trial.messages[0]

    def test_where_the_service_does_not_promise_more_the_report_says_why(self) -> None:
        trial = Stage(isolated=(True, "the owner decided so")).run(Scenario.LINK_CUT)
        assert trial.verdict is Verdict.RECOVERED
        assert trial.messages == ("the isolated db-1 accepted a write: the owner decided so",)

    def test_it_is_tried_while_the_link_is_cut_and_only_then(self) -> None:
        stage = Stage(isolated=(False, ""))
        assert stage.run(Scenario.LINK_CUT).isolated_accepted is False
        assert stage.did.index("isolated write") < stage.did.index("restored")
        other = Stage(isolated=(True, ""))
        assert other.run(Scenario.HOST_KILLED).isolated_accepted is None
        assert "isolated write" not in other.did


@given(
    scenario=st.sampled_from(Scenario),
    outage=st.integers(0, 60),
    trouble=st.integers(0, 10),
    stopped=st.integers(0, 10),
    fails=st.booleans(),
    restores_fail=st.integers(0, 4),
)
def test_whatever_happens_what_was_broken_is_restored(
    scenario: Scenario, outage: int, trouble: int, stopped: int, fails: bool, restores_fail: int
) -> None:
    stop = threading.Event()

    def inject() -> None:
        if fails:
            raise StepError("half")

    stage = Stage(
        outage=outage,
        troubles=lambda look: frozenset({"x"} if trouble and look >= trouble else ()),
        on_look=lambda look: stop.set() if look == stopped else None,
        on_inject=inject,
        restores_fail=restores_fail,
        isolated=(False, ""),
    )
    trial = stage.run(scenario, stop=stop)
    assert stage.did.count("restored") == 1
    assert stage.did.index("inject") < stage.did.index("restored")
    assert trial.restored
    assert stage.did[-1] == "remove"
    if trial.verdict is Verdict.RECOVERED:
        assert outage < 25
        assert not fails
