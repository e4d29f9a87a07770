"""rabbitmq.conf and the HAProxy before it: for any site they keep what facts/05 settles."""

from __future__ import annotations

import re

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Container
from keybuzz.model.host.files import File
from keybuzz.site.module import Module
from keybuzz.site.site import Site
from tasks.rabbitmq import MODULE
from tasks.rabbitmq_proxy import MODULE as PROXY
from tests.unit.support.site_values import (
    PLANTED,
    described,
    memory_site,
    with_parameters,
    with_secrets,
)

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
KEYS = {
    "cluster_name",
    "default_queue_type",
    "cluster_partition_handling",
    "listeners.tcp.1",
    "management.tcp.ip",
    "management.tcp.port",
    "log.console",
    "log.file.rotation.size",
    "log.file.rotation.count",
}
"""Every one exists in 3.12.14; an unknown key stops the boot."""


def resources(site: Site, module: Module) -> dict[str, tuple[Resource, ...]]:
    found = described(site, module)
    return {host: item.modules[module.name].resources for host, item in found.items()}


def text(items: tuple[Resource, ...], ending: str) -> str:
    [file] = [r for r in items if isinstance(r, File) and r.path.endswith(ending)]
    return file.text.reveal()


def options(items: tuple[Resource, ...]) -> dict[str, str]:
    lines = text(items, "/rabbitmq.conf").splitlines()
    kept = (line.split(" = ", 1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in kept}


@HEAVY
@given(st.sampled_from(["ignore", "pause_minority", "autoheal"]), st.integers(0, 999999))
def test_only_keys_that_exist_on_the_private_address(handling: str, files: int) -> None:
    site = with_parameters(
        memory_site(),
        {"rabbitmq.partition_handling": handling, "rabbitmq.open_files": str(files)},
    )
    for host, items in resources(site, MODULE).items():
        found = options(items)
        address = str(site.server(host).address)
        assert set(found) == KEYS
        assert found["default_queue_type"] == "quorum"
        assert found["cluster_name"] == "keybuzz-queue"
        assert found["cluster_partition_handling"] == handling
        assert found["listeners.tcp.1"] == f"{address}:5672"
        assert found["management.tcp.ip"] == address


def test_the_container_holds_no_secret_and_changes_with_the_configuration() -> None:
    def container(handling: str) -> Container:
        site = with_parameters(memory_site(), {"rabbitmq.partition_handling": handling})
        items = resources(site, MODULE)["queue-01"]
        return next(r for r in items if isinstance(r, Container))

    assert PLANTED not in str(container("ignore").order())
    assert container("ignore").environment != container("pause_minority").environment
    assert container("ignore").restart == "unless-stopped"
    assert container("ignore").open_files == 65536


@pytest.mark.parametrize("cookie", ["short", "with a space in the cookie", "x" * 300])
def test_a_cookie_that_erlang_would_read_as_another_is_refused(cookie: str) -> None:
    site = with_secrets(memory_site(), {"RABBITMQ_ERLANG_COOKIE": cookie})
    with pytest.raises(InputError, match="RABBITMQ_ERLANG_COOKIE"):
        resources(site, MODULE)


@HEAVY
@given(st.integers(1, 999999))
def test_the_entry_goes_round_all_three_nodes_and_speaks_amqp(maximum: int) -> None:
    site = with_parameters(memory_site(), {"haproxy.max_connections": str(maximum)})
    texts = {text(items, "/haproxy.cfg") for items in resources(site, PROXY).values()}
    [config] = texts
    assert re.findall(r"bind (\S+)", config) == ["0.0.0.0:5672"]
    servers = re.findall(r"server (\S+) (\S+) check(.*)", config)
    assert servers == [(f"queue-0{n}", f"10.0.0.{125 + n}:5672", "") for n in (1, 2, 3)]
    assert "balance roundrobin" in config
    assert "tcp-check send-binary 414d515000000901" in config
    assert "None" not in config


def test_idle_consumers_live_longer_than_three_heartbeats() -> None:
    config = text(resources(memory_site(), PROXY)["haproxy-01"], "/haproxy.cfg")
    hours = re.findall(r"timeout (?:client|server) (\d+)h", config)
    assert len(hours) == 2
    assert all(int(found) * 3600 >= 3 * 60 for found in hours)
    assert {"option clitcpka", "option srvtcpka"} <= {line.strip() for line in config.splitlines()}
