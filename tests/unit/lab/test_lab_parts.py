"""The lab's pure parts: names, commands, files and decisions, without a lab."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.lab import fault, layout, machine, requirements, status
from keybuzz.lab.hosts import cgroup, disk, host, keys, recipe
from keybuzz.lab.network import namespace, network
from keybuzz.lab.supply import images
from keybuzz.lab.supply.stand_ins import stand_ins
from keybuzz.model.core.errors import KbzError, UsageError
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server
from tasks.base.desired import RESOLVERS

SETTINGS = LabSettings("try", Path("/lab"), Path("/cache"))
SERVER = Server(
    name="db-master-01",
    address=IPv4Address("10.0.0.120"),
    public_address=IPv4Address("203.0.113.19"),
    fqdn="db-master.keybuzz.io",
    environment="prod",
    user="root",
    pool="db-pool",
    role="db",
    subrole="postgres",
    stack="patroni-node",
    core=True,
    notes="",
    line=2,
)
HOST_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,40}", fullmatch=True)


@given(st.sets(HOST_NAMES, min_size=2, max_size=20))
def test_ports_of_a_bridge_have_short_and_different_names(names: set[str]) -> None:
    ports = {layout.interface_name(name) for name in names}
    assert len(ports) == len(names)
    assert all(len(port) <= 15 for port in ports)


def test_a_short_host_name_is_its_port() -> None:
    assert layout.interface_name("analytics-db-01") == "analytics-db-01"


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_hardware_addresses_differ_as_addresses_do(one: IPv4Address, other: IPv4Address) -> None:
    first, second = layout.hardware_address(one), layout.hardware_address(other)
    assert (first == second) == (one == other)
    assert first.startswith("02:"), "the locally administered range, never a real card's"


@pytest.mark.parametrize("name", ["", "Lab", "-lab", "a b", "lab/..", "x" * 33])
def test_a_name_that_can_not_be_a_namespace_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        layout.check_name(replace(SETTINGS, name=name))


def test_two_labs_share_no_name_and_no_folder() -> None:
    here = layout.HostPlaces(SETTINGS, "db-master-01")
    there = layout.HostPlaces(LabSettings("demo", Path("/demo"), Path("/cache")), "db-master-01")
    assert here.machine != there.machine
    assert here.namespace != there.namespace
    assert not there.folder.is_relative_to(SETTINGS.root)


def test_the_network_has_no_route_out_but_to_the_labs_own_name_servers() -> None:
    commands = (
        *network.bridge_commands(),
        *network.port_commands("db-master-01", "try-db-master-01"),
        *network.host_commands(SERVER),
    )
    assert "address add 10.0.0.120/16 dev eth0" in commands
    routes = [command for command in commands if command.startswith("route")]
    assert routes == ["route add 1.1.1.1/32 dev eth0", "route add 8.8.8.8/32 dev eth0"]


def test_the_labs_name_servers_are_those_that_base_gives_to_hosts() -> None:
    assert tuple(str(address) for address in layout.NAME_SERVERS) == RESOLVERS


def test_the_container_gets_its_network_disk_and_no_clock() -> None:
    places = layout.HostPlaces(SETTINGS, "db-master-01")
    words = host.keeper_arguments(places, Path("/cache/base/abc"), (Path("/cg/cgroup.procs"),))
    layers = "lowerdir=/cache/base/abc,upperdir=/lab/hosts/db-master-01/volume/upper"
    own, container = words[: words.index("--")], words[words.index("--") + 1 :]
    assert own == [
        "/run/netns/try-db-master-01",
        "/lab/hosts/db-master-01/disk.ext4",
        "/lab/hosts/db-master-01/volume",
        "/lab/hosts/db-master-01/root",
        f"{layers},workdir=/lab/hosts/db-master-01/volume/work",
        "/cg/cgroup.procs",
    ]
    assert "--network-namespace-path=/run/netns/try-db-master-01" in container
    assert "--bind=/lab/hosts/db-master-01/volume/docker:/var/lib/docker" in container
    assert "--drop-capability=CAP_SYS_TIME" in container


def test_control_groups_are_found_with_and_without_systemd() -> None:
    version_one = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    hybrid = version_one + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert cgroup.unified_root(hybrid) == Path("/sys/fs/cgroup/unified")
    under_systemd = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    assert cgroup.unified_root(under_systemd) == Path("/sys/fs/cgroup")


def test_a_machine_without_cgroup2_is_told_how_to_get_it() -> None:
    with pytest.raises(KbzError, match="mount -t cgroup2"):
        cgroup.unified_root("proc /proc proc rw 0 0\n")


def test_known_hosts_pins_addresses_without_comments() -> None:
    text = keys.known_hosts_text(
        {
            IPv4Address("10.0.0.121"): "ssh-ed25519 BBBB root@db-slave-01",
            IPv4Address("10.0.0.120"): "ssh-ed25519 AAAA root@db-master-01",
        }
    )
    assert text == "10.0.0.120 ssh-ed25519 AAAA\n10.0.0.121 ssh-ed25519 BBBB\n"


def test_a_bare_server_knows_itself_by_both_names() -> None:
    assert "127.0.1.1\tdb-master.keybuzz.io db-master-01\n" in disk.hosts_text(SERVER)


def test_every_part_of_a_base_recipe_moves_its_digest() -> None:
    variants = [
        replace(recipe.SERVER, packages=(*recipe.SERVER.packages, "vim")),
        replace(recipe.SERVER, masked=()),
        replace(recipe.SERVER, disabled=()),
        replace(recipe.SERVER, files=()),
        replace(recipe.SERVER, removed=()),
        replace(recipe.SERVER, version=99),
    ]
    assert len({variant.digest for variant in (recipe.SERVER, *variants)}) == len(variants) + 1


def test_every_part_of_an_image_recipe_moves_its_digest(tmp_path: Path) -> None:
    seen = {images.recipe_digest(tmp_path)}
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    seen.add(images.recipe_digest(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM b\n")
    seen.add(images.recipe_digest(tmp_path))
    (tmp_path / "Dockerfile").rename(tmp_path / "Containerfile")
    seen.add(images.recipe_digest(tmp_path))
    assert len(seen) == 4
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/program.cpython-311.pyc").write_bytes(b"compiled here")
    assert images.recipe_digest(tmp_path) in seen


def test_every_stand_in_has_a_recipe() -> None:
    for stand_in in stand_ins():
        folder = images.recipe_folder(stand_in.recipe)
        assert (folder / "Dockerfile").is_file()


def test_limits_are_raised_but_never_lowered(tmp_path: Path) -> None:
    for name, wanted in machine.LIMITS:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(wanted))
    low, high = tmp_path / "fs/inotify/max_user_instances", tmp_path / "kernel/pty/max"
    low.write_text("128\n")
    high.write_text("99999999\n")
    said: list[str] = []
    machine.raise_limits(lambda _, sentence: said.append(sentence), tmp_path)
    assert low.read_text() == "8192"
    assert high.read_text() == "99999999\n"
    assert [sentence.partition(": ")[2] for sentence in said] == [
        "fs.inotify.max_user_instances=8192"
    ]


def test_only_packages_whose_program_is_missing_are_wanted(tmp_path: Path) -> None:
    for program, package in requirements.PROGRAMS.items():
        if package != "mmdebstrap":
            file = tmp_path / program.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    assert requirements.missing(root=tmp_path) == ("mmdebstrap",)


def test_loss_of_nothing_only_removes_the_rules() -> None:
    assert "drop" not in fault.loss_rules("db-master-01", 0)
    assert fault.loss_rules("db-master-01", 30).count("< 30 drop") == 2


@pytest.mark.parametrize("percent", [-1, 100])
def test_a_loss_that_is_no_share_is_refused(percent: int) -> None:
    with pytest.raises(UsageError):
        fault.lose(SETTINGS, "db-master-01", percent)


def test_memory_is_the_proportional_share() -> None:
    assert status.proportional_bytes("00-ff ---p\nRss:  90 kB\nPss:  34 kB\n") == 34 * 1024
    assert status.proportional_bytes("") == 0


def test_a_lab_that_is_not_there_can_not_be_entered() -> None:
    with pytest.raises(KbzError, match="kbz lab up"):
        namespace.enter(replace(SETTINGS, name="no-such-lab"))
