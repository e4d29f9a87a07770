"""`kbz maintenance` over three hosts: what is handed over, what is refused before that, and what it eases.

A member is up while its file is there; the one with the file `lead` leads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change import guard, requests
from keybuzz.engine.change import run as runs
from keybuzz.engine.change.saved_plan import save
from keybuzz.engine.maintain import maintenance as engine
from keybuzz.engine.roll import restart_words
from keybuzz.engine.verbs import look
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import RefusedError, StoppedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change, Difference, Plan
from keybuzz.model.host.files import Absent, File
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.model.reports.report import Report
from keybuzz.report.text.report import report_text
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies
from tasks.base.upkeep_over import maintenance_over
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, conf, fleet

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=4)


def entry(host: str, until: datetime = LATER) -> Maintenance:
    return Maintenance(host, "a new disk is put in", NOW, until)


@dataclass
class Cluster:
    """The module, and what was noted."""

    three: Fleet
    noted: list[str] = field(default_factory=list)
    shown: list[tuple[str, int]] = field(default_factory=list)

    def module(self) -> Module:
        demo = Demo(self.three.hosts, members_up=self.up, checks=self.checks)
        return replace(demo.module(), release=self.release, maintenance_over=maintenance_over)

    def up(self, live: Live) -> frozenset[str]:
        there = {
            host: view.present(view.resources[0].identity) for host, view in live.hosts.items()
        }
        return frozenset(host for host in there if there[host])

    def checks(self, live: Live) -> tuple[Finding, ...]:
        away = sorted({server.name for server in live.members} - self.up(live))
        of_hosts = [Finding("demo.up", Level.CRITICAL, "is not up", host) for host in away]
        spare = f"no spare: {', '.join(away)} away" if away else "all are up"
        whole = Finding("demo.spare", Level.WARN if away else Level.OK, spare)
        lost = [Finding("demo.served", Level.CRITICAL, f"{away[0]} away")] if len(away) > 1 else []
        return (*of_hosts, whole, *lost)

    def release(self, live: Live, host: str) -> Stage | None:
        path = self.three.hosts[host].files / "lead"
        if not path.exists():
            return None
        gone = (Difference("there", True, False),)
        change = Change(host, live.module, Absent(str(path)), Action.UPDATE, gone, disrupts=False)
        return Stage(f"hand over from {host}", (change,))

    def put_on(self, host: str, answer: type[Exception] | None = None) -> Report:
        def consent(name: str, clusters: tuple[guard.Cluster, ...]) -> None:
            self.shown.extend((cluster.name, len(cluster.up)) for cluster in clusters)
            if answer is not None:
                raise StoppedError("nothing was changed")

        request = engine.OnRequest(entry(host), lambda: self.noted.append(host), consent)
        return engine.put_on(self.three.workspace, request)

    def lead(self, host: str) -> Path:
        path = self.three.hosts[host].files / "lead"
        path.write_text("it leads\n")
        return path

    def noting(self, *entries: Maintenance) -> None:
        site = replace(self.three.site, policies=Policies(maintenance=entries))
        self.three.nornir.config.user_defined["site"] = site
        self.three = replace(self.three, workspace=replace(self.three.workspace, site=site))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three members that are up, of which the first leads."""
    with fleet(tmp_path) as made:
        for host in HOSTS:
            start(made, host)
        found = Cluster(made)
        for room in (engine, runs):
            monkeypatch.setattr(room, "all_modules", lambda: (found.module(),))
        yield found


def start(three: Fleet, host: str) -> None:
    path = Path(conf(three.hosts[host]).path)
    path.write_text("new\n")
    path.chmod(0o644)


def stop(three: Fleet, host: str) -> None:
    Path(conf(three.hosts[host]).path).unlink()


def test_it_hands_over_first_and_is_noted_then(cluster: Cluster) -> None:
    lead = cluster.lead(FIRST)
    report = cluster.put_on(FIRST)
    assert (report.verb, report.error, report.exit_code) == ("maintenance", "", ExitCode.GOOD)
    assert not lead.exists()
    assert (cluster.noted, cluster.shown) == ([FIRST], [("demo", 3)])
    [record] = cluster.three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("maintenance", 0)
    assert [cluster.three.text(host) for host in HOSTS] == ["new\n"] * 3, "nothing else is done"


def test_without_a_spare_it_is_refused_and_nothing_is_handed_over(cluster: Cluster) -> None:
    lead = cluster.lead(FIRST)
    stop(cluster.three, THIRD)
    with pytest.raises(RefusedError, match="demo has no spare: 2 of 3"):
        cluster.put_on(FIRST)
    assert lead.exists()
    assert cluster.noted == []


def test_a_host_in_maintenance_is_no_spare_though_it_runs(cluster: Cluster) -> None:
    cluster.noting(entry(THIRD))
    with pytest.raises(RefusedError, match="demo has no spare: 2 of 3"):
        cluster.put_on(FIRST)
    cluster.noting(entry(THIRD, NOW - timedelta(hours=1)))
    assert cluster.put_on(FIRST).exit_code == ExitCode.GOOD, "its time is over"


def test_a_member_that_is_down_already_takes_no_spare(cluster: Cluster) -> None:
    stop(cluster.three, THIRD)
    assert cluster.put_on(THIRD).exit_code == ExitCode.GOOD
    assert cluster.noted == [THIRD]


def test_a_no_changes_nothing(cluster: Cluster) -> None:
    lead = cluster.lead(FIRST)
    with pytest.raises(StoppedError):
        cluster.put_on(FIRST, StoppedError)
    assert lead.exists()
    assert cluster.noted == []


def test_again_goes_on(cluster: Cluster) -> None:
    cluster.put_on(FIRST)
    cluster.noting(entry(FIRST))
    assert cluster.put_on(FIRST).exit_code == ExitCode.GOOD
    assert cluster.noted == [FIRST, FIRST]


def test_off_notes_it_also_where_the_host_is_away(cluster: Cluster) -> None:
    cluster.noting(entry(FIRST))
    request = engine.OffRequest(FIRST, lambda: cluster.noted.append("off"))
    assert engine.take_off(cluster.three.workspace, request).exit_code == ExitCode.GOOD
    assert cluster.noted == ["off"]


def health(cluster: Cluster) -> Report:
    return look(cluster.three.workspace, "health", (cluster.module(),), frozenset(HOSTS))


def test_health_counts_nothing_of_the_host_and_says_why(cluster: Cluster) -> None:
    stop(cluster.three, THIRD)
    assert health(cluster).exit_code == ExitCode.DIFFERENT
    cluster.noting(entry(THIRD))
    report = health(cluster)
    assert report.exit_code == ExitCode.GOOD
    assert {finding.level for finding in report.findings} == {Level.OK}
    [own] = [finding for finding in report.findings if finding.check == "demo.up"]
    assert own.message.startswith("in maintenance until ")
    assert "a new disk is put in (was critical: is not up)" in own.message
    text = " ".join(report_text(report).split())
    assert f"{THIRD}: in maintenance until" in text
    assert "3 of 3 hosts, 1 in maintenance" in text
    assert [(one.members, one.up, one.spare) for one in report.quorums.values()] == [(3, 2, 0)]


def test_a_cluster_that_does_not_serve_is_a_fault_whatever_is_planned(cluster: Cluster) -> None:
    cluster.noting(entry(SECOND))
    stop(cluster.three, SECOND)
    stop(cluster.three, THIRD)
    bad = {f.check: f.host for f in health(cluster).findings if f.level is Level.CRITICAL}
    assert bad == {"demo.up": THIRD, "demo.served": ""}


def test_after_its_end_it_is_a_finding_and_faults_count_again(cluster: Cluster) -> None:
    cluster.noting(entry(THIRD, NOW - timedelta(minutes=1)))
    assert {f.check: f.level for f in health(cluster).findings if f.host} == {
        "base.maintenance.over": Level.CRITICAL
    }
    stop(cluster.three, THIRD)
    assert {f.check for f in health(cluster).findings if f.level is Level.CRITICAL} == {
        "base.maintenance.over",
        "demo.up",
    }


def test_a_run_leaves_it_out_unless_it_is_named(cluster: Cluster) -> None:
    cluster.noting(entry(THIRD))
    work, every = cluster.three.workspace, frozenset(HOSTS)
    assert requests.without_resting(work, every, ()) == {FIRST, SECOND}
    [left_out] = [e for e in cluster.three.heard.events if isinstance(e, events.LeftOut)]
    assert left_out.host == THIRD
    assert requests.without_resting(work, every, (f"db,{THIRD}",)) == every
    with pytest.raises(RefusedError, match="all that is selected is in maintenance"):
        requests.without_resting(work, frozenset({THIRD}), ("db",))


@dataclass(frozen=True, slots=True)
class OfMember(File):
    """Something inside the cluster that is about one member."""

    @property
    def about_member(self) -> str:
        return SECOND


def test_what_is_about_it_inside_the_cluster_is_left_as_it_is(cluster: Cluster) -> None:
    files = cluster.three.hosts[FIRST].files
    inside = tuple(
        kind(str(files / name), Content.plain("there\n"))
        for kind, name in ((OfMember, "of-member"), (File, "of-all"))
    )

    def described() -> list[str]:
        plain = cluster.module()
        module = replace(
            plain,
            describe=lambda site, server: replace(plain.describe(site, server), cluster=inside),
            writer=lambda live: FIRST,
        )
        # The host itself need not be selected: what is inside is written by the one that leads.
        report = look(cluster.three.workspace, "plan", (module,), frozenset({FIRST}))
        return [change.resource.name.rpartition("/")[2] for change in report.plan.of(FIRST)]

    assert described() == ["of-member", "of-all"]
    cluster.noting(entry(SECOND))
    assert described() == ["of-all"]
    cluster.noting(entry(SECOND, NOW - timedelta(hours=1)))
    assert described() == ["of-member", "of-all"], "its time is over"


def test_the_last_worker_that_could_take_pods_stays(cluster: Cluster) -> None:
    """Members without a vote are no quorum, and still need another one to go to."""
    plain = cluster.module()
    module = replace(plain, voters=lambda live: frozenset({FIRST}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "all_modules", lambda: (module,))
        patch.setattr(cluster, "up", lambda live: frozenset({FIRST}))
        assert cluster.put_on(SECOND).exit_code == ExitCode.GOOD
        cluster.noting(entry(SECOND))
        with pytest.raises(RefusedError, match="no other worker of demo answers"):
            cluster.put_on(THIRD)
    assert cluster.noted == [SECOND]


def test_resume_leaves_it_out_and_what_needs_every_member_is_refused(cluster: Cluster) -> None:
    journal = cluster.three.workspace.journal
    cluster.three.run(cluster.module())
    [record] = journal.runs()
    cluster.noting(entry(THIRD))
    work = cluster.three.workspace
    words = requests.Words((), (), False, 0.0, 60.0, (), "", since=record.number)
    assert requests.from_names(work, replace(words, modules=("patroni",))).selected == {
        FIRST,
        SECOND,
    }
    again = restart_words.RestartWords("patroni", reboot=True, since=record.number)
    assert restart_words.from_words(work, again).selected == {FIRST, SECOND}
    with pytest.raises(RefusedError, match=r"it is in maintenance until .*, and all must"):
        requests.require_awake(work, frozenset(HOSTS), "all must")
    requests.require_awake(work, frozenset({FIRST, SECOND}), "all must")


@pytest.mark.parametrize("host", [FIRST, THIRD])
def test_a_saved_plan_that_changes_it_is_refused(
    cluster: Cluster, tmp_path: Path, host: str
) -> None:
    change = Change(host, "base", conf(cluster.three.hosts[host]), Action.UPDATE, ())
    path = tmp_path / "plan.json"
    save(path, Plan({host: (change,)}), ("base",), frozenset(HOSTS))
    words = requests.Words((), (), False, 0.0, 60.0, (), "")
    cluster.noting(entry(THIRD))
    if host == THIRD:
        with pytest.raises(RefusedError, match=r"it is in maintenance until .*plan\.json changes"):
            requests.from_plan(cluster.three.workspace, path, words)
    else:
        found = requests.from_plan(cluster.three.workspace, path, words)
        assert found.selected == {FIRST, SECOND}


def test_no_second_member_is_taken_out_while_one_is_in_maintenance(cluster: Cluster) -> None:
    cluster.noting(entry(THIRD))
    with pytest.raises(RefusedError, match="no spare"):
        cluster.put_on(SECOND)


@pytest.mark.parametrize(("down", "kept"), [((), 1), ((THIRD,), 0)])
def test_a_run_interrupts_no_other_member_while_one_is_in_maintenance(
    cluster: Cluster, down: tuple[str, ...], kept: int
) -> None:
    """It may stop at any moment; and while it runs it is in the quorum that there is to lose."""
    cluster.noting(entry(SECOND))
    for host in down:
        stop(cluster.three, host)
    Path(conf(cluster.three.hosts[FIRST]).path).write_text("old\n")

    def interrupting(live: Live) -> Stage | None:
        changes = tuple(replace(change, disrupts=True) for change in live.changes())
        return Stage("restart", changes) if changes else None

    module = replace(cluster.module(), next_stage=interrupting)
    report = cluster.three.run(module, only=(FIRST,))
    assert (report.exit_code, cluster.three.text(FIRST)) == (ExitCode.REFUSED, "old\n")
    assert f"demo would keep {kept} of 3 members; it needs 2" in report.error


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("4h", 14400), ("2d", 172800), ("2027-01-01T00:30Z", 1800)],
)
def test_a_time_or_a_span_is_taken(text: str, seconds: int) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert (engine.until_of(text, now) - now).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "soon", "h", "-4h", "2027-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        engine.until_of(text, NOW)


def test_a_time_that_no_calendar_has_in_utc_is_refused() -> None:
    with pytest.raises(OverflowError):
        engine.until_of("9999-12-31T23:59-12:00", NOW)
