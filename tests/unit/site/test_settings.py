"""site.yaml and the overlay over it: single values are replaced, and nothing else is added."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.host_values import HostValues
from keybuzz.site.settings import load_settings, read_sections, require_servers
from tasks.base import MODULE
from tests.unit.support.inventory_files import INVENTORY
from tests.unit.support.site_values import described, memory_site

PATHS = """paths:
  state: /state
  credentials: relative/credentials
  builder_socket: /docker.sock
  key_filename: ~/key
  known_hosts: known_hosts
"""
LAB = "lab:\n  name: one\n  root: /lab/one\n  cache: /lab/cache\n"


def written(folder: Path, text: str, name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, base: str, overlay: str | None = None) -> str:
    over = None if overlay is None else written(folder, overlay, "overlay.yaml")
    with pytest.raises(InputError) as caught:
        load_settings(folder, written(folder, base), over)
    return str(caught.value)


def test_relative_paths_start_at_the_site(tmp_path: Path) -> None:
    found = load_settings(tmp_path, written(tmp_path, PATHS), None)
    assert found.state == Path("/state")
    assert found.credentials == tmp_path / "relative/credentials"
    assert found.known_hosts == tmp_path / "known_hosts"
    assert found.key_filename == Path.home() / "key"
    assert found.lab is None


def test_an_overlay_replaces_single_values(tmp_path: Path) -> None:
    base = written(tmp_path, PATHS + "parameters:\n  a: '1'\n  b: '2'\n")
    text = "paths:\n  state: /other\nparameters:\n  b: '3'\n  c: '4'\n" + LAB
    found = load_settings(tmp_path, base, written(tmp_path, text, "overlay.yaml"))
    assert found.state == Path("/other")
    assert found.builder_socket == Path("/docker.sock")
    assert found.parameters == {"a": "1", "b": "3", "c": "4"}
    assert found.lab is not None
    assert found.lab.name == "one"
    assert found.lab.root == Path("/lab/one")


HOSTS = PATHS + "parameters:\n  a: '1'\n  b: '2'\n"


def test_single_servers_have_other_values_and_the_later_pattern_wins(tmp_path: Path) -> None:
    base = written(tmp_path, HOSTS + "hosts:\n  'db-*':\n    a: '3'\n  'q-*':\n    a: '9'\n")
    over = "hosts:\n  '*-2':\n    a: '4'\n    b: '5'\n  'q-*':\n    b: '8'\n"
    found = load_settings(tmp_path, base, written(tmp_path, over, "overlay.yaml"))
    values = HostValues(found.parameters, found.hosts)
    seen = {
        host: (values.of(host, "a"), values.of(host, "b")) for host in ("x", "db-1", "db-2", "q-2")
    }
    assert seen == {"x": ("1", "2"), "db-1": ("3", "2"), "db-2": ("4", "5"), "q-2": ("9", "8")}
    require_servers(found, ("db-1", "db-2", "q-1"))
    with pytest.raises(InputError, match=r"site\.yaml:14: hosts\.q-\* matches no server"):
        require_servers(found, ("db-1", "db-2"))


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("hosts:\n  'db-*': 7\n", 11, "hosts.db-* must be a mapping"),
        ("hosts:\n  'db-*':\n    a: [1]\n", 12, "hosts.db-*.a must be a text"),
    ],
)
def test_what_is_wrong_with_a_servers_value_has_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    message = refusal(tmp_path, HOSTS + text)
    assert f"site.yaml:{line}: " in message
    assert what in message


def test_a_lab_has_systems_and_traits_of_single_hosts(tmp_path: Path) -> None:
    lab = load_settings(INVENTORY.parent, INVENTORY / "site.yaml", INVENTORY / "lab.yaml").lab
    assert lab is not None
    assert (lab.system("redis-01"), lab.traits("redis-01")) == ("debian 12", ("cloud-init-hosts",))
    assert lab.system("redis-02") == "debian 13"
    assert set(lab.traits("redis-02")) == {"cloud-init-hosts", "ssh-socket"}


def test_values_stay_the_words_of_the_file(tmp_path: Path) -> None:
    text = PATHS + "parameters:\n  a: yes\n  b: 10.20\n  c: 0x10\n  d: none\n"
    found = load_settings(tmp_path, written(tmp_path, text), None)
    assert found.parameters == {"a": "yes", "b": "10.20", "c": "0x10", "d": "none"}


@pytest.mark.parametrize("key", ["state", "credentials", "builder_socket", "known_hosts"])
def test_a_missing_path_is_named(tmp_path: Path, key: str) -> None:
    text = "".join(line for line in PATHS.splitlines(keepends=True) if f" {key}:" not in line)
    assert f"site.yaml:1: paths has no {key} → add {key}: …" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("extra", "line", "what"),
    [
        ("colours: {}\n", 7, "unknown key 'colours'"),
        ("parameters:\n  a: [1]\n", 8, "parameters.a must be a text"),
        ("parameters: 7\n", 7, "parameters must be a mapping"),
        ("parameters:\n  a: '1'\n  a: '2'\n", 9, "'a' twice"),
        ("lab:\n  name: x\n  size: 3\n", 9, "lab has no key size"),
        ("lab:\n  name: x\n", 1, "lab needs name, root and cache"),
    ],
)
def test_what_is_wrong_in_the_file_has_its_line(
    tmp_path: Path, extra: str, line: int, what: str
) -> None:
    message = refusal(tmp_path, PATHS + extra)
    assert f"site.yaml:{line}: " in message
    assert what in message


def test_what_is_wrong_in_the_overlay_is_named_there(tmp_path: Path) -> None:
    message = refusal(tmp_path, PATHS, "paths:\n  stat: /other\n")
    assert "overlay.yaml:2: paths has no key stat" in message


def test_a_missing_file_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        load_settings(tmp_path, tmp_path / "site.yaml", None)
    assert str(tmp_path / "site.yaml") in str(caught.value)


def test_the_real_overlay_only_replaces_what_production_has_too() -> None:
    base = read_sections(INVENTORY / "site.yaml").values
    overlay = read_sections(INVENTORY / "lab.yaml").values
    assert set(overlay["paths"]) <= set(base["paths"])
    assert set(overlay["parameters"]) <= set(base["parameters"])
    assert not base["lab"]
    assert not base["not_applicable"]


def test_each_exception_of_the_lab_names_a_resource_that_is_described() -> None:

    site = memory_site()
    overlay = load_settings(site.root, INVENTORY / "site.yaml", INVENTORY / "lab.yaml")

    lab = replace(site, settings=overlay)
    found = described(lab, MODULE)
    assert len(found) == 48
    left = {item.identity for item in found["db-master-01"].not_applicable}
    reasons = {item.reason for item in found["db-master-01"].not_applicable}
    images = {
        name: why for name, why in overlay.not_applicable.items() if name.startswith("image:")
    }
    assert reasons == set(overlay.not_applicable.values()) - set(images.values())
    frozen = [f"image:{version.reference}" for version in lab.versions.values()]
    assert all(any(fnmatchcase(item, name) for item in frozen) for name in images)
    kept = {resource.identity for resource in found["db-master-01"].modules["base"].resources}
    assert not left & kept
    everything = {
        r.identity for r in described(site, MODULE)["db-master-01"].modules["base"].resources
    }
    # Other packages of the same engine.
    engines = {"package:docker.io", "package:docker-ce", "package:docker-ce-cli"}
    assert (left | kept) ^ everything == engines
