"""What stops base settings before anything is changed: people, ports, engines and containers that would be cut off."""

from __future__ import annotations

import pytest

from keybuzz.engine.look.describe import describe_all
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.host.system import Firewall
from tasks.base import MODULE
from tasks.base.docker import docker
from tests.unit.support.site_values import memory_nornir, memory_site, with_parameters
from tests.unit.tasks.base.test_rollout_base import (
    DOCKER,
    ENGINE,
    HOSTS,
    SITE,
    UFW,
    States,
    good,
    live,
)
from tests.unit.tasks.patroni.cluster_world import damaged


def refusal(states: States) -> str:
    """Return the words of the refusal; another change waits too, and must not have been made a stage."""
    states["db-1"] = damaged(states["db-1"], "package:jq")
    with pytest.raises(RefusedError) as caught:
        MODULE.next_stage(live(states))
    return str(caught.value)


def test_who_is_logged_in_from_outside_is_not_shut_out() -> None:
    states = good()
    states["db-2"] = damaged(states["db-2"], UFW, active=False, shut_out=("198.51.100.7",))
    assert refusal(states) == (
        "db-2: the firewall would shut out who is logged in over SSH from 198.51.100.7\n"
        "  → add the operators' networks to base.admin_networks in site.yaml, or end these sessions"
    )


def test_what_other_services_listen_on_is_not_cut_off_in_silence() -> None:
    states = good()
    served = tuple(f"{port} (master)" for port in (25, 143, 465, 587, 993, 995, 4190))
    states["db-2"] = damaged(states["db-2"], UFW, active=False, served=served)
    said = refusal(states)
    assert (
        "db-2: the firewall would cut off what listens here for any address: 25 (master), " in said
    )
    assert "and 2 more" in said
    assert "db-2: base.public_ports" in said


def test_what_our_own_services_listen_on_is_closed_to_the_public_without_a_question() -> None:
    """An old deployment often listens on every address; that the service is private is described."""
    states = good()
    served = ("5432/tcp (postgres)", "8008/tcp (patroni)")
    states["db-2"] = damaged(states["db-2"], UFW, active=False, served=served)
    assert "closes: 5432/tcp (postgres), 8008/tcp (patroni)" in str(list(live(states).changes()))
    assert MODULE.next_stage(live(states)) is not None
    mixed = (*served, "54321/tcp (other)")
    states["db-2"] = damaged(states["db-2"], UFW, active=False, served=mixed)
    assert "listens here for any address: 54321/tcp (other)" in refusal(states)
    datagrams = (*served, "5432/udp (other)")
    states["db-2"] = damaged(states["db-2"], UFW, active=False, served=datagrams)
    assert "listens here for any address: 5432/udp (other)" in refusal(states)


def test_the_ports_of_every_service_on_a_host_are_known_whichever_module_is_run() -> None:
    found = describe_all(memory_nornir(memory_site()), (MODULE,))
    ports = {
        host: resource.services
        for host in ("haproxy-01", "queue-01", "maria-01", "k8s-worker-01", "install-01")
        for resource in found[host].modules["base"].resources
        if isinstance(resource, Firewall)
    }
    assert {"5432/tcp", "6432/tcp", "6379/tcp", "5672/tcp"} <= ports["haproxy-01"]
    assert {"5672/tcp", "15672/tcp", "4369/tcp", "25672/tcp"} <= ports["queue-01"]
    assert {"3306/tcp", "4567/tcp"} <= ports["maria-01"]
    assert {"6443/tcp", "8472/udp"} <= ports["k8s-worker-01"]
    assert not ports["install-01"] & {"5432/tcp", "5672/tcp", "3306/tcp", "8472/udp"}


def test_a_firewall_that_is_as_described_asks_nobody() -> None:
    """A session that began before the rules goes on; it is not theirs to end."""
    states = good()
    attributes = {**states["db-2"][UFW].attributes, "shut_out": ("198.51.100.7",)}
    states["db-2"] = damaged(states["db-2"], UFW, **attributes)
    assert MODULE.next_stage(live(states)) is None


def test_a_newer_engine_is_told_with_both_ways_out() -> None:
    states = good()
    states["db-2"] = damaged(states["db-2"], ENGINE, version="5:29.1.0-1", newer=True)
    said = refusal(states)
    assert "db-2: docker-ce 5:29.1.0-1 is newer than 5:29.0.4-1~ubuntu.24.04~noble" in said
    assert "base.docker_version" in said
    assert "base.docker_downgrade: yes" in said


def test_the_owner_may_allow_the_older_engine() -> None:
    site = with_parameters(SITE, {"base.docker_downgrade": "yes"})
    engine = next(item for item in docker(site, site.servers[0]) if item.identity == ENGINE)
    assert engine.order()["downgrade"] is True
    usual = next(item for item in docker(SITE, SITE.servers[0]) if item.identity == ENGINE)
    assert usual.order()["downgrade"] is False


def test_containers_of_another_store_are_not_lost_from_sight() -> None:
    states = good()
    held = ("mailserver", "rspamd")
    states["db-3"] = damaged(states["db-3"], DOCKER, storage_driver="overlayfs", in_containerd=held)
    said = refusal(states)
    assert "db-3: Docker keeps its containers in containerd's store" in said
    assert "mailserver, rspamd" in said


def test_containers_of_another_root_are_not_lost_from_sight() -> None:
    states = good()
    root = {"root": "/data/docker", "in_root": ("old-redis",), "configuration_loaded": False}
    states["db-3"] = damaged(states["db-3"], DOCKER, **root)
    said = refusal(states)
    assert "db-3: Docker keeps its data in /data/docker" in said
    assert "no longer be seen: old-redis\n" in said
    assert "--data-root" in said


def test_a_fresh_engine_on_that_store_is_switched() -> None:
    states = good()
    for host in HOSTS:
        states[host] = damaged(
            states[host], DOCKER, storage_driver="overlayfs", in_containerd=(), containers_running=0
        )
    stage = MODULE.next_stage(live(states))
    assert stage is not None
    assert stage.hosts == HOSTS
