"""patroni.yml for any valid site: it parses, says what it must, and gives no secret away."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from ruamel.yaml import YAML

from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.render import environment, require_unmasked, split, variables
from keybuzz.model.core.content import Content, QuotedSecret, Template
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import MASK, Secret
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import File
from keybuzz.site.site import Site
from tasks.base import MODULE as BASE
from tasks.patroni import MODULE as PATRONI
from tests.unit.support.site_values import (
    PASSWORDS,
    PLANTED,
    described,
    hostile_secrets,
    lawless_secrets,
    memory_site,
    sites,
    with_parameters,
    with_secrets,
)

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
"""A site is large: shrinking one that fails would take minutes."""
YML = "/opt/keybuzz/patroni/config/patroni.yml"


def patroni_yml(description: HostDescription) -> Content:
    resources = description.modules["patroni"].resources
    return next(r.text for r in resources if isinstance(r, File) and r.path == YML)


def parsed(text: str) -> Any:
    """Read it as Patroni does."""
    return yaml.load(text, yaml.CSafeLoader)


def documents(site: Site) -> dict[str, Any]:
    return {
        host: parsed(patroni_yml(found).reveal())
        for host, found in described(site, PATRONI).items()
    }


@HEAVY
@given(sites())
def test_any_valid_site_renders_a_patroni_yml_that_keeps_the_requirements(site: Site) -> None:
    members = {server.name: server for server in site.members("patroni")}
    everyone = {f"{server.address}:7000" for server in members.values()}
    found = documents(site)
    assert set(found) == set(members)
    for host, document in found.items():
        own = str(members[host].address)
        partners = document["raft"]["partner_addrs"] or []
        assert document["name"] == host
        assert document["raft"]["self_addr"] == f"{own}:7000"
        assert f"{own}:7000" not in partners
        assert len(partners) == len(set(partners))
        assert {*partners, f"{own}:7000"} == everyone
        assert document["restapi"]["connect_address"] == f"{own}:8008"
        assert document["postgresql"]["connect_address"] == f"{own}:5432"
        dcs = document["bootstrap"]["dcs"]
        assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]
        assert_nothing_missing(document)
        assert_binds_to_no_load_balancer(document, site)


def assert_nothing_missing(document: Any, path: str = "") -> None:
    """No null, nothing that a template left behind; an empty partner list is a cluster of one."""
    if isinstance(document, dict):
        for key, value in document.items():
            assert_nothing_missing(value, f"{path}.{key}")
    elif isinstance(document, list):
        for value in document:
            assert_nothing_missing(value, path)
    elif path != ".raft.partner_addrs":
        assert document is not None, path


def assert_binds_to_no_load_balancer(document: Any, site: Site) -> None:
    virtual = {str(entry.address) for entry in site.catalogue.virtual_addresses}
    assert virtual
    binds = [document["restapi"]["listen"], document["restapi"]["connect_address"]]
    binds += [document["postgresql"]["listen"], document["postgresql"]["connect_address"]]
    binds += [document["raft"]["self_addr"]]
    assert not {bind.rpartition(":")[0] for bind in binds} & virtual


@HEAVY
@given(sites())
def test_secrets_arrive_exactly_and_what_people_see_does_not_depend_on_them(site: Site) -> None:
    other = with_secrets(site, {name: f"another-value-of-{name}" for name in PASSWORDS})
    before, after = described(site, PATRONI), described(other, PATRONI)
    for host, found in before.items():
        content = patroni_yml(found)
        document = parsed(content.reveal())
        authentication = document["postgresql"]["authentication"]
        for section, word in (
            ("superuser", "SUPER"),
            ("replication", "REPL_"),
            ("rewind", "REWIND_"),
        ):
            clear = site.secret(f"POSTGRES_{word}PASS").reveal()
            assert authentication[section]["password"] == clear
        rest = document["restapi"]["authentication"]["password"]
        assert rest == site.secret("PATRONI_API_PASSWORD").reveal()
        masked = content.masked()
        assert PLANTED not in masked
        assert masked.count(MASK) == 4
        assert masked == patroni_yml(after[host]).masked()
        for word in ("{{", "{%", "None", "Undefined", "\ue000"):
            assert word not in masked.replace(site.secret("PATRONI_CLUSTER_NAME").reveal(), "")


@given(lawless_secrets)
def test_a_quoted_secret_is_one_yaml_text_whatever_it_holds(value: str) -> None:
    content = Content(("before: 1\nsecret: ", QuotedSecret(Secret("S", value)), "\nafter: 2\n"))
    for version in ((1, 1), (1, 2)):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        assert reader.load(content.reveal()) == {"before": 1, "secret": value, "after": 2}


@dataclass(frozen=True, slots=True)
class OneText:
    """Names of the test's own template."""

    text: str
    secret: Secret


@settings(max_examples=25)
@given(hostile_secrets, lawless_secrets)
def test_the_filter_quoted_makes_one_yaml_text_of_any_value(text: str, secret: str) -> None:
    template = Template(Path(), "", OneText(text, Secret("S", secret)))
    names, secrets = variables(template)
    source = "text: {{ text | quoted }}\nsecret: {{ secret | quoted }}\n"
    content = split(environment(Path()).from_string(source).render(**names), secrets)
    assert parsed(content.reveal()) == {"text": text, "secret": secret}


@pytest.mark.parametrize("module", [BASE, PATRONI], ids=lambda module: module.name)
def test_no_secret_shows_in_any_form_of_a_site_or_of_a_description(module: Any) -> None:
    site = memory_site()
    found = described(site, module)
    assert found
    for value in (site, *site.credentials.values(), *found.values()):
        for text in (repr(value), str(value), f"{value}", f"{value!s:>400}", f"{value!r:>400}"):
            assert PLANTED not in text
    assert "kkkk" not in repr(site.digest_key) + str(site.digest_key) + repr(site)


def test_a_secret_can_not_be_pickled_or_put_into_json() -> None:
    secret = Secret("NAME", PLANTED)
    with pytest.raises(TypeError, match="NAME"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="NAME"):
        copy.deepcopy(secret)
    with pytest.raises(TypeError):
        json.dumps({"secret": secret})


@given(st.text(), st.text())
def test_secrets_are_equal_when_their_values_are_and_to_nothing_else(one: str, two: str) -> None:
    assert (Secret("A", one) == Secret("B", two)) == (one == two)
    assert Secret("A", one) != one


def test_a_missing_name_in_a_template_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(UndefinedError):
        environment(Path()).from_string("{{ nobody_knows }}").render()


def test_a_missing_parameter_stops_the_description_with_its_name() -> None:
    site = memory_site()
    kept = {k: v for k, v in site.settings.parameters.items() if k != "patroni.work_mem"}
    broken = replace(site, settings=replace(site.settings, parameters=kept))
    with pytest.raises(InputError, match=r"patroni\.work_mem"):
        described(broken, PATRONI)


def test_a_missing_credential_stops_the_description_with_the_way_out() -> None:
    site = memory_site()
    kept = {k: v for k, v in site.credentials.items() if k != "POSTGRES_APP_PASS"}
    with pytest.raises(InputError, match="POSTGRES_APP_PASS") as error:
        described(replace(site, credentials=kept), PATRONI)
    assert "kbz secrets init" in str(error.value)


def test_no_description_holds_a_floating_image() -> None:
    site = memory_site()
    images = [
        resource.reference
        for found in described(site, PATRONI).values()
        for resource in found.modules["patroni"].resources
        if isinstance(resource, Image)
    ]
    assert len(images) == 3
    assert len(set(images)) == 1
    tag = images[0].rpartition(":")[2]
    assert tag.startswith("16.4-3.3.0-")
    assert "latest" not in tag


def test_the_tag_of_the_built_image_follows_its_base() -> None:
    site = memory_site()
    base = site.versions["postgres"]
    other = {**site.versions, "postgres": replace(base, reference="postgres:16.5-bookworm")}
    (one,), (two,) = PATRONI.images(site), PATRONI.images(replace(site, versions=other))
    assert one.reference != two.reference
    assert PATRONI.images(site)[0].reference == one.reference


def test_access_is_only_given_to_the_private_network() -> None:
    site = with_parameters(memory_site(), {"base.network": "10.0.0.0/16"})
    for document in documents(site).values():
        for line in document["postgresql"]["pg_hba"]:
            words = line.split()
            if words[0] == "local":
                continue
            assert words[-1] == "scram-sha-256"
            network = IPv4Network(words[3])
            assert network.is_private
            assert IPv4Address("0.0.0.0") not in network


def test_roles_of_one_cluster_are_the_same_on_every_member() -> None:
    found = list(documents(memory_site()).values())
    for document in found:
        for own in ("name", "raft", "restapi"):
            document.pop(own)
        document["postgresql"].pop("connect_address")
    assert found[0] == found[1] == found[2]


@dataclass(frozen=True, slots=True)
class Pair:
    """What a template's values may hold deeper inside."""

    name: str
    password: Secret


NESTED = Secret("PLANTED", PLANTED)


@dataclass(frozen=True, slots=True)
class Holding:
    """A value of a template with something inside."""

    user: str
    pairs: Any


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((NESTED,), "{{ pairs[0] }}"),
        ([("user", NESTED)], "{{ pairs[0][1] }}"),
        ({"password": (NESTED,)}, "{{ pairs.password[0] }}"),
    ],
)
def test_a_secret_inside_of_a_value_reaches_the_file_and_no_mask(value: object, text: str) -> None:
    template = Template(Path("/templates"), "any.j2", Holding("somebody", value))
    names, secrets = variables(template)
    rendered = environment(Path("/templates")).from_string(f"{{{{ user }}}} {text}").render(names)
    content = split(rendered, secrets)
    assert PLANTED not in rendered
    assert content.secret
    assert content.reveal() == f"somebody {PLANTED}"


@pytest.mark.parametrize(
    "value",
    [
        {"one": (Pair("user", NESTED),)},
        Pair("user", NESTED),
        frozenset({NESTED.name: NESTED}.items()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_inside_of_what_can_not_be_rebuilt_is_refused(value: object) -> None:
    template = Template(Path("/templates"), "any.j2", Holding("somebody", value))
    with pytest.raises(InputError, match="pairs: PLANTED stands inside of a") as caught:
        variables(template)
    assert caught.value.where == "/templates/any.j2"
    assert PLANTED not in str(caught.value)


def test_a_secret_that_was_made_a_text_before_is_refused() -> None:
    template = Template(Path("/templates"), "any.j2", Pair(f"user of {NESTED}", NESTED))
    with pytest.raises(InputError, match="is its mask there"):
        require_unmasked(template, Content.plain(f"user of {NESTED}"))
