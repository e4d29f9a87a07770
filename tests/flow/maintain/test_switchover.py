"""`kbz switchover` over three hosts: who is asked, what is refused before anything changes, and what is told of it.

The host that has the described file leads; handing over is to remove it there, and to make it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.maintain import switchover as engine
from keybuzz.model.core.errors import KbzError, RefusedError, StoppedError, UsageError
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.record import report_document
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.files import Absent
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.drill import Workload, WorkloadKind
from keybuzz.model.reports.handover import Candidate, PlannedHandover
from keybuzz.model.reports.report import Report
from keybuzz.report.text.report import report_text
from keybuzz.site.drill import Drill
from keybuzz.site.module import Module, Switchover
from keybuzz.site.policies import Policies
from tests.flow.maintain import paper_client
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, fleet

PAPER = WorkloadKind("paper", "json", "paper", paper_client.__name__)


@dataclass
class Cluster:
    """The module, and what it was told."""

    three: Fleet
    unable: dict[str, str] = field(default_factory=dict)
    goes_to: str = ""
    """Who leads afterwards, whatever was asked for."""
    writes: bool = False

    def module(self) -> Module:
        writes = Workload(PAPER, "10.0.0.10", 5432, "u", Secret("p", "x"))
        drill = Drill("demo", lambda site, scenario: writes, lambda live, scenario, victim: None)
        return replace(
            Demo(self.three.hosts).module(),
            switchover=Switchover(self.leads, self.candidates, self.stage),
            drills=(drill,) if self.writes else (),
        )

    def entry(self) -> Module:
        """The entry before the cluster, which leads to the host that has the file."""
        return replace(
            Demo(self.three.hosts, name="entry").module(),
            fronts="demo",
            switchover=Switchover(self.leads, self.candidates, self.stage),
            lead_as_described=self.lead_as_described,
        )

    def lead_as_described(self, live: Live) -> Stage | None:
        gone = (Difference("there", True, False),)
        changes = tuple(
            Change(host, live.module, Absent(view.resources[0].name), Action.UPDATE, gone)
            for host, view in live.hosts.items()
            if host != FIRST and not view.changes
        )
        return Stage("as described", (*changes, *live.hosts[FIRST].changes)) if changes else None

    def noting(self, host: str) -> None:
        now = datetime.now(UTC)
        resting = Maintenance(host, "a new disk is put in", now, now + timedelta(hours=4))
        site = replace(self.three.site, policies=Policies(maintenance=(resting,)))
        self.three.nornir.config.user_defined["site"] = site
        self.three = replace(self.three, workspace=replace(self.three.workspace, site=site))

    def leads(self, live: Live, servers: tuple[Server, ...]) -> str:
        found = [host for host, view in live.hosts.items() if not view.changes]
        if len(found) != 1:
            raise RefusedError(f"{len(found)} lead", where="demo")
        return found[0]

    def candidates(self, live: Live, servers: tuple[Server, ...]) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(server.name, "well", self.unable.get(server.name, ""))
            for server in servers
            if server.name != self.leads(live, servers)
        )

    def stage(self, live: Live, server: Server, to: Server | None) -> Stage:
        name = self.goes_to or (to.name if to is not None else THIRD)
        path = self.three.hosts[server.name].files / "app.conf"
        gone = Change(
            server.name,
            live.module,
            Absent(str(path)),
            Action.UPDATE,
            (Difference("there", True, False),),
        )
        wanted = to.name if to is not None else name

        def reason(now: Live) -> str | None:
            leader = self.leads(now, ())
            return None if leader == wanted else f"{leader} leads instead of {wanted}"

        changes = (gone, *live.hosts[name].changes)
        return Stage("hand over", changes, after=Gate(f"{wanted} leads", reason, 0.5))

    def hand_over(self, to: str = "", **words: object) -> Report:
        request = engine.SwitchoverRequest("demo", to, timeout=60.0)
        return engine.switchover(self.three.workspace, replace(request, **words))  # type: ignore[arg-type]  # its own fields


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three members, of which the first leads."""
    with fleet(tmp_path) as made:
        lead(made, FIRST)
        yield made


@pytest.fixture
def cluster(three: Fleet, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    found = Cluster(three)
    monkeypatch.setattr(engine, "all_modules", lambda: (found.module(),))
    return found


def lead(three: Fleet, host: str) -> None:
    for other in HOSTS:
        path = three.hosts[other].files / "app.conf"
        path.unlink(missing_ok=True)
        if other == host:
            path.write_text("new\n")
            path.chmod(0o644)


def leader(three: Fleet) -> list[str]:
    return [host for host in HOSTS if three.text(host) is not None]


def test_the_lead_goes_to_the_named_member_and_the_daemons_are_asked(cluster: Cluster) -> None:
    report = cluster.hand_over(SECOND, measure=False)
    assert (report.verb, report.error, report.exit_code) == ("switchover", "", ExitCode.GOOD)
    assert leader(cluster.three) == [SECOND]
    assert report.handover is not None
    assert (report.handover.planned.leader, report.handover.after) == (FIRST, SECOND)
    text = " ".join(report_text(report).split())
    assert f"demo: {FIRST} led, {SECOND} leads now" in text
    assert "not measured: no writes were asked for" in text
    [record] = cluster.three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("switchover", 0)
    document = report_document(report)["handover"]
    assert (document["before"], document["to"], document["after"]) == (FIRST, SECOND, SECOND)


def test_without_a_name_the_service_chooses(cluster: Cluster) -> None:
    assert cluster.hand_over(measure=False).exit_code == ExitCode.GOOD
    assert leader(cluster.three) == [THIRD]


def test_one_that_leads_already_has_nothing_to_take(cluster: Cluster) -> None:
    report = cluster.hand_over(FIRST, measure=False)
    assert report.exit_code == ExitCode.GOOD
    assert not [e for e in cluster.three.heard.events if isinstance(e, events.StageStarted)]
    assert "leads already" in report_text(report)


@pytest.mark.parametrize(
    ("to", "unable", "what"),
    [
        (SECOND, {SECOND: "it is far behind"}, "it cannot take over now: it is far behind"),
        ("", {SECOND: "a", THIRD: "b"}, "no member could take over"),
    ],
)
def test_a_candidate_that_could_not_lead_is_refused_before_anything_changes(
    cluster: Cluster, to: str, unable: dict[str, str], what: str
) -> None:
    cluster.unable = unable
    with pytest.raises(RefusedError, match=what):
        cluster.hand_over(to, measure=False)
    assert leader(cluster.three) == [FIRST]
    [record] = cluster.three.workspace.journal.runs()
    assert record.exit_code == ExitCode.REFUSED


def test_one_in_maintenance_does_not_take_over(cluster: Cluster) -> None:
    cluster.noting(THIRD)
    with pytest.raises(RefusedError, match="cannot take over now: it is in maintenance until"):
        cluster.hand_over(THIRD, measure=False)
    assert leader(cluster.three) == [FIRST]
    report = cluster.hand_over(measure=False)
    assert (report.error, leader(cluster.three)) == ("", [SECOND]), "the service would take THIRD"


def test_an_entry_that_was_led_elsewhere_halfway_is_taken_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        engine, "all_modules", lambda: (replace(cluster.module(), switchover=None), cluster.entry())
    )
    cluster.goes_to = THIRD
    report = cluster.hand_over(SECOND, measure=False)
    assert report.exit_code == ExitCode.FAILED
    assert f"{THIRD} leads instead of {SECOND}" in report.error
    assert leader(cluster.three) == [FIRST]
    cluster.goes_to = ""
    assert cluster.hand_over(SECOND, measure=False).error == ""
    assert leader(cluster.three) == [SECOND], "what was asked for stays"


def test_names_that_are_none_are_usage(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="is no member of demo"):
        cluster.hand_over("db-9", measure=False)
    with pytest.raises(UsageError, match="nothing is known of a lead of dmeo"):
        engine.look(cluster.three.workspace, engine.SwitchoverRequest("dmeo"))


def test_a_look_writes_nothing(cluster: Cluster) -> None:
    report = engine.look(cluster.three.workspace, engine.SwitchoverRequest("demo", SECOND))
    assert (report.exit_code, report.number) == (ExitCode.GOOD, 0)
    assert report.handover is not None
    planned = report.handover.planned
    assert (planned.leader, planned.able, planned.to) == (FIRST, (SECOND, THIRD), SECOND)
    assert leader(cluster.three) == [FIRST]
    assert cluster.three.workspace.journal.runs() == ()


def ask(act: Callable[[], object]) -> Callable[[PlannedHandover], bool]:
    def consent(planned: PlannedHandover) -> bool:
        act()
        return True

    return consent


def test_a_no_hands_over_nothing(cluster: Cluster) -> None:
    def no() -> None:
        raise StoppedError("nothing was changed")

    with pytest.raises(StoppedError):
        cluster.hand_over(SECOND, measure=False, consent=ask(no))
    assert leader(cluster.three) == [FIRST]


def test_a_cluster_that_has_changed_since_it_was_shown_is_left_alone(cluster: Cluster) -> None:
    meanwhile = ask(lambda: lead(cluster.three, THIRD))
    with pytest.raises(RefusedError, match=f"has changed since this was shown: {THIRD} leads"):
        cluster.hand_over(SECOND, measure=False, consent=meanwhile)
    assert leader(cluster.three) == [THIRD]


def test_another_leader_than_the_named_one_is_no_success(cluster: Cluster) -> None:
    cluster.goes_to = THIRD
    report = cluster.hand_over(SECOND, measure=False)
    assert report.exit_code == ExitCode.FAILED
    assert f"{THIRD} leads instead of {SECOND}" in report.error
    assert report.handover is not None
    assert report.handover.after == THIRD


def test_writes_measure_the_gap_and_none_is_lost(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.writes = True
    book = paper_client.Book()
    monkeypatch.setattr(paper_client, "BOOK", book)
    report = cluster.hand_over(SECOND)
    assert (report.error, report.exit_code) == ("", ExitCode.GOOD)
    assert report.handover is not None
    assert report.handover.tally is not None
    assert (report.handover.tally.lost, report.handover.unmeasured) == (0, "")
    assert report.handover.seconds is not None
    assert report.handover.tally.acknowledged >= 10
    assert (book.place, book.removed) == ("kbz_switchover", True)


def test_an_acknowledged_write_that_is_lost_fails_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.writes = True
    monkeypatch.setattr(paper_client, "BOOK", paper_client.Book(loses=3))
    report = cluster.hand_over(SECOND)
    assert report.exit_code == ExitCode.FAILED
    assert "1 acknowledged writes are lost, and none may be" in report.error


def test_an_endpoint_that_takes_no_writes_keeps_nothing_from_being_handed_over(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.writes = True
    monkeypatch.setattr(paper_client, "BOOK", paper_client.Book(closed="no route to host"))
    report = cluster.hand_over(SECOND)
    assert report.exit_code == ExitCode.GOOD
    assert leader(cluster.three) == [SECOND]
    assert report.handover is not None
    assert report.handover.seconds is None
    assert "10.0.0.10:5432 takes no writes of ours: no route to host" in report.handover.unmeasured


def test_what_is_refused_after_the_writes_began_removes_them(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.writes = True
    book = paper_client.Book()
    monkeypatch.setattr(paper_client, "BOOK", book)

    def refused(conductor: object, *rest: object) -> None:
        raise RefusedError("its majority would be gone", where="demo")

    monkeypatch.setattr(engine, "_hand_over", refused)
    with pytest.raises(KbzError, match="majority would be gone"):
        cluster.hand_over(SECOND)
    assert book.removed
    assert leader(cluster.three) == [FIRST]
