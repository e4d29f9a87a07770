"""What went wrong with PostgreSQL in the field and would show in the code or in a description (docs/pains/03)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import Absent, Directory, File
from tasks.patroni import MODULE
from tasks.patroni.values import DATA, RAFT
from tests.unit.support.site_values import memory_site
from tests.unit.tasks.patroni.cluster_world import CONTAINER, World, damaged, roll, site_of

ROOT = Path(__file__).parents[3]
_DESTROYS = re.compile(r"\b(prune|reinit|rm -rf|mkfs|wipefs)\b")
_ALLOWED = {"keybuzz/lab", "keybuzz/policy"}
"""The lab deletes its own disks, and policies name what they forbid."""
_OF_BACKUPS = {
    "tasks/backup/placing.py",
    "tasks/backup/store/archive.py",
    "tasks/backup/on_host/repository.py",
}
"""A restore that was cut off begins again in its own place, which the mark of its beginning proves to be its own; a
drill and a verification take away what they laid out themselves; the repository keeps what site.yaml says.
"""


def words(path: Path) -> list[str]:
    """Return every text of a file that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
    ]


def test_no_word_that_destroys_is_in_the_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}"
        for folder in ("keybuzz", "tasks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "/".join(path.relative_to(ROOT).parts[:2]) not in _ALLOWED
        and str(path.relative_to(ROOT)) not in _OF_BACKUPS
        for text in words(path)
        if _DESTROYS.search(text)
    ]
    assert found == []


def test_the_search_would_see_one(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text('"""Never prune."""\nargv = ["docker", "system", "prune"]\n')
    assert [text for text in words(path) if _DESTROYS.search(text)] == ["prune"]


@pytest.mark.parametrize("broken", ["container", "image", "owner"])
def test_no_repair_of_a_replica_removes_data(broken: str) -> None:
    world = World.healthy(3)
    victim = world.nodes["db-3"]
    if broken == "container":
        victim.states = damaged(victim.states, CONTAINER)
    elif broken == "image":
        victim.states = damaged(victim.states, CONTAINER, image="other:1")
    else:
        victim.states = damaged(victim.states, f"directory:{DATA}", owner=0)
    assert roll(world).word == "done"
    changes = [change for stage in world.trail for change in stage.changes]
    assert {change.host for change in changes} == {"db-3"}
    assert not any(isinstance(change.resource, Absent) for change in changes)
    assert all(node.data for node in world.nodes.values())


def test_docker_restarts_the_container_and_no_unit_does() -> None:
    site = site_of(3)
    found = MODULE.describe(site, site.members(MODULE.group)[0]).resources
    [container] = [item for item in found if isinstance(item, Container)]
    assert container.restart == "unless-stopped"
    files = [item.path for item in found if isinstance(item, File)]
    assert not [path for path in files if path.startswith(("/etc/systemd", "/lib/systemd"))]


def test_data_belongs_to_the_containers_user_alone() -> None:
    site = site_of(3)
    found = MODULE.describe(site, site.members(MODULE.group)[0]).resources
    folders = {item.path: item for item in found if isinstance(item, Directory)}
    for path in (DATA, RAFT):
        owner = folders[path]
        assert (owner.wanted(site.digest_key)["mode"]) in ("0700", 0o700)


def test_only_a_terminal_is_ever_asked() -> None:
    """A prompt under cron waits for ever: whoever asks has looked for a terminal first."""
    asks = re.compile(r"click\.(prompt|confirm)\(|\binput\(|prompt=")
    texts = {path: path.read_text() for path in (ROOT / "keybuzz").rglob("*.py")}
    asking = {path for path, text in texts.items() if asks.search(text)}
    assert asking
    looks = re.compile(r"isatty\(\)|at_terminal\(\)")
    assert [path for path in asking if not looks.search(texts[path])] == []


def test_every_image_of_a_description_is_the_same_on_all_members() -> None:
    site = memory_site()
    for module in all_modules():
        images = {
            tuple(item.image for item in found.resources if isinstance(item, Container))
            for found in (module.describe(site, s) for s in site.members(module.group))
        }
        assert len(images) <= 1, module.name
