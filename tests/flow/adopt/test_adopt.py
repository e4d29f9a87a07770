"""`kbz adopt` looks only, shows no secret, and foretells what the run after it does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.agent.guard import opener
from keybuzz.engine.adopt.adopt import adopt
from keybuzz.engine.memory.first_install import first_installs
from keybuzz.engine.verbs import planned
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.files import File
from keybuzz.model.host.ground import Ground
from keybuzz.model.reports.adoption import Adoption, Way
from keybuzz.report.screen.adoption import adoption_document, adoption_text
from keybuzz.report.screen.stages import stages_text
from keybuzz.site.module import Module
from keybuzz.site.policies import Policies
from tasks.k3s.service.resources import K3sToken
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, Demo, Fleet, fleet
from tests.flow.support.links import register

OURS, LIVE = "the-token-of-the-store", "the-token-of-the-live-cluster"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        site = replace(made.site, policies=Policies(freeze=("patroni",)))
        made.nornir.config.user_defined["site"] = site
        yield replace(made, workspace=replace(made.workspace, site=site))


def described(host: ScratchHost) -> tuple[Resource, ...]:
    conf = File(str(host.files / "app.conf"), Content.plain("new\n"))
    return conf, K3sToken(Secret("K3S_TOKEN", OURS))


def looked(three: Fleet, module: Module) -> Adoption:
    """Adopt, and see that no host was changed by it."""
    files = [
        path for host in three.hosts.values() for path in host.root.rglob("*") if path.is_file()
    ]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}
    found = adopt(three.workspace, (module,), frozenset(HOSTS))
    after = [
        path for host in three.hosts.values() for path in host.root.rglob("*") if path.is_file()
    ]
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in after} == before
    return found


def shown(found: Adoption) -> str:
    return adoption_text(found) + json.dumps(adoption_document(found))


def test_what_is_foretold_is_what_the_run_does(three: Fleet) -> None:
    module = Demo(three.hosts, described).module()
    (three.hosts[FIRST].files / "app.conf").write_text("old\n")
    found = looked(three, replace(module, virgin=lambda live: True))
    (item,) = found.modules
    assert (item.files, item.restarts, item.refusals, item.frozen) == (3, 0, (), False)
    assert item.counted[Way.LIVE] == 3
    done = three.run(replace(module, virgin=lambda live: True))
    assert sum(host.changed for host in done.hosts.values()) == len(item.differences)
    again = looked(three, module)
    assert again.done
    assert "is as described: a run changes nothing" in adoption_text(again)


def test_a_live_credential_and_a_freeze_are_named_and_never_shown(three: Fleet) -> None:
    path = three.hosts[SECOND].root / "var-lib/rancher/k3s/server/token"
    path.parent.mkdir(parents=True)
    path.write_text(LIVE)
    (three.hosts[FIRST].files / "app.conf").write_text("password: hunter2-unknown\n")
    module = replace(Demo(three.hosts, described).module(), virgin=lambda live: False)
    found = looked(three, module)
    (item,) = found.modules
    assert item.frozen
    assert [d.host for d in item.differences if d.way is Way.DECISION] == [SECOND]
    assert "K3S_TOKEN" in item.refusals[0].what
    first, second, *others = planned(three.workspace, (module,), frozenset(HOSTS)).stages
    assert (SECOND in first.refused, "K3S_TOKEN" in first.refused) == (True, True)
    assert "--lift-freeze demo" in second.refused
    assert others
    assert not [stage for stage in others if stage.reached]
    text = shown(found) + stages_text((first, second, *others))
    assert "k3s.env" in text
    assert not [secret for secret in (LIVE, OURS, "hunter2") if secret in text]
    assert three.run(module).exit_code == ExitCode.REFUSED


def test_data_elsewhere_and_the_rollouts_own_refusal_are_both_told(three: Fleet) -> None:
    old = three.hosts[SECOND].files / "old"
    old.mkdir()
    (old / "dump.rdb").write_bytes(b"REDIS0012")

    def refuses(live: Live) -> Stage | None:
        raise RefusedError("the owner decides", where=next(iter(live.hosts)), hint="ask")

    ground = Ground(("redis",), ("/opt/none",), (), (str(old),))
    module = replace(Demo(three.hosts).module(), ground=ground, next_stage=refuses)
    (item,) = looked(three, module).modules
    assert [refusal.hint for refusal in item.refusals][-1] == "ask"
    assert f"data of another installation is there: redis in {old}" in item.refusals[0].what


def test_what_cannot_be_read_is_foretold_as_frozen_as_the_run_refuses_it(three: Fleet) -> None:
    module = replace(Demo(three.hosts, described).module(), virgin=lambda live: True)
    with (three.hosts[FIRST].files / "app.conf").open("wb") as file:
        file.truncate(opener.LARGE + 1)
    (item,) = looked(three, module).modules
    assert item.frozen
    done = three.run(module)
    assert done.exit_code == ExitCode.REFUSED
    assert "is frozen" in done.error


def test_a_first_install_that_was_cut_off_is_not_foretold_as_frozen(three: Fleet) -> None:
    module = replace(Demo(three.hosts, described).module(), virgin=lambda live: False)
    assert looked(three, module).modules[0].frozen
    assert planned(three.workspace, (module,), frozenset(HOSTS)).stages[0].refused
    three.workspace.journal.begin("run", ("kbz run demo",), ("demo",), 1.0, Path("/"))
    first_installs(three.workspace).begin(module.name, HOSTS)
    assert not looked(three, module).modules[0].frozen
    stages = planned(three.workspace, (module,), frozenset(HOSTS)).stages
    assert stages
    assert not [stage for stage in stages if stage.refused or not stage.reached]
    assert three.run(module).exit_code == ExitCode.GOOD


def test_a_plan_goes_on_where_the_journal_behind_a_mark_cannot_be_read(
    three: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = replace(Demo(three.hosts, described).module(), virgin=lambda live: False)
    three.workspace.journal.begin("run", ("kbz run demo",), ("demo",), 1.0, Path("/"))
    first_installs(three.workspace).begin(module.name, HOSTS)

    def damaged(number: int) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(three.workspace.journal, "run", damaged)
    report = planned(three.workspace, (module,), frozenset(HOSTS))
    assert report.plan.size
    assert "FRZ-1" in report.stages[0].refused


def test_a_foreign_cluster_is_refused_before_any_change_of_any_module(three: Fleet) -> None:
    """Base restarted Docker and closed the firewall before a wrong password was refused."""
    first = Demo(three.hosts, described).module()
    for host in three.hosts.values():
        (host.files / "app.conf").write_text("old\n")

    def refuses(live: Live) -> None:
        raise RefusedError("it does not take the password", where=live.module, hint="take it over")

    second = replace(first, name="second", foreign=refuses, next_stage=lambda live: None)
    stages = planned(three.workspace, (first, second), frozenset(HOSTS)).stages
    assert "does not take the password" in stages[0].refused
    assert not [stage for stage in stages[1:] if stage.reached]
    done = three.run(first, second)
    assert done.exit_code == ExitCode.REFUSED
    assert "does not take the password" in done.error
    for host in three.hosts.values():
        assert (host.files / "app.conf").read_text() == "old\n"
