"""The description of a server's firewall, package source and upkeep, from the parameters of the site."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.model.host.files import Artefact, File
from keybuzz.site.site import Site
from tasks.base.docker import KEY, SOURCE, docker
from tasks.base.firewall import firewall
from tasks.base.upkeep import JAIL, NEEDRESTART, UPGRADES, upkeep
from tests.unit.support.site_values import memory_site, with_parameters

SITE = memory_site()
DIGEST = f"sha256:{'a' * 64}"


def of_host(site: Site, pattern: str, values: dict[str, str]) -> Site:
    return replace(site, settings=replace(site.settings, hosts={pattern: values}))


def rules(site: Site, host: str) -> list[str]:
    return [str(rule) for rule in firewall(site, site.server(host)).rules]


def text(resources: tuple[object, ...], path: str) -> str:
    (found,) = (item for item in resources if isinstance(item, File) and item.path == path)
    return found.text.reveal()


def test_operators_and_public_ports_get_rules_where_they_are_described() -> None:
    site = with_parameters(SITE, {"base.admin_networks": "198.51.100.7 2001:db8::/64"})
    site = of_host(site, "mail-core-*", {"base.public_ports": "25/tcp 443/udp"})
    assert rules(site, "mail-core-01") == [
        "allow 22/tcp from 10.0.0.0/16 (kbz:ssh)",
        "allow 22/tcp from 198.51.100.7 (kbz:admin)",
        "allow 22/tcp from 2001:db8::/64 (kbz:admin)",
        "allow anywhere from 10.0.0.0/16 (kbz:internal)",
        "allow 25/tcp from any (kbz:public)",
        "allow 443/udp from any (kbz:public)",
    ]
    assert not any("kbz:public" in rule for rule in rules(site, "mail-mx-01"))


def test_the_host_is_told_whom_the_rules_let_in() -> None:
    site = with_parameters(SITE, {"base.admin_networks": "198.51.100.7"})
    values = {"base.public_ports": "25/tcp", "base.private_ports": "8080/tcp"}
    site = of_host(site, "mail-core-01", values)
    query = firewall(site, site.server("mail-core-01")).query()
    assert query["sources"] == ["10.0.0.0/16", "198.51.100.7"]
    assert query["ports"] == sorted(
        [f"{port}/tcp" for port in (22, 25, 53, 5355, 8080)]
        + [f"{port}/udp" for port in (53, 68, 546, 5353, 5355)]
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("base.admin_networks", "198.51.100.7/24", "must be networks or addresses"),
        ("base.admin_networks", "home", "must be networks or addresses"),
        ("base.public_ports", "smtp", "must be ports separated by spaces"),
        ("base.public_ports", "25", "must be ports separated by spaces"),
        ("base.private_ports", "99999/tcp", "must be ports separated by spaces"),
    ],
)
def test_what_is_no_network_or_port_is_refused_with_its_name(
    name: str, value: str, said: str
) -> None:
    site = with_parameters(SITE, {name: value})
    with pytest.raises(InputError) as caught:
        firewall(site, site.servers[0])
    assert name in str(caught.value)
    assert said in str(caught.value)


def test_the_package_source_and_its_key_are_described_when_the_site_names_them() -> None:
    values = {
        "base.docker_source": "https://packages.example.org/linux/ubuntu",
        "base.docker_source_digest": DIGEST,
    }
    site = with_parameters(SITE, values)
    found = docker(site, site.servers[0])
    (key,) = (item for item in found if isinstance(item, Artefact))
    assert (key.path, key.digest, key.mode) == (KEY, DIGEST, 0o644)
    lines = text(found, SOURCE).splitlines()
    assert "URIs: https://packages.example.org/linux/ubuntu" in lines
    assert "Suites: noble" in lines
    assert f"Signed-By: {KEY}" in lines
    names = [item.identity for item in found]
    assert names.index(f"file:{SOURCE}") < names.index("package:docker-ce")
    assert not any(item.identity == f"file:{SOURCE}" for item in docker(SITE, SITE.servers[0]))


def test_a_package_source_without_its_key_is_refused() -> None:
    site = with_parameters(SITE, {"base.docker_source": "https://packages.example.org"})
    with pytest.raises(InputError, match=r"base\.docker_source_digest is none"):
        docker(site, site.servers[0])


def test_updates_and_bans_are_under_control() -> None:
    found = upkeep(with_parameters(SITE, {"base.admin_networks": "198.51.100.7"}))
    assert 'Automatic-Reboot "false";' in text(found, UPGRADES)
    assert '"^docker";' in text(found, UPGRADES)
    assert "$nrconf{restart} = 'l';" in text(found, NEEDRESTART)
    never = next(line for line in text(found, JAIL).splitlines() if line.startswith("ignoreip"))
    assert never.split()[2:] == ["127.0.0.0/8", "::1", "10.0.0.0/16", "198.51.100.7"]
