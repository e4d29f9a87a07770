"""The Nornir plugin, and the views of `kbz inventory`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nornir.core import Nornir
from nornir.core.filter import F
from nornir.core.task import Result, Task
from nornir.plugins.runners import SerialRunner

from keybuzz.model.core.errors import InputError
from keybuzz.report.text.inventory import inventory_document, inventory_table, inventory_tree
from keybuzz.site.nornir_inventory import TsvInventory
from tests.unit.support.inventory_files import (
    GROUPS,
    SERVERS,
    line_of,
    real_catalogue,
    real_servers,
    with_cell,
)

if TYPE_CHECKING:
    from nornir.core.inventory import Inventory

SSH = {"key_filename": "keys/id_ed25519", "known_hosts": "known_hosts", "port": 2222}


def load(**options: object) -> Inventory:
    return TsvInventory(str(SERVERS), str(GROUPS), **options).load()  # type: ignore[arg-type] # some tests hand over wrong ones


def test_hosts_are_the_servers_with_their_groups_in_order() -> None:
    inventory = load()
    assert list(inventory.hosts) == [server.name for server in real_servers()]
    assert list(inventory.groups) == [group.name for group in real_catalogue().groups]
    for server in real_servers():
        host = inventory.hosts[server.name]
        assert (host.hostname, host.username) == (str(server.address), server.user)
        assert tuple(group.name for group in host.groups) == server.groups
        assert all(group is inventory.groups[group.name] for group in host.groups)
        assert host.defaults is inventory.defaults
        assert host.data == {
            "server": server,
            "role": server.role,
            "subrole": server.subrole,
            "stack": server.stack,
            "pool": server.pool,
            "region": "",
        }


def test_no_data_key_is_hidden_by_an_attribute_of_nornir() -> None:
    host = load(connection="kbz_local").hosts["redis-01"]
    for key in host:
        assert host.get(key) == host[key]
    assert host["connection"] == "kbz_local"


def test_a_task_over_a_group_runs_once_on_each_of_its_hosts() -> None:
    def address(task: Task) -> Result:
        return Result(host=task.host, result=str(task.host["server"].address))

    nornir = Nornir(inventory=load(), runner=SerialRunner())
    everyone = nornir.run(task=address)
    assert len({result[0].result for result in everyone.values()}) == 48
    patroni = nornir.filter(F(groups__contains="patroni")).run(task=address)
    assert {name: result[0].result for name, result in patroni.items()} == {
        "db-master-01": "10.0.0.120",
        "db-slave-01": "10.0.0.121",
        "db-slave-02": "10.0.0.122",
    }


@pytest.mark.parametrize("connection", ["kbz_ssh", "kbz_netmiko", "kbz_local"])
def test_connections_get_their_options_and_hosts_do_not_share_them(connection: str) -> None:
    hosts = load(ssh=SSH).hosts
    first = hosts["redis-01"].get_connection_parameters(connection)
    second = hosts["redis-02"].get_connection_parameters(connection)
    assert (first.hostname, first.port, first.username) == ("10.0.0.123", 2222, "root")
    assert first.extras == {
        "name": "redis-01",
        "key_filename": "keys/id_ed25519",
        "known_hosts": "known_hosts",
    }
    assert second.extras is not None
    assert second.extras["name"] == "redis-02"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"connection": "ssh"}, "did you mean kbz_ssh"),
        ({"ssh": {"key_file": "x"}}, "did you mean key_filename"),
        ({"ssh": {"port": "22"}}, "ssh.port is '22'"),
        ({"ssh": {"port": True}}, "ssh.port is 'True'"),
        ({"ssh": {"port": 70000}}, "ssh.port is '70000'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load(**options)
    assert expected in str(caught.value)
    assert "nornir_config.yaml" in str(caught.value)


def test_a_bad_file_is_named_through_the_plugin(tmp_path: Path) -> None:
    path = tmp_path / "servers.tsv"
    path.write_bytes(with_cell("redis-01", "ROLE", "rediss"))
    with pytest.raises(InputError, match=rf"servers\.tsv:{line_of('redis-01')}: ROLE 'rediss'"):
        TsvInventory(str(path), str(GROUPS)).load()


def test_importing_the_plugin_loads_nothing_heavy() -> None:
    program = (
        "import sys, keybuzz.site.nornir_inventory, keybuzz.report.text.inventory, keybuzz.site.limit;"
        "print([m for m in ('nornir', 'ruamel.yaml', 'paramiko', 'rich') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"


def test_the_table_has_a_line_per_server_and_what_is_no_server() -> None:
    lines = inventory_table(real_servers(), real_catalogue(), 48).splitlines()
    assert [line.split()[0] for line in lines[1:49]] == [s.name for s in real_servers()]
    assert "48 servers" in lines
    assert "  10.0.0.20  lb-proxysql  ports 3306 → proxysql" in lines
    assert any(line.startswith("  backn8n: ") for line in lines)
    assert max(map(len, lines)) <= 100


def test_the_tree_shows_each_server_once_under_its_module() -> None:
    lines = inventory_tree(real_servers(), real_catalogue(), 48).splitlines()
    text = "\n".join(lines)
    for server in real_servers():
        assert sum(f" {server.name} " in line for line in lines) == 1
    assert [line[4:] for line in lines if "── Module" in line] == [
        f"Module {n}" for n in range(2, 11)
    ]
    alone = sum(server.groups == ("all",) for server in real_servers())
    assert alone
    assert f"(48 of 48, {alone} of them in no other group)" in text
    assert "└── backn8n: the 49th" in text
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if "\x1b" in line]


def test_a_selection_shows_only_itself() -> None:
    servers = [server for server in real_servers() if server.name in ("redis-01", "redis-03")]
    assert inventory_tree(servers, real_catalogue(), 48).splitlines() == [
        "2 of 48 servers",
        "└── Module 4",
        "    └── redis: Redis with Sentinel (2 of 3)",
        "        ├── redis-01  10.0.0.123  redis/master",
        "        └── redis-03  10.0.0.125  redis/replica",
    ]
    table = inventory_table(servers, real_catalogue(), 48)
    assert table.splitlines()[-1] == "2 of 48 servers"
    assert len(table.splitlines()) == 5


def test_the_document_is_json_with_a_version() -> None:
    document = inventory_document(real_servers(), real_catalogue(), 48)
    again = json.loads(json.dumps(document))
    assert again == document
    assert again["format_version"] == 1
    assert len(again["servers"]) == 48
    groups = {group["name"]: group for group in again["groups"]}
    assert groups["patroni"]["hosts"] == ["db-master-01", "db-slave-01", "db-slave-02"]
    assert [entry["address"] for entry in again["virtual_addresses"]] == [
        "10.0.0.10",
        "10.0.0.20",
        "10.0.0.5",
        "10.0.0.6",
    ]
    assert [entry["name"] for entry in again["excluded"]] == ["backn8n"]
