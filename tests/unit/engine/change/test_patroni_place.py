"""Where a Patroni looks in its store, how it votes and which password its interface asks for, by its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keybuzz.model.core.secret import Secret
from keybuzz.model.host.files import File
from tasks.patroni import MODULE
from tasks.patroni.agent.patroni import _place_in_store, read_patroni_rest_password
from tasks.patroni.service.rest import PatroniRestPassword
from tests.unit.support.site_values import described, memory_site

TEXT = "scope: x\nnamespace: {}\nraft:\n  data_dir: /r\n  self_addr: 10.0.0.120:{}\n"


class Docker:
    def __init__(self, made: object) -> None:
        self._made = made

    def inspect(self, name: str) -> object:
        return self._made if name == "patroni" else None


def place(made: object, name: str = "patroni") -> dict[str, object]:
    context: Any = type("Context", (), {"docker": Docker(made)})()
    return _place_in_store(name, context)


def made(source: Path, inside: str, command: list[str], *environment: str) -> object:
    return {
        "Config": {"Cmd": command, "Env": list(environment)},
        "Mounts": [
            {"Source": "/elsewhere", "Destination": "/var/lib/postgresql/data"},
            {"Source": str(source), "Destination": inside},
        ],
    }


@pytest.mark.parametrize("alone", [True, False], ids=["the file", "its folder"])
@pytest.mark.parametrize(("namespace", "told"), [("/db/", "/db/"), ("service", "/service/")])
def test_it_is_read_where_the_container_reads_it(
    tmp_path: Path, alone: bool, namespace: str, told: str
) -> None:
    (tmp_path / "patroni.yml").write_text(TEXT.format(namespace, 5010))
    where = (tmp_path / "patroni.yml", "/etc/p/patroni.yml") if alone else (tmp_path, "/etc/p")
    found = place(made(*where, ["patroni", "/etc/p/patroni.yml"]))
    assert found == {"namespace": told, "raft_port": 5010}


def test_patronis_own_defaults_and_variables_count(tmp_path: Path) -> None:
    (tmp_path / "patroni.yml").write_text("scope: x\netcd:\n  host: 10.0.0.1:2379\n")
    without = made(tmp_path, "/etc/patroni", [])
    assert place(without) == {"namespace": "/service/", "raft_port": 0}
    told = ("PATRONI_NAMESPACE=db", "PATRONI_RAFT_SELF_ADDR=10.0.0.120:7000")
    assert place(made(tmp_path, "/etc/patroni", [], *told)) == {
        "namespace": "/db/",
        "raft_port": 7000,
    }


def test_where_no_container_tells_nothing_contradicts(tmp_path: Path) -> None:
    assert place(made(tmp_path, "/etc/patroni", []), "other") == {}
    assert place(made(tmp_path, "/etc/patroni", [])) == {}
    assert place({"Config": {"Cmd": None, "Env": None}, "Mounts": []}) == {}


def test_a_directory_in_its_place_is_none_and_is_repaired(tmp_path: Path) -> None:
    """Docker makes one for a file that is missing when a container starts."""
    (tmp_path / "patroni.yml").mkdir()
    assert place(made(tmp_path / "patroni.yml", "/etc/patroni/patroni.yml", [])) == {}
    assert place(made(tmp_path, "/etc/patroni", [])) == {}


def matches(made: object, password: str = "the-store's") -> object:
    context: Any = type("Context", (), {"docker": Docker(made)})()
    query = PatroniRestPassword("patroni", Secret("PATRONI_API_PASSWORD", password)).query()
    return read_patroni_rest_password(query, context)["attributes"]["password_matches"]


REST = "scope: x\n\nrestapi:\n  listen: 0.0.0.0:8008\n"
SUPERUSER = "\npostgresql:\n  authentication:\n    superuser:\n      password: another\n"
BLOCK = f"{REST}  # password: old\n\n  authentication:\n    username: patroni\n    password: {{}}\n"
FLOW = f'{REST}  keyfile_password: key\n  authentication: {{{{"username": p, "password": {{}}}}}}\n'


@pytest.mark.parametrize("text", [BLOCK, FLOW], ids=["lines", "braces"])
@pytest.mark.parametrize(
    "written", ['"the-store\'s"', "'the-store''s'", "the-store's", '"the-\\u0073tore\'s"']
)
def test_the_password_of_the_interface_is_compared_however_it_is_written(
    tmp_path: Path, text: str, written: str
) -> None:
    """A run once wrote the store's over another live one: only a login would have told it."""
    (tmp_path / "patroni.yml").write_text(text.format(written) + SUPERUSER)
    found = made(tmp_path, "/etc/patroni", [])
    assert matches(found) is True
    assert matches(found, "another") is False
    assert matches(made(tmp_path, "/etc/patroni", [], "PATRONI_RESTAPI_PASSWORD=x")) is False


def test_where_no_member_asks_for_a_password_nothing_contradicts(tmp_path: Path) -> None:
    assert matches(made(tmp_path, "/etc/patroni", [])) is True
    assert matches(None) is True
    for text in ("scope: x\n", REST + SUPERUSER, BLOCK.format("") + SUPERUSER, FLOW.format("~")):
        (tmp_path / "patroni.yml").write_text(text)
        assert matches(made(tmp_path, "/etc/patroni", [])) is True
    environment = made(tmp_path, "/etc/patroni", [], "PATRONI_RESTAPI_PASSWORD=another")
    (tmp_path / "patroni.yml").unlink()
    assert matches(environment) is False


def test_the_described_file_has_the_described_password(tmp_path: Path) -> None:
    site = memory_site()
    for found_here in described(site, MODULE).values():
        resources = found_here.modules["patroni"].resources
        [file] = [r for r in resources if isinstance(r, File) and r.path.endswith("patroni.yml")]
        [wish] = [r for r in resources if isinstance(r, PatroniRestPassword)]
        (tmp_path / "patroni.yml").write_text(file.text.reveal())
        found = made(tmp_path, "/etc/patroni", ["patroni", "/etc/patroni/patroni.yml"])
        assert matches(found, wish.password.reveal()) is True
        assert matches(found, site.secret("POSTGRES_SUPERPASS").reveal()) is False
