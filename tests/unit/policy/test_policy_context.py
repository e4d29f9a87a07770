"""EP-1 knows every server of any inventory, and SEC-2 every value of any store, without keeping one."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.policy.check import check_text
from keybuzz.policy.context import Context, context_of, known_secrets, make_context
from keybuzz.site.applications.services import services
from keybuzz.site.policies import Policies
from tests.unit.support.policy_values import AWKWARD, KNOWN, TODAY, context
from tests.unit.support.site_values import (
    PASSWORDS,
    PLANTED,
    Row,
    fleet_of,
    memory_site,
    server_names,
)

SITE = memory_site()


def names(server: Server, catalogue: GroupCatalogue) -> list[str]:
    """Return every word that means a server."""
    aliases = [entry.alias for entry in catalogue.host_aliases if entry.host == server.name]
    return [server.name, str(server.address), str(server.public_address), server.fqdn, *aliases]


BEHIND = {group for service in services() for group in (service.group, service.proxies)}
"""Groups of the servers that an official endpoint leads to."""
MEMBERS = [server for server in SITE.servers if BEHIND & set(server.groups)]
OTHERS = [server for server in SITE.servers if not BEHIND & set(server.groups)]


@pytest.mark.parametrize("server", MEMBERS, ids=lambda server: server.name)
def test_every_server_behind_an_endpoint_is_known_by_all_its_names(server: Server) -> None:
    for word in names(server, SITE.catalogue):
        if word in {str(found.address) for found in context().endpoints if found.on_server}:
            continue
        found = check_text(".env", f"HOST={word}\nURL=tcp://{word}:1/x\n", context())
        assert [(item.rule, item.line, item.excerpt) for item in found] == [
            ("EP-1", 1, word),
            ("EP-1", 2, word),
        ]
        assert server.name in found[0].message


def test_servers_without_an_endpoint_are_free() -> None:
    assert {"patroni", "redis", "rabbitmq", "galera", "minio", "haproxy", "proxysql"} <= BEHIND
    assert len(MEMBERS) >= 19
    for server in OTHERS:
        for word in names(server, SITE.catalogue):
            text = f"HOST={word}\nURL=https://{word}:8443/x\n"
            assert check_text(".env", text, context()) == ()


def test_the_official_endpoints_are_those_of_the_catalogue() -> None:
    for entry in SITE.catalogue.virtual_addresses:
        for port in entry.ports:
            assert check_text(".env", f"URL=tcp://{entry.address}:{port}\n", context()) == ()
        assert len(check_text(".env", f"URL=tcp://{entry.address}:1\n", context())) == 1


@pytest.mark.parametrize(
    ("host", "instead"),
    [
        ("db-master-01", "write 10.0.0.10:5432"),
        ("redis-02", "write 10.0.0.10:6379"),
        ("queue-03", "write 10.0.0.10:5672"),
        ("maria-01", "write 10.0.0.20:3306"),
        ("proxysql-02", "write 10.0.0.20:3306"),
        ("minio-02", "write 10.0.0.134:9000"),
    ],
)
def test_what_to_write_instead_is_the_endpoint_of_the_same_service(host: str, instead: str) -> None:
    assert [item.instead for item in check_text(".env", f"H={host}\n", context())] == [instead]


@given(server_names, st.integers(2, 250))
def test_a_server_of_any_inventory_is_known_without_a_line_of_code(name: str, number: int) -> None:
    from ipaddress import IPv4Address

    rows = (
        Row("file-store-1", IPv4Address("10.0.77.1"), "storage", "minio", "minio-docker"),
        Row(name, IPv4Address(f"10.0.99.{number}"), "redis", "master", "redis-ha-docker"),
    )
    servers, catalogue = fleet_of(rows)
    made = make_context(servers, catalogue, {}, Policies(), TODAY)
    for word in (name, f"10.0.99.{number}", f"{name}.example.org"):
        found = check_text(".env", f"REDIS_URL=redis://{word}:6379\n", made)
        assert [(item.rule, item.excerpt) for item in found] == [("EP-1", word)]
    assert check_text(".env", "REDIS_HOST=redis-01\n", made) == ()


def holding(name: str, value: str) -> Context:
    known = known_secrets(DigestKey(b"x" * 32), {name: Secret(name, value)})
    return make_context(SITE.servers, SITE.catalogue, {}, Policies(), TODAY, known)


_VALUES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc"]),
    min_size=12,
    max_size=40,
)


@given(_VALUES, st.sampled_from([("", ""), ("x = '", "'"), ("a=", " b"), ("(", ")"), ("k: ", "")]))
def test_any_value_of_the_store_is_found_and_never_shown(
    value: str, around: tuple[str, str]
) -> None:
    before, after = around
    found = check_text("notes.txt", f"\n{before}{value}{after}\n", holding("REDIS_PASSWORD", value))
    named = [item for item in found if "REDIS_PASSWORD" in item.message]
    assert [(item.line, item.column) for item in named] == [(2, len(before) + 1)]
    assert not any(value in repr(item) for item in found)


def test_the_context_keeps_no_clear_value() -> None:
    made = context_of(SITE, date(2026, 1, 1))
    assert made.secrets is not None
    kept = {name for names_of in made.secrets.names.values() for name in names_of.values()}
    assert kept == set(PASSWORDS)
    assert PLANTED not in repr(made)
    assert KNOWN not in repr(context())
    assert AWKWARD not in repr(context())


def test_names_of_users_are_no_secrets_and_a_part_of_a_secret_is_none() -> None:
    assert check_text("a.txt", "kb_admin_of_all\n", context()) == ()
    assert check_text("a.txt", f"x{KNOWN}\n{KNOWN[:-1]}\n{KNOWN}y\n", context()) == ()
    assert len(check_text("a.txt", f"{KNOWN}\n", context())) == 1
