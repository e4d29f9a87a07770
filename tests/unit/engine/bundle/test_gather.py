"""A bundle is made of what there is: a host that is silent, at any of its questions, ends it for no other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.bundle.asked import readings, told
from keybuzz.engine.bundle.gather import Gathered, Wish, gather
from keybuzz.engine.catalogue import all_modules, choose, named_only
from keybuzz.engine.memory.forgetful import open_journal
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.programs import LogEnd
from keybuzz.report.bundle.archive import pack
from keybuzz.report.bundle.entries import entries
from tests.unit.support.scripted_hosts import SITE, Json, Script, fleet, scripted, sound

KBZ = {"version": "1", "revision": ""}
HOSTS = frozenset(server.name for server in SITE.members("redis"))
SILENT = min(HOSTS)


def as_it_is(value: Any) -> Any:
    return value


def hangs_up(host: str, request: Json) -> Iterable[bytes]:
    """Say nothing, whatever is asked."""
    del host, request
    return ()


def keeps_its_logs(host: str, request: Json) -> Iterable[bytes]:
    """Answer all that other verbs ask, and hang up at the logs."""
    kinds = {reading["kind"] for reading in request.get("readings", ())}
    return () if "programs" in kinds else sound(host, request)


def gathered(folder: Path, script: Script, lines: int = 9) -> Gathered:
    names = ("redis",)
    chosen, named = choose(names), named_only(names)
    journal = Journal(folder / "journal.sqlite")
    for verb, module in (("health", "redis"), ("run", "galera"), ("run", "redis")):
        number = journal.begin(verb, (f"kbz {verb} {module}",), (module,), 1.0, folder)
        journal.end(number, 2.0, 0, {"a": HostRecord("a", Outcome.OK, 0, "")}, "", "")
    work = Workspace(SITE, scripted(script), journal, lambda event: None, "kbz bundle redis")
    return gather(work, Wish(chosen, named, HOSTS, lines, 20))


@pytest.mark.parametrize("quiet", [hangs_up, keeps_its_logs])
def test_a_silent_host_is_named_and_the_others_are_whole(tmp_path: Path, quiet: object) -> None:
    found = gathered(tmp_path, Script({SILENT: quiet}))  # type: ignore[dict-item]  # one of the two above
    packed = pack(found, entries(found, SITE, KBZ, as_it_is), KBZ, as_it_is)
    assert {item["host"]: bool(item["silent"]) for item in packed.manifest["hosts"]} == {
        host: host == SILENT for host in HOSTS
    }
    assert set(found.told) == HOSTS - {SILENT}
    paths = {path for path, _ in packed.files}
    assert {path.split("/")[1] for path in paths if path.startswith("configs/")} == HOSTS
    assert {"versions.json", "report.json", "plan.txt", "health.txt", "drift.json"} <= paths


def test_reasons_in_the_manifest_are_masked_as_the_files_are(tmp_path: Path) -> None:
    found = gathered(tmp_path, Script({SILENT: hangs_up}))
    found = replace(
        found, silent={SILENT: "no: s3cret"}, left_out={"drift.json": "s3cret is wrong"}
    )

    def hide(value: Any) -> Any:
        return value.replace("s3cret", "***") if isinstance(value, str) else value

    manifest = pack(found, entries(found, SITE, KBZ, hide), KBZ, hide).manifest
    assert {item["silent"] for item in manifest["hosts"]} == {None, "no: ***"}
    assert {"what": "drift.json", "why": "*** is wrong"} in manifest["left_out"]


def test_a_log_that_had_no_room_at_all_is_named_as_left_out(tmp_path: Path) -> None:
    ends = {"stdout": "", "stderr": "one\n", "stdout_cut": True, "stderr_cut": True}
    heard = told({"bundle.log.redis": Answer("bundle.log.redis", ends)})
    assert {log.name: (log.text, bool(log.note)) for log in heard.logs} == {
        "redis.stdout": ("", True),
        "redis.stderr": ("one\n", True),
    }
    found = replace(gathered(tmp_path, Script()), told={SILENT: heard})
    manifest = pack(found, (), KBZ, as_it_is).manifest
    named = f"logs/{SILENT}/redis.stdout"
    assert {"what": named, "why": "its last line alone had no room"} in manifest["left_out"]


def test_runs_of_others_in_between_hide_none_of_the_module(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    for module in ("redis", *("galera",) * 25, "redis"):
        number = journal.begin("drift", (f"kbz drift {module}",), (module,), 1.0, tmp_path)
        journal.end(number, 2.0, 0, {}, "", "")
    work = Workspace(SITE, scripted(Script()), journal, lambda event: None, "kbz bundle redis")
    found = gather(work, Wish(choose(("redis",)), named_only(("redis",)), HOSTS, 9, 2))
    assert [run.record.number for run in found.runs] == [27, 1]


def test_only_runs_of_the_module_are_told_the_newest_first(tmp_path: Path) -> None:
    found = gathered(tmp_path, Script())
    assert [run.record.arguments for run in found.runs] == [
        ("kbz run redis",),
        ("kbz health redis",),
    ]
    assert found.silent == {}


def test_a_journal_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database" * 1000)
    path.chmod(0o600)
    journal = open_journal(path, 1.0)
    work = Workspace(SITE, scripted(Script()), journal, lambda event: None, "kbz bundle redis")
    found = gather(work, Wish(choose(("redis",)), named_only(("redis",)), HOSTS, 9, 20))
    assert "file is not a database" in found.left_out["journal.json"]
    assert set(found.told) == HOSTS


@pytest.mark.parametrize("hosts", [1, len(HOSTS), len(SITE.servers)])
def test_all_logs_of_a_host_fit_into_its_answer(hosts: int) -> None:
    from keybuzz.transport.replies import share

    for described in fleet().values():
        asked = readings(described.modules.values(), 5000, hosts)
        logs = [reading for reading in asked if isinstance(reading, LogEnd)]
        assert sum(2 * 6 * log.most for log in logs) < share(hosts).size
        assert len({reading.name for reading in asked}) == len(asked)


def test_every_container_and_unit_of_a_module_is_asked_for_its_log() -> None:
    asked = {
        reading.of
        for described in fleet().values()
        for reading in readings(described.modules.values(), 1, 1)
        if isinstance(reading, LogEnd)
    }
    assert {"redis", "redis-sentinel", "patroni", "k3s.service", "k3s-agent.service"} <= asked
    assert len(asked) > len(all_modules())
