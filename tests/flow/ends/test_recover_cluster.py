"""`kbz recover` over three hosts: who is started, what is refused before that, and what is told of it.

A member of this cluster serves with the described file, runs without serving with another, and is stopped without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from keybuzz.engine import events
from keybuzz.engine.change import recover as recovering
from keybuzz.engine.change.recover import Operator, recover
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, UsageError
from keybuzz.model.core.finding import CheckInfo, Finding, Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.reading import Answer, FileText
from keybuzz.model.host.files import Absent, File
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import Report
from keybuzz.site.module import Likeness, Module, Position, Recovery
from keybuzz.site.policies import Policies
from keybuzz.site.site import Site
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, fleet, one_by_one

NAME = "the-demo-cluster"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    """Three stopped members of a cluster that policies.yaml freezes; the third has the most."""
    with fleet(tmp_path) as made:
        site = replace(made.site, policies=Policies(freeze=("patroni",)))
        made.nornir.config.user_defined["site"] = site
        for number, host in enumerate(HOSTS):
            (made.hosts[host].files / "position").write_text(str(number + 5))
        yield replace(made, workspace=replace(made.workspace, site=site))


@dataclass
class Cluster:
    """The module, and what its recovery was asked."""

    three: Fleet
    next_stage: Callable[[Live], Stage | None] = one_by_one
    likeness: bool = True
    chosen: list[tuple[tuple[Position, ...], str]] = field(default_factory=list)
    shown: list[tuple[tuple[Position, ...], str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    askable: Callable[[Live], Stage | None] = lambda live: None
    startable: Callable[[Live], Stage | None] = lambda live: None

    def module(self) -> Module:
        recovery = Recovery(
            lambda site: NAME,
            self.halt,
            self.question("position"),
            self.position,
            self.choose,
            lambda live, host: Stage(f"start {host}", live.hosts[host].changes),
            self.forget,
            self.askable,
            self.startable,
        )
        likeness = Likeness(
            lambda level, message, host, hint: Finding("demo.same", level, message, host, hint),
            self.question("app.conf"),
            lambda answer: {"all": str(answer.value["text"])},
        )
        return replace(
            Demo(self.three.hosts, next_stage=self.next_stage).module(),
            recovery=recovery,
            likeness=likeness if self.likeness else None,
            check_infos=(CheckInfo("demo.same", "t", "m", "n"),),
        )

    def question(self, name: str) -> Callable[[Site, Server], FileText]:
        hosts = self.three.hosts
        return lambda site, server: FileText(f"demo.{name}", str(hosts[server.name].files / name))

    def halt(self, live: Live) -> Stage | None:
        there = {
            host: view.present(view.resources[0].identity) for host, view in live.hosts.items()
        }
        if any(there[host] and not view.changes for host, view in live.hosts.items()):
            raise RefusedError("a member serves", where="demo")
        paths = {host: self.three.hosts[host].files / "app.conf" for host in there if there[host]}
        stopping = tuple(gone(live, host, path) for host, path in paths.items())
        return Stage("stop", stopping) if stopping else None

    def position(self, host: str, answer: Answer) -> Position:
        known = answer.known
        return Position(
            host, "H", int(answer.value["text"]) if known else -1, False, answer.problem
        )

    def choose(self, positions: tuple[Position, ...], source: str) -> str:
        self.chosen.append((positions, source))
        if unknown := [item.host for item in positions if item.number < 0]:
            raise RefusedError("its position is not known", where=unknown[0])
        return source or max(positions, key=lambda item: item.number).host

    def forget(self, live: Live, host: str) -> Stage | None:
        files = {other: self.three.hosts[other].files / "position" for other in HOSTS}
        return Stage(
            "forget", tuple(gone(live, other, files[other]) for other in HOSTS if other != host)
        )

    def recover(
        self,
        monkeypatch: pytest.MonkeyPatch,
        typed: Callable[[], str] = lambda: NAME,
        source: str = "",
    ) -> Report:
        module = self.module()
        monkeypatch.setattr(recovering, "all_modules", lambda: (module,))

        def ask(cluster: str, purpose: str) -> str:
            self.asked.append((cluster, purpose))
            return typed()

        operator = Operator(lambda *told: self.shown.append(told), ask, source)
        return recover(self.three.workspace, "demo", operator, 0.0, 60.0)

    def refused(
        self, monkeypatch: pytest.MonkeyPatch, typed: Callable[[], str] = lambda: NAME
    ) -> KbzError:
        with pytest.raises(KbzError) as caught:
            self.recover(monkeypatch, typed)
        return caught.value


def gone(live: Live, host: str, path: Path) -> Change:
    difference = Difference("there", True, False)
    return Change(host, live.module, Absent(str(path)), Action.UPDATE, (difference,))


def stages(three: Fleet) -> list[str]:
    return [e.name for e in three.heard.events if isinstance(e, events.StageStarted)]


def texts(three: Fleet) -> list[str | None]:
    return [three.text(host) for host in HOSTS]


def run(three: Fleet, host: str, text: str) -> None:
    (three.hosts[host].files / "app.conf").write_text(text)


def test_the_member_with_the_most_is_started_first_and_the_rollout_brings_the_others(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(three)
    begun = time.monotonic()
    report = cluster.recover(monkeypatch)
    assert (report.verb, report.error, report.exit_code) == ("recover", "", ExitCode.GOOD)
    assert 0 < report.seconds <= time.monotonic() - begun
    assert stages(three) == [f"start {THIRD}", f"bring {FIRST}", f"bring {SECOND}"]
    assert texts(three) == ["new\n"] * 3
    positions = tuple(Position(h, "H", n, False, "") for h, n in zip(HOSTS, (5, 6, 7), strict=True))
    assert cluster.chosen == [(positions, "")]
    assert cluster.shown == [(positions, THIRD)]
    assert cluster.asked == [(NAME, f"to start it from {THIRD}")]
    planned = [event for event in three.heard.events if isinstance(event, events.Planned)]
    assert [event.plan.size for event in planned] == [3]
    # What was described is there, and the data of all was compared: as a frozen cluster, without a lift.
    assert [(f.check, f.level, f.message) for f in report.findings] == [
        ("demo.same", Level.OK, "1 tables are the same on 3 members")
    ]
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code, record.number) == ("recover", 0, report.number)
    assert all((three.hosts[host].files / "position").exists() for host in HOSTS)


def test_beside_a_named_member_all_others_forget_their_positions_before_it_starts(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(three, SECOND, "old\n")
    cluster = Cluster(three, likeness=False)
    report = cluster.recover(monkeypatch, source=FIRST)
    assert (report.error, report.exit_code, report.findings) == ("", ExitCode.GOOD, ())
    assert stages(three) == [
        "stop", "forget", f"start {FIRST}", f"bring {SECOND}", f"bring {THIRD}",
    ]  # fmt: skip
    there = [host for host in HOSTS if (three.hosts[host].files / "position").exists()]
    assert there == [FIRST]
    assert [source for _, source in cluster.chosen] == [FIRST]
    assert cluster.asked == [(NAME, f"to start it from {FIRST}")]


def test_a_name_that_was_not_typed_starts_nothing(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(three)
    error = cluster.refused(monkeypatch, lambda: "something else")
    assert (error.what, error.where, error.code) == (
        f"the name of the cluster was not typed: it is {NAME}", "demo", ExitCode.REFUSED,
    )  # fmt: skip
    assert error.hint == "nothing was started; its members are stopped"
    assert (stages(three), texts(three)) == ([], [None] * 3)


def test_a_member_that_was_stopped_for_a_name_that_was_not_typed_is_remembered(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(three, SECOND, "old\n")
    error = Cluster(three).refused(monkeypatch, lambda: "something else")
    assert "was not typed" in error.what
    assert (stages(three), texts(three)) == (["stop"], [None] * 3)
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("recover", ExitCode.REFUSED)
    remembered = three.workspace.journal.hosts(record.number)
    assert {found.host for found in remembered} == set(HOSTS)


def test_a_recovery_that_changed_nothing_remembers_no_host(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(three).refused(monkeypatch, lambda: "something else")
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("recover", ExitCode.REFUSED)
    assert three.workspace.journal.hosts(record.number) == ()


def files(three: Fleet, name: str) -> Callable[[Live], Stage | None]:
    """Return a stage that makes a file where a host lost it, as after a new operating system."""

    def stage(live: Live) -> Stage | None:
        paths = {host: three.hosts[host].files / name for host in HOSTS}
        changes = tuple(
            Change(host, live.module, File(str(path), Content.plain("6\n")), Action.CREATE, ())
            for host, path in paths.items()
            if not path.exists()
        )
        return Stage(f"make {name}", changes) if changes else None

    return stage


def test_what_positions_are_read_with_is_made_first_and_the_rest_before_the_start(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (three.hosts[SECOND].files / "position").unlink()
    cluster = Cluster(
        three, askable=files(three, "position"), startable=files(three, "start"), likeness=False
    )
    assert cluster.recover(monkeypatch).exit_code == ExitCode.GOOD
    assert stages(three)[:3] == ["make position", "make start", f"start {THIRD}"]
    assert [item.number for item in cluster.shown[0][0]] == [5, 6, 7]
    assert cluster.asked == [
        (NAME, f"to bring back what is missing on {SECOND}"),
        (NAME, f"to start it from {THIRD}"),
    ]


def test_before_the_name_was_typed_nothing_is_made(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (three.hosts[SECOND].files / "position").unlink()
    cluster = Cluster(three, askable=files(three, "position"))
    error = cluster.refused(monkeypatch, lambda: "something else")
    assert "was not typed" in error.what
    assert (stages(three), cluster.shown, cluster.chosen) == ([], [], [])
    assert not (three.hosts[SECOND].files / "position").exists()


def test_positions_that_prove_nothing_are_shown_without_a_choice(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (three.hosts[SECOND].files / "position").unlink()
    cluster = Cluster(three)
    assert cluster.refused(monkeypatch).where == SECOND
    [(positions, host)] = cluster.shown
    assert host == ""
    assert [item.number for item in positions] == [5, -1, 7]
    assert (cluster.asked, stages(three)) == ([], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("new\n", "a member serves"),
        ("old\n", "members were started since their positions were read"),
    ],
)
def test_a_member_that_was_started_while_the_name_was_typed_ends_it(
    three: Fleet, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    def typed() -> str:
        run(three, FIRST, text)
        return NAME

    error = Cluster(three).refused(monkeypatch, typed)
    assert (error.what, error.where) == (said, "demo")
    assert stages(three) == []
    assert texts(three) == [text, None, None]


def test_a_rollout_that_fails_after_the_start_is_reported_and_compares_nothing(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(live: Live) -> Stage | None:
        raise StepError("the others do not join", where="demo")

    report = Cluster(three, next_stage=fails).recover(monkeypatch)
    assert (report.exit_code, report.findings) == (ExitCode.FAILED, ())
    assert "the others do not join" in report.error
    assert texts(three) == [None, None, "new\n"]
    [record] = three.workspace.journal.runs()
    assert (record.verb, record.exit_code) == ("recover", ExitCode.FAILED)


def test_what_cannot_be_recovered_is_told_with_the_nearest_that_can(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(three)
    cluster.recover(monkeypatch)
    operator = Operator(lambda positions, host: None, lambda cluster, host: cluster)
    with pytest.raises(UsageError, match="how to recover demmo") as error:
        recover(three.workspace, "demmo", operator, 0.0, 60.0)
    assert "demo" in error.value.hint
