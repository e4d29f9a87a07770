"""Packages as dpkg's own file tells of them, and what apt is asked to do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.host import packages
from keybuzz.agent.runtime.children import Completed
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.secret import DigestKey
from keybuzz.model.host.system import Package

STATUS = """\
Package: docker-ce
Status: hold ok installed
Version: 5:29.0.4-1

Package: jq
Status: install ok installed
Architecture: amd64
Version: 1.6-2.1

Package: gone
Status: deinstall ok config-files
Version: 2.0

Package: broken
Status: install ok half-configured
Version: 3.0
"""


class Request:
    """What the kind needs of a request: each thing is read and done once."""

    def once(self, name: str, read: Any) -> Any:
        return read()

    def once_in_request(self, name: str, act: Any) -> Any:
        return act()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A host with the packages above; every command is noted and ends well."""
    (tmp_path / "status").write_text(STATUS)
    monkeypatch.setattr(packages, "_STATUS", str(tmp_path / "status"))
    monkeypatch.setattr(packages, "_LISTS", str(tmp_path))
    monkeypatch.setattr(packages, "_SOURCES", str(tmp_path / "no-sources"))
    (tmp_path / "x_Packages").touch()
    found: list[list[str]] = []

    def run(argv: Sequence[str], **options: Any) -> Completed:
        if argv[0] == "dpkg":  # it only compares two versions
            return Completed(subprocess.run(argv, check=False).returncode, b"", b"", False)
        found.append(list(argv))
        return Completed(0, b"", b"", False)

    monkeypatch.setattr(packages, "run_child", run)
    return found


def differs(package: Package) -> set[str]:
    """Return what of a package is not as wanted on that host."""
    state = packages.read_package(package.query(), Request())  # type: ignore[arg-type]  # all that the kind uses
    wanted = package.wanted(DigestKey(b"k" * 32))
    return {name for name, value in wanted.items() if state["attributes"].get(name) != value}


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("package", "differing"),
    [
        (Package("jq"), set()),
        (Package("jq", held=True), {"held"}),
        (Package("jq", "1.7"), {"version"}),
        (Package("docker-ce", "5:29.0.4-1", held=True), set()),
        (Package("docker-ce", "5:24.0.7-1", held=True), {"version"}),
        (Package("gone"), {"installed"}),
        (Package("broken"), {"installed"}),
        (Package("unknown", "1", held=True), {"installed", "version", "held"}),
    ],
)
def test_only_what_dpkg_has_completely_installed_counts(
    package: Package, differing: set[str]
) -> None:
    assert differs(package) == differing


def write(package: Package) -> None:
    packages.write_package(package.order(), Request())  # type: ignore[arg-type]  # all that the kind uses


def test_a_pinned_version_is_named_and_then_held(calls: list[list[str]]) -> None:
    write(Package("docker-ce", "5:29.1.0-1", held=True))
    install, hold = calls
    assert install[-1] == "docker-ce=5:29.1.0-1"
    assert "--no-upgrade" not in install
    assert hold == ["apt-mark", "hold", "docker-ce"]


NEWER = Package("docker-ce", "5:24.0.7-1", held=True)


def test_a_newer_version_is_told_and_never_replaced_by_itself(calls: list[list[str]]) -> None:
    state = packages.read_package(NEWER.query(), Request())  # type: ignore[arg-type]  # all that the kind uses
    assert state["attributes"]["newer"] is True
    older = Package("docker-ce", "5:29.1.0-1", held=True)
    state = packages.read_package(older.query(), Request())  # type: ignore[arg-type]  # all that the kind uses
    assert state["attributes"]["newer"] is False
    with pytest.raises(AgentError, match=r"is newer than 5:24\.0\.7-1") as caught:
        write(NEWER)
    assert caught.value.outcome == "refused"
    assert calls == []


def test_a_newer_version_is_replaced_where_the_owner_says_so(calls: list[list[str]]) -> None:
    write(replace(NEWER, downgrade=True))
    install, _ = calls
    assert "--allow-downgrades" in install
    assert install[-1] == "docker-ce=5:24.0.7-1"


def test_lists_are_fetched_again_when_a_source_was_added(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "_SOURCES", str(tmp_path / "sources.list"))
    write(Package("gone"))
    assert [call[1] for call in calls] == ["install"]
    (tmp_path / "sources.list.d").mkdir()
    ahead = time.time() + 5
    os.utime(tmp_path / "sources.list.d", (ahead, ahead))
    write(Package("gone"))
    assert [call[1] for call in calls] == ["install", "update", "install"]


def test_any_version_is_never_upgraded(calls: list[list[str]]) -> None:
    write(Package("gone"))
    (install,) = calls
    assert install[-1] == "gone"
    assert "--no-upgrade" in install


def test_an_installed_package_is_only_held(calls: list[list[str]]) -> None:
    write(Package("jq", held=True))
    assert calls == [["apt-mark", "hold", "jq"]]


def test_apt_that_fails_says_why(calls: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: Sequence[str], **options: Any) -> Completed:
        return Completed(100, b"", b"E: Version '1' for 'docker-ce' was not found\n", False)

    monkeypatch.setattr(packages, "run_child", fail)
    with pytest.raises(AgentError, match="could not install docker-ce=1: E: Version '1'"):
        write(Package("docker-ce", "1", held=True))
    assert calls == []
