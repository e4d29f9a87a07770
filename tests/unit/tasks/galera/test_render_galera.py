"""my.cnf and the container of every node, for any valid site: each key once, and never a bootstrap."""

from __future__ import annotations

from configparser import ConfigParser
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.site.site import Site
from tasks.galera import MODULE, values
from tests.unit.support.site_values import (
    PLANTED,
    Row,
    addresses,
    described,
    fleet_of,
    memory_site,
    server_names,
    with_parameters,
    with_secrets,
)

HEAVY = settings(max_examples=25, phases=(Phase.explicit, Phase.generate))
sizes = st.builds("{}{}".format, st.integers(1, 65_536), st.sampled_from(["", "K", "M", "G"]))
SECRETS = ("MARIADB_ROOT_PASSWORD", "MARIADB_MONITOR_PASSWORD", "MARIADB_SST_PASSWORD")


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Return a site with 1 to 5 MariaDB servers of any name and address, and any sizes."""
    count = draw(st.integers(1, 5))
    names = draw(st.lists(server_names, min_size=count, max_size=count, unique=True))
    places = draw(st.lists(addresses, min_size=count, max_size=count, unique=True))
    rows = tuple(
        Row(name, place, "db", "mariadb", "mariadb-galera-docker")
        for name, place in zip(names, places, strict=True)
    )
    servers, catalogue = fleet_of(rows)
    site = replace(memory_site(), servers=servers, catalogue=catalogue)
    parameters = {
        "galera.buffer_pool_size": draw(sizes),
        "galera.log_file_size": draw(sizes),
        "galera.gcache_size": draw(sizes),
        "galera.max_connections": str(draw(st.integers(1, 99_999))),
    }
    return with_parameters(site, parameters)


def resources(site: Site, host: str) -> tuple[object, ...]:
    return described(site, MODULE)[host].modules["galera"].resources


def my_cnf(site: Site) -> dict[str, Content]:
    return {
        host: resource.text
        for host, found in described(site, MODULE).items()
        for resource in found.modules["galera"].resources
        if isinstance(resource, File) and resource.path == values.MY_CNF
    }


@HEAVY
@given(sites())
def test_any_valid_site_renders_each_key_once_with_its_own_node(site: Site) -> None:
    members = site.members("galera")
    for host, content in my_cnf(site).items():
        assert not content.secret
        parser = ConfigParser(strict=True, interpolation=None)  # strict: a second key is an error
        parser.read_string(content.reveal())
        assert parser.sections() == ["mysqld"]
        found = dict(parser["mysqld"])
        assert found["wsrep_node_name"] == host
        assert found["wsrep_node_address"] == str(site.server(host).address)
        listed = found["wsrep_cluster_address"].removeprefix("gcomm://").split(",")
        assert listed == [str(member.address) for member in members]
        assert found["binlog_format"] == "ROW"
        assert found["innodb_autoinc_lock_mode"] == "2"
        assert (found["wsrep_sst_method"], found["wsrep_on"]) == ("rsync", "ON")
        options = found["wsrep_provider_options"].strip('"').split(";")
        keys = [option.split("=")[0] for option in options]
        assert {"pc.recovery", "gcache.size", "gcs.fc_limit"} <= set(keys)
        assert len(keys) == len(set(keys))
        assert "None" not in content.reveal()


def test_variables_that_stopped_the_server_are_not_in_it() -> None:
    for content in my_cnf(memory_site()).values():
        for word in ("wsrep_replicate_myisam", "pxc_strict_mode", "10.0.0.10", "10.0.0.20"):
            assert word not in content.reveal()


def test_the_server_itself_reads_a_new_file_before_it_is_in_place() -> None:
    file = next(r for r in resources(memory_site(), "maria-01") if isinstance(r, File))
    assert file.validator is not None
    assert file.validator.command[0].endswith("mysqld")
    assert "--help" in file.validator.command


class TestContainer:
    def containers(self, site: Site | None = None) -> dict[str, Container]:
        found = described(site or memory_site(), MODULE)
        return {
            host: resource
            for host, description in found.items()
            for resource in description.modules["galera"].resources
            if isinstance(resource, Container)
        }

    def test_the_steady_container_can_never_make_a_cluster(self) -> None:
        for container in self.containers().values():
            names = {name for name, _ in container.environment}
            assert not names & {values.BOOTSTRAP, values.FORCE, values.EXTRA_FLAGS}
            assert container.restart == "unless-stopped"
            for flagged in (values.first_start(container), values.recovering(container)):
                assert dict(flagged.environment)[values.BOOTSTRAP] == "yes"
                # B2: the image's own way to bootstrap loses against the mounted wsrep_cluster_address.
                assert dict(flagged.environment)[values.EXTRA_FLAGS] == "--wsrep-new-cluster"
                assert flagged.restart == "no"
            assert values.FIRST_START not in dict(values.recovering(container).environment)

    def test_it_is_the_frozen_image_with_bitnamis_paths_user_and_patience(self) -> None:
        site = memory_site()
        for host, container in self.containers().items():
            assert container.image == site.versions["mariadb-galera"].reference
            assert "latest" not in container.image
            targets = {bind.target for bind in container.binds}
            assert targets >= {"/bitnami/mariadb", "/opt/bitnami/mariadb/conf/my_custom.cnf"}
            assert container.user == "1001"
            assert container.stop_timeout >= 60
            environment = dict(container.environment)
            assert environment["MARIADB_GALERA_NODE_ADDRESS"] == str(site.server(host).address)
        found = [r for r in resources(site, "maria-01") if isinstance(r, Directory | Image)]
        owners = {r.path: r.owner for r in found if isinstance(r, Directory)}
        assert owners["/opt/keybuzz/mariadb/data"] == 1001

    def test_passwords_are_secrets_and_no_user_is_one_of_delivery(self) -> None:
        for container in self.containers().values():
            environment = dict(container.environment)
            passwords = [value for name, value in environment.items() if "PASSWORD" in name]
            assert len(passwords) == 3
            assert all(isinstance(value, Secret) for value in passwords)
            assert PLANTED not in repr(container)
            assert environment["MARIADB_REPLICATION_USER"] != "monitor"

    def test_a_changed_configuration_is_a_changed_container(self) -> None:
        other = with_parameters(memory_site(), {"galera.max_connections": "7"})
        before, after = self.containers(), self.containers(other)
        assert all(before[host] != after[host] for host in before)

    @pytest.mark.parametrize("name", SECRETS)
    def test_a_password_that_the_image_refuses_is_said_before_any_host_is_asked(
        self, name: str
    ) -> None:
        site = with_secrets(memory_site(), {name: "x" * 33})
        with pytest.raises(InputError, match="more than 32 characters"):
            MODULE.describe(site, site.members("galera")[0])

    @pytest.mark.parametrize("value", ["1 G", "", "1G\nwsrep_on=OFF", "lots"])
    def test_a_size_is_a_size(self, value: str) -> None:
        site = with_parameters(memory_site(), {"galera.buffer_pool_size": value})
        with pytest.raises(InputError, match=r"galera.buffer_pool_size is"):
            MODULE.describe(site, site.members("galera")[0])
