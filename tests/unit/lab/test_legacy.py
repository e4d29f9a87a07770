"""Old deployments as data: each can be filled in, tells nothing of kbz, and keeps its secrets in placeholders."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import tasks
from keybuzz.lab.legacy import build
from keybuzz.lab.legacy.build import _script, remembered
from keybuzz.lab.legacy.description import OldDeployment, deployment, modules
from keybuzz.lab.supply import builder
from keybuzz.model.core.errors import KbzError, UsageError
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.groups import load_groups

ROOT = Path(__file__).parents[3]
FILES = sorted(Path(tasks.__path__[0]).glob("*/legacy/*.yaml"))
CATALOGUE = load_groups(ROOT / "inventory/groups.yaml")
SERVERS = read_servers(ROOT / "inventory/servers.tsv", CATALOGUE)


def named(path: Path) -> OldDeployment:
    return deployment(path.parent.parent.name.replace("_", "-"), path.stem)


def test_every_file_is_a_variant_of_a_module() -> None:
    assert {named(path).path for path in FILES} == set(FILES)
    assert set(modules()) == {named(path).module for path in FILES}
    with pytest.raises(UsageError, match="no variant nothing"):
        deployment("redis", "nothing")
    with pytest.raises(UsageError, match="no old deployment of mail"):
        deployment("mail", None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_it_is_filled_in_for_each_member_and_its_script_is_one(path: Path) -> None:
    old = named(path)
    members = [server for server in SERVERS if old.group() in server.groups]
    secret = {name: f"value-of-{name}" for name in old.secrets()}
    assert members
    for member in members:
        there = old.on(member, members, secret)
        assert there.containers or there.files
        assert {one.image for one in there.containers} <= set(there.images)
        for text in (_script(there), there.ready, there.afterwards, there.fill):
            assert "{{" not in re.sub(r"\{\{\.[\w.]+\}\}", "", text)
            assert not re.search(r"\bkbz\b", text)
            done = subprocess.run(
                [shutil.which("sh") or "sh", "-n"],
                input=text,
                text=True,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr


def test_secrets_are_made_once_and_readable_by_root_only(tmp_path: Path) -> None:
    settings = LabSettings("kbz-unit", tmp_path, tmp_path)
    first = remembered(settings, ("A", "B"))
    assert remembered(settings, ("A",))["A"] == first["A"]
    assert len({*first.values()}) == 2
    assert (tmp_path / "legacy.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_one_that_never_serves_tells_no_secret(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is waited for is a command with the old password in it."""
    old = named(path)
    members = [server for server in SERVERS if old.group() in server.groups]
    ready = old.on(members[0], members, dict.fromkeys(old.secrets(), "of-long-ago")).ready
    monkeypatch.setattr(build, "_answers", lambda *_: False)
    monkeypatch.setattr(build, "_READY_SECONDS", -1.0)
    with pytest.raises(KbzError, match="does not serve after") as caught:
        build._wait(LabSettings("kbz-unit", tmp_path, tmp_path), members[0].name, ready or "false")
    assert "of-long-ago" not in str(caught.value)
    assert caught.value.where == members[0].name


BUILT = [path for path in FILES if "build:" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_an_image_is_built_from_a_folder_that_is_there_with_all_its_arguments(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(builder, "docker", lambda _, words, **__: calls.append(words))
    old = named(path)
    members = [server for server in SERVERS if old.group() in server.groups]
    images = old.on(members[0], members, dict.fromkeys(old.secrets(), "x")).images
    for image, stands in images.items():
        build._make(
            LabSettings("kbz-unit", tmp_path, tmp_path), old, image, stands, lambda *_: None
        )
    [words] = calls
    text = (Path(words[-1]) / "Dockerfile").read_text(encoding="utf-8")
    given = [words[place + 1] for place, word in enumerate(words) if word == "--build-arg"]
    assert [value.partition("=")[0] for value in given] == re.findall(r"(?m)^ARG (\w+)", text)


def test_all_are_built_at_once_and_those_on_the_same_hosts_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [deployment(name, None) for name in ("redis-proxy", "postgres-proxy", "redis")]
    both, built = threading.Barrier(2, timeout=30), list[str]()

    def made(settings: LabSettings, old: OldDeployment, members: object, report: object) -> None:
        """Stand for the hosts' part; the first of each group waits for the other's."""
        if old.module in ("redis", "redis-proxy"):
            both.wait()
        assert set(old.secrets()) <= set(remembered(settings, ()))
        built.append(old.module)

    monkeypatch.setattr(build, "build", made)
    settings = LabSettings("lab", tmp_path, tmp_path)
    build.build_all(settings, [(old, []) for old in chosen], lambda host, sentence: None)
    assert sorted(built) == ["postgres-proxy", "redis", "redis-proxy"]
    assert built.index("redis-proxy") < built.index("postgres-proxy")
