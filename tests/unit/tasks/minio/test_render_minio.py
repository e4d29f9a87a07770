"""The container of every MinIO node, for any valid site: the same drives in the same order, on private addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.resource import Resource
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.files import Directory
from keybuzz.policy.context import context_of
from keybuzz.site.files.tsv import parse_servers
from keybuzz.site.site import Site
from keybuzz.site.versions import parse_versions
from tasks.minio import MODULE, values
from tasks.minio.service.resources import MinioBucket, MinioDrive
from tests.unit.support.inventory_files import CONTENT, INVENTORY, real_catalogue
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


def site_with(places: tuple[tuple[str, IPv4Address], ...]) -> Site:
    rows = tuple(Row(name, place, "storage", "minio", "minio-docker") for name, place in places)
    servers, catalogue = fleet_of(rows)
    return replace(memory_site(), servers=servers, catalogue=catalogue)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Return a site with three MinIO servers of any name and address."""
    names = draw(st.lists(server_names, min_size=3, max_size=3, unique=True))
    places = draw(st.lists(addresses, min_size=3, max_size=3, unique=True))
    return site_with(tuple(zip(names, places, strict=True)))


def resources(site: Site) -> dict[str, tuple[Resource, ...]]:
    return {
        host: found.modules["minio"].resources for host, found in described(site, MODULE).items()
    }


def containers(site: Site) -> dict[str, Container]:
    return {
        host: next(r for r in found if isinstance(r, Container))
        for host, found in resources(site).items()
    }


@HEAVY
@given(sites())
def test_every_node_of_any_site_gets_the_same_drives_in_the_order_of_the_names(site: Site) -> None:
    members = site.members("minio")
    wanted = tuple(f"http://{member.address}:9000/data" for member in members)
    for host, container in containers(site).items():
        command = container.command
        assert (command[0], command[1:4]) == ("server", wanted)
        own = str(site.server(host).address)
        options = dict(zip(command[4::2], command[5::2], strict=True))
        # MIN-4: never on every address, where the public one is too.
        assert options == {"--address": f"{own}:9000", "--console-address": f"{own}:9001"}
        # Nodes compare their MINIO_* variables: only those that may differ stand there.
        assert {name for name, _ in container.environment} == {
            "MINIO_ROOT_USER",
            "MINIO_ROOT_PASSWORD",
        }
        assert "None" not in " ".join(command)


def test_the_real_site_has_the_order_of_the_owner_and_one_entry() -> None:
    site = memory_site()
    assert values.drives(site) == (
        "http://10.0.0.134:9000/data",
        "http://10.0.0.131:9000/data",
        "http://10.0.0.132:9000/data",
    )
    assert values.url(site) == "http://10.0.0.134:9000"
    found = context_of(site, date(2026, 1, 1)).endpoints
    assert [item.address for item in found if values.GROUP in item.targets] == [
        values.entry(site).address
    ]


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_any_other_number_of_nodes_is_refused_before_a_host_is_asked(count: int) -> None:
    """MIN-1, also for somebody who changed `expected` in groups.yaml."""
    site = site_with(
        tuple((f"minio-0{n}", IPv4Address("10.0.0.130") + n) for n in range(1, count + 1))
    )
    with pytest.raises(InputError, match="exactly 3 nodes"):
        MODULE.describe(site, site.members("minio")[0])


def test_a_fourth_node_in_servers_tsv_is_refused() -> None:
    line = next(line for line in CONTENT.decode().split("\n") if "\tminio-03\t" in line)
    fourth = line.replace("minio-03", "minio-04").replace("10.0.0.132", "10.0.77.139")
    fourth = fourth.replace("203.0.113.34", "203.0.113.199")
    text = CONTENT.decode().rstrip("\n") + f"\n{fourth}\n"
    with pytest.raises(InputError, match="minio"):
        parse_servers(text.encode(), "servers.tsv", real_catalogue())


@pytest.mark.parametrize("tag", ["latest", "RELEASE", "edge"])
def test_a_tag_that_floats_is_refused(tag: str) -> None:
    text = (INVENTORY / "versions.yaml").read_text()
    reference = "minio/minio:RELEASE.2024-10-02T17-50-41Z"
    assert reference in text
    with pytest.raises(InputError, match=r"versions\.yaml"):
        parse_versions(text.replace(reference, f"minio/minio:{tag}").encode(), "versions.yaml")


class TestContainer:
    def test_it_is_the_frozen_image_with_its_own_user_and_its_data(self) -> None:
        site = memory_site()
        version = site.versions["minio"]
        assert version.frozen == "minio/minio:RELEASE.2024-10-02T10-00Z"
        assert version.reason.startswith("A4")
        for host, container in containers(site).items():
            assert (
                container.image == version.reference == "minio/minio:RELEASE.2024-10-02T17-50-41Z"
            )
            assert (container.restart, container.user) == ("unless-stopped", "")
            assert [str(bind) for bind in container.binds] == ["/opt/keybuzz/minio/data:/data:rw"]
            found = resources(site)[host]
            assert Image(version.reference) in found
            owners = {r.path: (r.owner, r.group) for r in found if isinstance(r, Directory)}
            assert owners[values.DATA] == (0, 0)

    def test_the_password_is_a_secret(self) -> None:
        for container in containers(memory_site()).values():
            assert isinstance(dict(container.environment)["MINIO_ROOT_PASSWORD"], Secret)
            assert PLANTED not in repr(container)

    def test_the_bucket_keeps_versions(self) -> None:
        site = memory_site()
        for found in described(site, MODULE).values():
            [bucket] = found.modules["minio"].cluster
            assert isinstance(bucket, MinioBucket)
            assert bucket.bucket == "keybuzz-backups"
            assert bucket.wanted(site.digest_key) == {"versioning": "Enabled"}

    @pytest.mark.parametrize(("text", "wanted"), [("yes", True), ("no", False)])
    def test_production_wants_a_volume_and_the_lab_has_none(self, text: str, wanted: bool) -> None:
        assert memory_site().settings.parameters["minio.data_must_be_mount"] == "yes"
        site = with_parameters(memory_site(), {"minio.data_must_be_mount": text})
        for found in resources(site).values():
            [drive] = [r for r in found if isinstance(r, MinioDrive)]
            assert ("mounted" in drive.wanted(site.digest_key)) is wanted

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("MINIO_ROOT_USER", "ab", "3 or more"),
            ("MINIO_ROOT_USER", "a b c", "letters"),
            ("MINIO_ROOT_PASSWORD", "seven-7", "at least 8"),
            ("MINIO_BUCKET", "Backups", "small letters"),
            ("MINIO_BUCKET", "a/b", "small letters"),
        ],
    )
    def test_what_minio_would_not_start_with_is_said_before_any_host_is_asked(
        self, name: str, value: str, said: str
    ) -> None:
        site = with_secrets(memory_site(), {name: value})
        with pytest.raises(InputError, match=said) as caught:
            MODULE.describe(site, site.members("minio")[0])
        assert value not in str(caught.value) or name != "MINIO_ROOT_PASSWORD"

    def test_a_parameter_that_is_neither_yes_nor_no_is_refused(self) -> None:
        site = with_parameters(memory_site(), {"minio.data_must_be_mount": "perhaps"})
        with pytest.raises(
            InputError, match=r"minio\.data_must_be_mount is 'perhaps', and must be one of yes, no"
        ):
            MODULE.describe(site, site.members("minio")[0])
