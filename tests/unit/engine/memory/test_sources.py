"""Which files a site was read from: a change of any of them, made after it was read, is seen."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.site.load import load_inventory_site, load_site, read_configuration
from keybuzz.site.sources import sources_of
from tests.unit.support.inventory_files import GROUPS, INVENTORY, SERVERS
from tests.unit.support.site_values import planted_configuration

COPIES = {
    "servers.tsv": SERVERS,
    "groups.yaml": GROUPS,
    **{name: INVENTORY / name for name in ("versions.yaml", "site.yaml", "policies.yaml")},
    "applications.yaml": None,
}
FILES = (*COPIES, "nornir_config.yaml", "overlay.yaml")
STORE = ("credentials/redis.env", "credentials/postgres.env")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A whole site whose files are all the test's own."""
    planted_configuration(tmp_path)
    path = tmp_path / "nornir_config.yaml"
    text = path.read_text() + f"  applications: {tmp_path / 'applications.yaml'}\n"
    for name, source in COPIES.items():
        content = source.read_text() if source else "applications: {}\n"
        (tmp_path / name).write_text(content)
        text = text.replace(str(source), str(tmp_path / name))
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", [*FILES, *STORE])
def test_a_file_that_changed_is_named_with_the_way_on(config: Path, name: str) -> None:
    site = load_site(read_configuration(config))
    site.sources.require_same()
    path = config.parent / name
    path.write_text(path.read_text() + "\n")
    with pytest.raises(
        RefusedError, match="the site changed after this command had read it"
    ) as told:
        site.sources.require_same()
    assert told.value.where == str(path)
    assert "run it again" in told.value.hint


@pytest.mark.parametrize("name", FILES)
def test_verbs_without_secrets_see_it_too(config: Path, name: str) -> None:
    sources = load_inventory_site(read_configuration(config)).sources
    (config.parent / name).unlink()
    with pytest.raises(RefusedError, match="the site changed"):
        sources.require_same()


def test_every_file_that_the_configuration_names_is_one(config: Path) -> None:
    found = {path.name for path in load_site(read_configuration(config)).sources.digests}
    named = re.findall(r"[\w-]+\.(?:yaml|tsv)", config.read_text())
    assert set(named) | {"nornir_config.yaml", "redis.env", "postgres.env"} <= found


def test_a_file_that_comes_is_a_change_and_a_touched_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "redis.env"
    sources = sources_of([path])
    sources.require_same()
    path.write_text("REDIS_PASSWORD=x\n")
    with pytest.raises(RefusedError):
        sources.require_same()
    sources = sources_of([path])
    os.utime(path, (1, 1))
    path.replace(tmp_path / "other")
    path.write_text("REDIS_PASSWORD=x\n")
    sources.require_same()
