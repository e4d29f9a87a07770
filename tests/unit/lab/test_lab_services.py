"""The pure parts of the lab's services: what the load balancers and the registry are told."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.lab import requirements, service
from keybuzz.lab.network import balancer
from keybuzz.lab.supply import images, registry
from keybuzz.lab.supply.stand_ins import needed_by, stand_ins
from keybuzz.model.core.content import Content
from keybuzz.model.host.files import File
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.site.versions import parse_versions
from tasks.base.desired import describe
from tests import machine
from tests.unit.support.inventory_files import INVENTORY, real_catalogue, real_servers
from tests.unit.support.site_values import memory_site, with_parameters

SETTINGS = LabSettings("try", Path("/lab"), Path("/cache"))
BALANCERS = balancer.balancers(real_catalogue(), real_servers())


def balancer_at(address: str) -> balancer.Balancer:
    (found,) = (one for one in BALANCERS if str(one.virtual.address) == address)
    return found


@pytest.mark.parametrize(
    ("address", "ports", "targets"),
    [
        ("10.0.0.10", {5432, 6432, 6379, 5672}, {"haproxy-01", "haproxy-02"}),
        ("10.0.0.20", {3306}, {"proxysql-01", "proxysql-02"}),
    ],
)
def test_a_load_balancer_leads_where_the_catalogue_says(
    address: str, ports: set[int], targets: set[str]
) -> None:
    text = balancer.config_text(SETTINGS, balancer_at(address))
    assert set(re.findall(r"^  bind (\S+)$", text, re.M)) == {f"{address}:{port}" for port in ports}
    listeners = text.split("listen ")[1:]
    assert len(listeners) == len(ports)
    for listener in listeners:
        port = listener.split("\n")[0]
        names = re.findall(rf"^  server (\S+) 10\.0\.0\.\d+:{port}$", listener, re.M)
        assert set(names) == targets


def test_a_load_balancer_checks_as_the_requirement_says() -> None:
    text = balancer.config_text(SETTINGS, balancer_at("10.0.0.10"))
    assert "default-server check inter 2s fall 3 rise 3\n" in text
    assert "timeout check 2s\n" in text


def test_a_changed_target_changes_what_the_load_balancer_is_told() -> None:
    one = balancer_at("10.0.0.20")
    assert balancer.config_text(SETTINGS, one) != balancer.config_text(
        SETTINGS, replace(one, targets=one.targets[:1])
    )


def test_states_are_read_by_port_and_target() -> None:
    text = (
        "# pxname,svname,status\n5432,FRONTEND,OPEN\n5432,haproxy-01,UP 1/3\n"
        "5432,haproxy-02,DOWN\n5432,BACKEND,UP\n\n"
    )
    assert balancer.parse_states(text) == (
        balancer.TargetState(5432, "haproxy-01", True),
        balancer.TargetState(5432, "haproxy-02", False),
    )
    assert balancer.parse_states("") == ()


def test_the_registry_listens_on_the_controllers_address_only() -> None:
    told = json.loads(registry.config_text(SETTINGS))
    assert told["http"]["addr"] == "10.0.0.1:5000"
    assert told["storage"]["filesystem"]["rootdirectory"] == "/cache/registry"
    other = replace(SETTINGS, root=Path("/other"))
    assert json.loads(registry.config_text(other))["storage"] == told["storage"]


def test_a_service_shares_its_group_with_no_host() -> None:
    names = {server.name for server in real_servers()}
    groups = {service.group(SETTINGS, name).host for name in (*names, "registry")}
    assert not groups & names


def test_every_stand_in_answers_to_a_reference_of_the_versions_file() -> None:
    path = INVENTORY / "versions.yaml"
    versions = parse_versions(path.read_bytes(), str(path))
    frozen = {version.reference for version in versions.values()}
    assert {stand_in.reference for stand_in in stand_ins()} <= frozen


def test_every_stand_in_is_built_on_the_debian_of_its_table() -> None:
    for stand_in in stand_ins():
        folder = images.recipe_folder(stand_in.recipe)
        bases = set(re.findall(r"^FROM (\S+)", (folder / "Dockerfile").read_text(), re.M))
        assert bases == {images.DEBIAN[stand_in.debian.digest]}


def test_only_the_chosen_servers_decide_which_images_are_made() -> None:
    chosen = {server.name: server for server in real_servers()}
    assert [one.recipe for one in needed_by([chosen["db-master-01"]])] == ["postgres"]
    assert [one.recipe for one in needed_by([chosen["temporal-db-01"]])] == []
    assert set(needed_by(chosen.values())) == set(stand_ins())


def test_packages_whose_daemons_are_disabled_are_packages_that_the_lab_installs() -> None:
    assert set(requirements.DAEMONS) <= {
        *requirements.PROGRAMS.values(),
        *machine.PROGRAMS.values(),
    }


@pytest.mark.parametrize(
    ("mirrors", "wanted"),
    [
        ("none", None),
        ("http://10.0.0.1:5000", ["http://10.0.0.1:5000"]),
        ("http://a:1 https://b", ["http://a:1", "https://b"]),
    ],
)
def test_docker_is_told_of_mirrors_only_where_the_site_has_some(
    mirrors: str, wanted: list[str] | None
) -> None:
    site = with_parameters(memory_site(), {"base.registry_mirrors": mirrors})
    files = [one for one in describe(site, site.servers[0]).resources if isinstance(one, File)]
    (daemon,) = (file for file in files if file.path == "/etc/docker/daemon.json")
    assert isinstance(daemon.content, Content)
    told = json.loads(daemon.content.reveal())
    assert told.get("registry-mirrors") == wanted
