"""Strays: what the descriptions explain, what a host says of itself, and what is left."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.host import gist
from keybuzz.agent.readings import strays as agent
from keybuzz.agent.runtime.channel import Channel
from keybuzz.agent.runtime.context import Context
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift import strays
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.docker import Container
from keybuzz.model.host.strays import Explained
from tests.unit.support.site_values import memory_site

SITE = memory_site()
EVERY = all_modules()
NOTHING = Explained(*(frozenset[Any]() for _ in range(7)))
QUIET: dict[str, Any] = {
    "containers": [],
    "units": [],
    "cron": [],
    "ports": [],
    "doors": [],
    "keys": [],
    "additions": [],
    "files": [],
    "problems": {},
    "truncated": [],
}


def known(host: str) -> Explained:
    return strays.explained(SITE, SITE.server(host), EVERY)


def found(host: str, **parts: list[list[Any]]) -> dict[str, str]:
    """Return the strays of a host by id, when it answers with these parts."""
    answer = Answer(strays.READING, {**QUIET, **parts})
    items = strays.strays(host, known(host), strays.words(SITE, EVERY), answer)
    return {item.identity.removeprefix(f"stray/{host}/"): item.what for item in items}


@pytest.mark.parametrize("server", SITE.servers, ids=lambda server: server.name)
def test_what_is_described_is_explained(server: Any) -> None:
    explained = known(server.name)
    for module in EVERY:
        if module.group not in server.groups:
            continue
        for resource in module.describe(SITE, server).resources:
            if isinstance(resource, Container):
                assert resource.container in explained.containers
                for bind in resource.binds:
                    assert bind.source in explained.files | explained.folders
            elif resource.name.startswith("/"):
                assert resource.name in explained.files | explained.folders


def test_what_a_container_may_write_is_its_own_and_what_it_may_only_read_is_not() -> None:
    explained = known("db-master-01")
    assert "/opt/keybuzz/postgres/data" in explained.files
    assert "/opt/keybuzz/patroni/config" in explained.folders - explained.files
    assert "/opt/keybuzz" in explained.folders


def test_containers() -> None:
    rows = [["patroni", "i:1", "running"], ["old", "redis:6", "exited"]]
    assert found("db-master-01", containers=rows) == {"container:old": "exited, of image redis:6"}


def test_units() -> None:
    rows = [
        ["docker.service", False, True],
        ["haproxy-by-hand.service", True, False],
        ["haproxy.service", False, True],
        ["keybuzz-watch.timer", True, True],
        ["pgbouncer.service", False, False],
        ["redis-server.service", False, True],
        ["redistribute.service", False, True],
        ["snap.lxd.daemon.service", True, True],
    ]
    assert found("haproxy-01", units=rows) == {
        "unit:haproxy-by-hand.service": "made by hand, not enabled",
        "unit:haproxy.service": "of a package, enabled",
        "unit:keybuzz-watch.timer": "made by hand, enabled",
        "unit:redis-server.service": "of a package, enabled",
    }


def test_the_schedule_of_drift_is_a_stray_everywhere_but_on_the_controller() -> None:
    units = [["kbz-drift.timer", True, True]]
    cron = [["/etc/cron.d/kbz-drift", "12ab", "0 * * * * timeout"]]
    assert found("install-01", units=units, cron=cron) == {}
    assert set(found("redis-01", units=units, cron=cron)) == {
        "unit:kbz-drift.timer",
        "cron:/etc/cron.d/kbz-drift#12ab",
    }


def test_a_port_is_one_stray_on_however_many_addresses() -> None:
    rows = [
        [9999, "*", "python3"],
        [9999, "0.0.0.0", "python3"],
        [38211, "127.0.0.1", "containerd"],
        [38212, "10.0.0.1", "containerd"],
        [40001, "127.0.0.1", "other"],
    ]
    assert found("redis-01", ports=rows) == {
        "port:9999": "python3 listens on *:9999, 0.0.0.0:9999",
        "port:containerd": "containerd listens on 10.0.0.1:38212",
        "port:other": "other listens on 127.0.0.1:40001",
    }


def test_what_could_not_be_read_was_not_looked_at_and_is_said() -> None:
    value = {**QUIET, "problems": {"containers": "Docker does not answer"}, "truncated": ["files"]}
    answer = Answer(strays.READING, value)
    assert set(strays.looked_at("redis-01", answer)) == {
        "stray/redis-01/unit:",
        "stray/redis-01/cron:",
        "stray/redis-01/port:",
        "stray/redis-01/door:",
        "stray/redis-01/key:",
        "stray/redis-01/added:",
    }
    assert list(strays.problems("redis-01", answer)) == [
        "redis-01: stray containers were not looked for: Docker does not answer",
        "redis-01: more stray files than are listed",
    ]
    lost = Answer(strays.READING, problem="gone")
    assert list(strays.looked_at("redis-01", lost)) == []
    assert strays.strays("redis-01", NOTHING, frozenset(), lost) == ()


def files(root: Path, folders: list[str], explained: list[str]) -> list[str]:
    query = {
        "roots": [str(root)],
        "folders": [str(root / name) for name in folders],
        "files": [str(root / name) for name in explained],
    }
    return [row[0].removeprefix(f"{root}/") for row in agent._files(query)]


def test_files(tmp_path: Path) -> None:
    for name in ("a/conf/known", "a/conf/old", "a/data/1/2", "b/x/y", "a/run/beat.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "a/link").symlink_to(tmp_path / "b")
    folders, explained = ["a", "a/conf", "a/run"], ["a/conf/known", "a/data", "a/run/*"]
    assert files(tmp_path, folders, explained) == ["a/conf/old", "a/link", "b/"]
    assert files(tmp_path / "nowhere", folders, explained) == []


def test_a_line_of_cron_is_told_without_what_may_be_secret(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text(
        "# c\nMAILTO=root\nPATH = /bin\n\n  1 2 * * * root A=secret /bin/x -p secret\n"
    )
    [line] = agent._cron_lines(str(table))
    assert gist.of_cron(line, user=True) == "1 2 * * * /bin/x"
    assert gist.of_cron("@daily B=secret /bin/y secret", user=False) == "@daily /bin/y"
    assert gist.of_cron("@daily B='a secret' /bin/y", user=False) == "@daily /bin/y"
    assert gist.of_cron("@daily (B=secret /bin/y)", user=False) == "@daily …"


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Context:
    """A context whose files of cron lie in a folder of the test."""
    tables, scripts = tmp_path / "cron.d", tmp_path / "cron.daily"
    tables.mkdir()
    scripts.mkdir()
    monkeypatch.setattr(agent, "_CRON_TABLES", (str(tables), str(tmp_path / "none")))
    monkeypatch.setattr(agent, "_CRON_SCRIPTS", (str(scripts),))
    packaged = tmp_path / "status"
    monkeypatch.setattr(agent, "_packaged", lambda: set(packaged.read_text().split()))
    packaged.write_text(f"{tables}/sysstat {scripts}/man-db")
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as target:
        return Context("00" * 32, Channel(source.fileno(), target.fileno()))


def test_what_packages_bring_to_cron_is_no_stray_but_for_lines_about_us(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "cron.d/sysstat").write_text("5 * * * * root sa1\n6 * * * * root /opt/keybuzz/x\n")
    (tmp_path / "cron.d/mine").write_text("@reboot root /root/mine\n")
    (tmp_path / "cron.daily/man-db").write_text("")
    (tmp_path / "cron.daily/clean").write_text("")
    rows = agent._cron(context)
    assert [(row[0].removeprefix(f"{tmp_path}/"), row[2]) for row in rows] == [
        ("cron.d/mine", "@reboot root"),
        ("cron.d/sysstat", "6 * * * * root"),
        ("cron.daily/clean", "script"),
    ]
    assert len({row[1] for row in rows}) == 3
    assert agent._cron(context) == rows


def test_a_part_that_can_not_be_read_hides_no_other(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cron.d/mine").write_text("@reboot /root/mine\n")
    context.docker.path = str(tmp_path / "no.sock")
    monkeypatch.setattr(agent, "_UNITS", str(tmp_path / "none"))
    monkeypatch.setattr(agent, "_files", lambda query: 1 // 0)
    found = agent.sweep({"ports": []}, context)
    assert {"containers", "units", "files"} <= set(found["problems"])
    assert "Docker does not answer" in found["problems"]["containers"]
    assert "ZeroDivisionError" in found["problems"]["files"]
    assert found["cron"][0][0].endswith("cron.d/mine")
    assert found["containers"] == found["files"] == []


def test_a_listener_is_named_with_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = Path("/proc/self/comm").read_text().strip()
        assert [port, "127.0.0.1", program] in agent._ports(set())
        assert port not in [row[0] for row in agent._ports({port})]
