"""Receivers of site.yaml are told of backups, restores and drills of them, over a real connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.backup.take import verify
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.parameters.receivers import Receiver, Web
from tests.unit.engine.backup.test_stored import VERBS, StoreHost, at
from tests.unit.engine.notify.receivers import Post, web_server
from tests.unit.tasks.backup.backup_world import kept


@pytest.fixture
def web() -> Iterator[Post]:
    with web_server() as post:
        yield post


def told_at(path: Path, host: StoreHost, web: Post) -> Workspace:
    path.chmod(0o700)
    work = at(path, host)
    place = Web(f"http://127.0.0.1:{web.port}/", "", slack=False)
    ops = Receiver("ops", place, frozenset({"backups"}), 3, "site.yaml:90")
    settings = replace(work.site.settings, receivers=(ops,))
    return replace(work, site=replace(work.site, settings=settings))


@pytest.mark.parametrize(
    ("verb", "named"),
    [("run", "backup run"), ("restore", "backup restore"), ("drill", "drill restore")],
)
def test_one_that_ended_well(tmp_path: Path, web: Post, verb: str, named: str) -> None:
    act, _ = VERBS[verb]
    work = told_at(tmp_path, StoreHost(kept("redis")), web)
    assert act(work) is ExitCode.GOOD
    [(_, found)] = web.posted
    assert found["topic"] == "backups"
    assert found["subject"].startswith(f"kbz {named} redis ended well (")
    assert found["run"] == work.journal.runs()[0].number


def test_a_verification_that_failed(tmp_path: Path, web: Post) -> None:
    host = StoreHost(kept("redis"))
    host.exit_codes["fetch"] = (1, "no repository")
    assert verify(told_at(tmp_path, host, web), "redis", "").code is ExitCode.FAILED
    [(_, found)] = web.posted
    assert "kbz backup verify redis ended with exit 1" in found["subject"]
    assert "backup-01: failed: " in found["lines"][1]


def test_a_contact_that_was_lost(tmp_path: Path, web: Post) -> None:
    host = StoreHost()
    host.lost_at = 3
    work = told_at(tmp_path, host, web)
    with pytest.raises(ContactError):
        VERBS["run"][0](work)
    [(_, found)] = web.posted
    assert (found["exit_code"], found["run"]) == (4, work.journal.runs()[0].number)


def test_one_that_does_not_take_it_fails_no_backup(tmp_path: Path, web: Post) -> None:
    web.status = 503
    work = told_at(tmp_path, StoreHost(), web)
    assert VERBS["run"][0](work) is ExitCode.GOOD
    assert "site.yaml:90: ops was not told: it answers 503" in work.journal.trouble
    assert "it answers 503" in work.journal.runs()[0].note
