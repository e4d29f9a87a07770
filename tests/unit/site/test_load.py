"""nornir_config.yaml and the whole site: what is wrong stops here, with file and line."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.files.plugins import RunnerChoice
from keybuzz.site.load import load_site, read_configuration
from tests.unit.support.inventory_files import INVENTORY
from tests.unit.support.site_values import (
    PLANTED,
    configuration_text,
    planted_configuration,
    planted_site,
)


def read(folder: Path, text: str) -> str:
    """Return the message that the text is refused with."""
    path = folder / "nornir_config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_configuration(path)
    return str(caught.value)


def test_the_real_file_is_complete() -> None:
    found = read_configuration(INVENTORY.parent / "nornir_config.yaml")
    assert found.servers == INVENTORY / "servers.tsv"
    assert found.groups == INVENTORY / "groups.yaml"
    assert found.versions == INVENTORY / "versions.yaml"
    assert found.site == INVENTORY / "site.yaml"
    assert found.connection == "kbz_ssh"
    assert found.runner == RunnerChoice("kbz_bounded", {"num_workers": 50})


def test_a_missing_file_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_configuration(tmp_path / "nornir_config.yaml")
    assert f"{tmp_path}/nornir_config.yaml: there is no such file" in str(caught.value)
    assert "--config FILE" in str(caught.value)
    assert caught.value.code is ExitCode.FAILED


def test_the_overlay_and_the_connection_may_be_left_out(tmp_path: Path) -> None:
    text = configuration_text(tmp_path).replace(", connection: kbz_local", "")
    text = "".join(line for line in text.splitlines(keepends=True) if "overlay" not in line)
    (tmp_path / "nornir_config.yaml").write_text(text)
    found = read_configuration(tmp_path / "nornir_config.yaml")
    assert found.overlay is None
    assert found.connection == "kbz_ssh"


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("inventory:\n", "inventroy:\n", 1, "unknown key 'inventroy'"),
        ("runner:\n", "runer:\n", 4, "unknown key 'runer'"),
        ("  plugin: kbz_tsv\n", "", 2, "inventory has no plugin"),
        ("connection: kbz_local", "conection: kbz_local", 3, "unknown key 'conection'"),
        ("num_workers: 8", "num_workers: many", 6, "num_workers is 'many'"),
        ("num_workers: 8", "num_workers: 0", 6, "from 1 to 500"),
        ("num_workers: 8", "num_workers: 501", 6, "from 1 to 500"),
        ("num_workers: 8", "workers: 8", 6, "unknown key 'workers'"),
        ("  options: {num_workers: 8}\n", "", 5, "runner has no options"),
        ("plugin: kbz_bounded", "plugin: kbz_bound", 5, "no runner of Nornir is named 'kbz_bound'"),
        ("plugin: kbz_tsv", "plugin: SimpleInventory", 2, "kbz reads its servers with kbz_tsv"),
        ("  versions: ", "  version: ", 8, "unknown key 'version'"),
        ("user_defined:\n", "user_defined: 3\nssh:\n", 7, "user_defined must be a mapping"),
        ("user_defined:\n", "user_defined:\n  site: x\n", 10, "'site' twice"),
        ("runner:\n", "runner: {}\nrunner:\n", 5, "'runner' twice"),
        ("runner:\n", "runner: [\n", 6, "is not YAML"),
    ],
)
def test_what_is_wrong_has_its_line(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    text = configuration_text(tmp_path)
    assert old in text
    message = read(tmp_path, text.replace(old, new))
    assert f"nornir_config.yaml:{line}: " in message
    assert what in message


@pytest.mark.parametrize(
    "text", ["", "[]", "x", "{}", "inventory: {}\nrunner: {}\nuser_defined: {}"]
)
def test_another_shape_is_refused_in_words(tmp_path: Path, text: str) -> None:
    assert "nornir_config.yaml" in read(tmp_path, text)


def test_every_section_of_nornir_itself_may_stand_there(tmp_path: Path) -> None:
    text = (
        configuration_text(tmp_path) + "core: {raise_on_error: false}\nlogging: {enabled: false}\n"
    )
    (tmp_path / "nornir_config.yaml").write_text(text)
    found = read_configuration(tmp_path / "nornir_config.yaml")
    assert found.runner.options == {"num_workers": 8}


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("{plugin: serial}", {}),
        ("{plugin: threaded, options: {num_workers: 3}}", {"num_workers": 3}),
        ("{plugin: threaded, options: {a: true, b: x}}", {"a": True, "b": "x"}),
    ],
)
def test_another_runner_of_nornir_is_taken_with_its_options(
    tmp_path: Path, section: str, options: dict[str, object]
) -> None:
    text = configuration_text(tmp_path).replace(
        "runner:\n  plugin: kbz_bounded\n  options: {num_workers: 8}\n", f"runner: {section}\n"
    )
    (tmp_path / "nornir_config.yaml").write_text(text)
    assert read_configuration(tmp_path / "nornir_config.yaml").runner.options == options


def test_a_whole_site_becomes_one_value(tmp_path: Path) -> None:
    site = planted_site(tmp_path)
    assert len(site.servers) == 48
    assert [server.name for server in site.members("patroni")] == [
        "db-master-01",
        "db-slave-01",
        "db-slave-02",
    ]
    assert site.members("db") == site.members("patroni")
    assert site.image("redis") == "redis:7.2.5-alpine"
    assert PLANTED in site.secret("POSTGRES_SUPERPASS").reveal()
    assert PLANTED not in repr(site)
    assert str(site.server("db-slave-02").address) == "10.0.0.122"


def test_what_the_site_does_not_have_is_an_error_in_words(tmp_path: Path) -> None:
    site = planted_site(tmp_path)
    with pytest.raises(InputError, match=r"versions\.yaml: image oracle is not listed"):
        site.image("oracle")
    with pytest.raises(InputError, match="no server is named nobody"):
        site.server("nobody")
    with pytest.raises(InputError, match="credential X is missing"):
        site.secret("X")
    with pytest.raises(InputError, match="no group is named oracle"):
        site.members("oracle")


def test_the_first_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    configuration = planted_configuration(tmp_path)
    (tmp_path / "overlay.yaml").write_text("paths:\n  stat: /x\n")
    with pytest.raises(InputError, match=r"overlay\.yaml:2: "):
        load_site(configuration)


def test_the_digest_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    configuration = planted_configuration(tmp_path)
    first, second = load_site(configuration), load_site(configuration)
    assert first.digest_key == second.digest_key
    assert len(first.digest_key.key) == 32
    path = tmp_path / "state" / "digest.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["digest.key"]


def test_two_first_commands_at_once_agree_on_one_key(tmp_path: Path) -> None:
    configuration = planted_configuration(tmp_path)
    found: list[bytes] = []
    ready = threading.Barrier(4)

    def load() -> None:
        ready.wait()
        found.append(load_site(configuration).digest_key.key)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
