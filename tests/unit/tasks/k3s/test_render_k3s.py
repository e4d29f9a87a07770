"""config.yaml, the unit and the ingress' manifest: for any site they keep what facts/09 settles."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from keybuzz.model.core.errors import InputError, RefusedError
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Artefact, File
from keybuzz.model.host.system import Firewall, InterfaceOption, SystemdUnit
from keybuzz.policy.check import check_text
from keybuzz.policy.schema import KUBERNETES
from keybuzz.site.site import Site
from keybuzz.site.versions import parse_binaries, parse_versions
from tasks.base import MODULE as BASE
from tasks.k3s import MODULE
from tasks.k3s.service.resources import K3sManifest, K3sStart
from tests.unit.support.policy_values import context
from tests.unit.support.site_values import (
    PLANTED,
    described,
    hostile_secrets,
    lawless_secrets,
    memory_site,
    with_parameters,
    with_secrets,
)
from tests.unit.tasks.k3s.k3s_world import (
    HOSTS,
    MASTERS,
    VERSION,
    WORKERS,
    World,
    address,
    descriptions,
)

HEAVY = settings(max_examples=6, phases=(Phase.explicit, Phase.generate), deadline=None)
CONFIG = "/etc/rancher/k3s/config.yaml"


def resources(site: Site) -> dict[str, tuple[Resource, ...]]:
    return {host: item.modules["k3s"].resources for host, item in described(site, MODULE).items()}


def config(items: tuple[Resource, ...]) -> dict[str, Any]:
    [file] = [r for r in items if isinstance(r, File) and r.path == CONFIG]
    assert file.mode == 0o600
    assert file.text.secret
    found = YAML(typ="safe").load(file.text.reveal())
    assert isinstance(found, dict)
    return found


def units(items: tuple[Resource, ...]) -> SystemdUnit:
    [unit] = [r for r in items if isinstance(r, SystemdUnit)]
    return unit


def manifest(site: Site | None = None) -> list[dict[str, Any]]:
    found = described(site, MODULE) if site else descriptions()
    cluster = found[MASTERS[0]].modules["k3s"].cluster
    [one] = [r for r in cluster if isinstance(r, K3sManifest)]
    return [json.loads(text) for text in one.objects]


@HEAVY
@given(hostile_secrets, st.integers(1, 9999), st.lists(st.sampled_from(["api.local", "10.0.0.5"])))
def test_any_token_comes_out_as_it_is_and_everything_else_is_as_settled(
    token: str, grace: int, more: list[str]
) -> None:
    site = with_secrets(memory_site(), {"K3S_TOKEN": token})
    site = with_parameters(
        site,
        {"k3s.node_grace_seconds": str(grace), "k3s.api_names": " ".join(more) or "none"},
    )
    for host, items in resources(site).items():
        found = config(items)
        assert found["token"] == token
        assert (found["node-name"], found["node-ip"]) == (host, address(host))
        assert found["resolv-conf"] == "/run/systemd/resolve/resolv.conf"
        assert found["server"] != f"https://{address(host)}:6443"
        assert found["server"] in {f"https://{address(name)}:6443" for name in MASTERS}
        assert "cluster-init" not in found
        assert "flannel-iface" not in found
        if host in MASTERS:
            wanted = {address(name) for name in MASTERS} | set(MASTERS) | set(more)
            assert set(found["tls-san"]) == wanted
            assert found["disable"] == ["traefik", "servicelb"]
            assert found["write-kubeconfig-mode"] == "0600"
            assert found["kube-controller-manager-arg"] == [f"node-monitor-grace-period={grace}s"]


@HEAVY
@given(lawless_secrets)
def test_a_token_with_a_line_break_is_refused_and_no_other_line_appears(token: str) -> None:
    site = with_secrets(memory_site(), {"K3S_TOKEN": token})
    try:
        found = resources(site)
    except InputError:
        assert not token.isprintable()
        return
    assert set(config(found[WORKERS[0]])) == set(config(descriptions_of()[WORKERS[0]]))


def descriptions_of() -> dict[str, tuple[Resource, ...]]:
    return {host: item.modules["k3s"].resources for host, item in descriptions().items()}


def test_flannels_interface_is_found_on_the_host_by_its_private_address() -> None:
    for host, items in descriptions_of().items():
        [option] = [r for r in items if isinstance(r, InterfaceOption)]
        assert (option.option, option.address) == ("flannel-iface", address(host))


def test_units_are_k3s_own_and_change_with_what_is_read_at_the_start() -> None:
    for host, items in descriptions_of().items():
        unit = units(items)
        assert unit.unit == ("k3s.service" if host in MASTERS else "k3s-agent.service")
        command = "server" if host in MASTERS else "agent"
        assert f"ExecStart=/usr/local/bin/k3s {command}\n" in unit.text
        assert "KillMode=process" in unit.text
        assert PLANTED not in unit.text
        assert unit.disrupts({"running": True})
    other = with_parameters(memory_site(), {"k3s.node_grace_seconds": "41"})
    binaries = {"k3s": replace(memory_site().binaries["k3s"], digest=f"sha256:{'4' * 64}")}
    upgraded = replace(memory_site(), binaries=binaries)
    texts = [units(resources(s)[MASTERS[0]]).text for s in (memory_site(), other, upgraded)]
    assert len(set(texts)) == 3


def test_no_description_starts_a_cluster() -> None:
    starts = [r for items in descriptions_of().values() for r in items if isinstance(r, K3sStart)]
    assert {start.by for start in starts} == {""}
    assert len(starts) == len(HOSTS)


def test_the_ingress_is_the_one_daemonset_on_its_nodes_network_and_kubernetes_takes_it() -> None:
    found = manifest()
    for item in found:
        kubernetes_validate.validate(item, KUBERNETES, strict=True)
    [daemonset] = [item for item in found if item["kind"] == "DaemonSet"]
    pod = daemonset["spec"]["template"]["spec"]
    assert pod["hostNetwork"] is True
    assert pod["dnsPolicy"] == "ClusterFirstWithHostNet"
    [container] = pod["containers"]
    assert container["image"] == memory_site().image("ingress-nginx")
    assert {80, 443} <= {port["hostPort"] for port in container["ports"]}
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
    kinds = [item["kind"] for item in found]
    assert {"IngressClass", "ValidatingWebhookConfiguration"} <= set(kinds)
    rules = [rule for item in found if item["kind"] == "Role" for rule in item["rules"]]
    assert any("leases" in rule["resources"] and "update" in rule["verbs"] for rule in rules)
    assert not any(item.get("spec", {}).get("type") == "LoadBalancer" for item in found)


def test_the_owners_own_rules_have_nothing_against_the_manifest() -> None:
    text = "---\n".join(json.dumps(item, indent=1) + "\n" for item in manifest())
    assert [f"{v.rule} {v.message}" for v in check_text("ingress.yaml", text, context())] == []


@pytest.mark.parametrize("tag", ["latest", "v1", "stable"])
def test_a_floating_tag_of_the_ingress_is_refused(tag: str) -> None:
    text = (
        f"images:\n  ingress-nginx:\n    frozen: registry.k8s.io/ingress-nginx/controller:{tag}\n"
    )
    with pytest.raises(InputError, match="VER-1"):
        parse_versions(text.encode(), "versions.yaml")


def test_a_floating_version_of_k3s_is_refused() -> None:
    for version in ("stable", "v1.33", "latest"):
        text = f"images: {{}}\nbinaries:\n  k3s:\n    version: {version}\n"
        with pytest.raises(InputError, match="floats"):
            parse_binaries(text.encode(), "versions.yaml")
    good = f"images: {{}}\nbinaries:\n  k3s:\n    version: {VERSION}\n    sha256: {'a' * 64}\n"
    assert parse_binaries(good.encode(), "v")["k3s"].digest == f"sha256:{'a' * 64}"
    with pytest.raises(InputError, match="sha256"):
        parse_binaries(good.replace("aaa", "zzz", 1).encode(), "versions.yaml")


def test_without_a_checksum_nothing_is_installed() -> None:
    world = World.empty()
    live = world.live()
    bare = {"k3s": replace(memory_site().binaries["k3s"], digest="")}
    found = described(replace(memory_site(), binaries=bare), MODULE)
    [artefact] = [r for r in found[MASTERS[0]].modules["k3s"].resources if isinstance(r, Artefact)]
    view = live.hosts[MASTERS[0]]
    changes = tuple(
        replace(change, resource=artefact) if isinstance(change.resource, Artefact) else change
        for change in view.changes
    )
    hosts = {**live.hosts, MASTERS[0]: replace(view, changes=changes)}
    with pytest.raises(RefusedError, match="no sha256 for k3s"):
        MODULE.next_stage(replace(live, hosts=hosts))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k3s.node_grace_seconds", "0"),
        ("k3s.node_grace_seconds", "40s"),
        ("k3s.api_names", "api local\n- x"),
        ("k3s.registry_mirror", "10.0.0.250:5000"),
    ],
)
def test_a_parameter_that_k3s_would_misread_is_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        resources(with_parameters(memory_site(), {name: value}))


def test_a_mirror_is_written_for_containerd_and_restarts_it() -> None:
    site = with_parameters(memory_site(), {"k3s.registry_mirror": "http://10.0.0.250:5000"})
    items = resources(site)[WORKERS[0]]
    [file] = [r for r in items if isinstance(r, File) and r.path.endswith("registries.yaml")]
    found = YAML(typ="safe").load(file.text.reveal())
    assert found == {"mirrors": {"*": {"endpoint": ["http://10.0.0.250:5000"]}}}
    assert units(items).text != units(descriptions_of()[WORKERS[0]]).text


def test_only_hosts_of_k3s_let_the_pods_networks_in() -> None:
    for host, item in described(memory_site(), BASE).items():
        [firewall] = [r for r in item.modules["base"].resources if isinstance(r, Firewall)]
        sources = {rule.source for rule in firewall.rules}
        assert ({"10.42.0.0/16", "10.43.0.0/16"} <= sources) == (host in HOSTS)
        assert all(source.startswith("10.") for source in sources)
