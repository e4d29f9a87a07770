"""Where a Patroni looks in its store and how it votes, by the configuration that its container was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keybuzz.agent.kinds.services.patroni import _place_in_store

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
