"""haproxy.cfg, pgbouncer.ini and userlist.txt for any valid site, read as their programs read them."""

from __future__ import annotations

import configparser
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import MASK, Secret
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.site.site import Site
from tasks.patroni.service.readings import PostgresLogin
from tasks.postgres_proxy import MODULE
from tasks.postgres_proxy.values import in_userlist, userlist_values
from tests.unit.support.site_values import (
    PLANTED,
    Row,
    described,
    fleet_of,
    hostile_secrets,
    lawless_secrets,
    memory_site,
    sites,
    with_parameters,
    with_secrets,
)

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
CFG = "/opt/keybuzz/haproxy/conf/haproxy.cfg"
INI = "/opt/keybuzz/pgbouncer/conf/pgbouncer.ini"
USERS = "/opt/keybuzz/pgbouncer/conf/userlist.txt"
HOST = ("lb", "internal-haproxy", "haproxy-docker")


def with_entry(site: Site) -> Site:
    """Return the site with two entry hosts, whatever fleet was drawn."""
    taken = {str(server.address) for server in site.servers}
    free = (f"10.0.255.{number}" for number in range(1, 200))
    places = [address for address in free if address not in taken][:2]
    rows = [Row(s.name, s.address, s.role, s.subrole, s.stack) for s in site.servers]
    rows = [row for row in rows if (row.role, row.subrole, row.stack) != HOST]
    own = [Row(f"entryhost-0{n}", type(rows[0].address)(p), *HOST) for n, p in enumerate(places, 1)]
    servers, catalogue = fleet_of((*rows, *own))
    return replace(site, servers=servers, catalogue=catalogue)


def file(description: HostDescription, path: str) -> File:
    resources = description.modules["postgres-proxy"].resources
    return next(r for r in resources if isinstance(r, File) and r.path == path)


def sections(text: str) -> dict[str, list[list[str]]]:
    """Read haproxy.cfg: each section's lines as words."""
    found: dict[str, list[list[str]]] = {}
    lines: list[list[str]] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not line.startswith(" "):
            lines = found.setdefault(line.strip(), [])
        else:
            lines.append(words)
    return found


def of(lines: list[list[str]], *words: str) -> list[list[str]]:
    """Return what follows these words, line by line."""
    return [line[len(words) :] for line in lines if line[: len(words)] == list(words)]


def read_userlist(text: str) -> dict[str, str]:
    """Read userlist.txt as PgBouncer does: load_auth_file, find_quote and copy_quoted of its util and loader."""
    users: dict[str, str] = {}
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        assert text[position] == '"', "broken auth file"
        user, position = _quoted(text, position)
        position = text.index('"', position)
        users[user], position = _quoted(text, position)
        position = text.find("\n", position) + 1 or len(text)
    return users


def _quoted(text: str, start: int) -> tuple[str, int]:
    position, found = start + 1, ""
    while True:
        if text[position : position + 2] == '""':
            found, position = found + '"', position + 2
        elif text[position] == '"':
            return found, position + 1
        else:
            found, position = found + text[position], position + 1


numbers = st.integers(1, 9_999).map(str)
parameters = st.fixed_dictionaries(
    {
        "haproxy.max_connections": numbers,
        "haproxy.session_timeout": st.builds("{}{}".format, st.integers(1, 24), st.just("h")),
        "pgbouncer.max_client_conn": numbers,
        "pgbouncer.default_pool_size": numbers,
        "pgbouncer.max_db_connections": numbers,
    }
)


@HEAVY
@given(sites(), parameters)
def test_any_valid_site_renders_files_that_keep_the_requirements(
    site: Site, values: dict[str, str]
) -> None:
    site = with_entry(with_parameters(site, values))
    found = described(site, MODULE)
    assert len(found) == 2
    for path in (CFG, INI, USERS):
        assert len({file(description, path).text.reveal() for description in found.values()}) == 1
    description = next(iter(found.values()))
    assert_haproxy(file(description, CFG).text.reveal(), site)
    assert_pgbouncer(file(description, INI).text.reveal(), site)
    users = read_userlist(file(description, USERS).text.reveal())
    name = site.secret("POSTGRES_APP_USER").reveal()
    assert users == {name: site.secret("POSTGRES_APP_PASS").reveal()}
    for path in (CFG, INI, USERS):
        masked = file(description, path).text.masked()
        for word in ("{{", "{%", "None", "Undefined", "\ue000", PLANTED):
            assert word not in masked


def assert_haproxy(text: str, site: Site) -> None:
    found = sections(text)
    binds = [words[0] for lines in found.values() for words in of(lines, "bind")]
    assert sorted(binds) == ["0.0.0.0:5432", "127.0.0.1:8404"]
    backend = found["backend postgres_primary"]
    servers = sorted(tuple(words) for words in of(backend, "server"))
    members = site.members("patroni")
    assert servers == sorted((m.name, f"{m.address}:5432") for m in members)
    assert of(backend, "option", "httpchk") == [["GET", "/primary"]]
    assert of(backend, "http-check", "expect") == [["status", "200"]]
    (default,) = of(backend, "default-server")
    for words in ("port 8008", "inter 2s", "fall 2", "rise 2", "on-marked-down shutdown-sessions"):
        assert words in " ".join(default)
    assert "backup" not in text.split()
    (most,) = of(found["global"], "maxconn")
    assert most == [site.settings.parameters["haproxy.max_connections"]]


def assert_pgbouncer(text: str, site: Site) -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(text)
    database = site.secret("POSTGRES_DB").reveal()
    assert ini.options("databases") == [database.lower()]
    assert ini["databases"][database] == f"host=127.0.0.1 port=5432 dbname={database}"
    pool = ini["pgbouncer"]
    assert (pool["listen_addr"], pool["listen_port"]) == ("0.0.0.0", "6432")
    assert pool["auth_type"] == "scram-sha-256"
    assert pool["pool_mode"] == "transaction"
    assert all(value for value in pool.values())


def spelled(value: str) -> str | InputError:
    """Return a password as the file spells it, or why it cannot."""
    try:
        return in_userlist(Secret("POSTGRES_APP_PASS", value)).reveal()
    except InputError as error:
        return error


@given(hostile_secrets)
def test_every_password_that_the_store_takes_comes_back_exactly(value: str) -> None:
    assert read_userlist(f'"kb_app" "{spelled(value)}"\n') == {"kb_app": value}


@given(lawless_secrets)
def test_any_other_comes_back_exactly_or_is_refused_with_the_reason(value: str) -> None:
    found = spelled(value)
    if isinstance(found, InputError):
        assert "userlist.txt cannot hold POSTGRES_APP_PASS: it " in str(found)
        assert value not in str(found)
    else:
        assert read_userlist(f'"kb_app" "{found}"\n') == {"kb_app": value}
        assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("line\nbreak-1234567", "line break"),
        ("nul\x00byte-12345678", "control character"),
        ("md5" + "0123456789abcdef" * 2, "for a verifier"),
        ("SCRAM-SHA-256$4096:c2FsdA==$a:b", "for a verifier"),
        ("x" * 997, "longer than 996 bytes"),
        ("é" * 499, "longer than 996 bytes"),
    ],
)
def test_what_userlist_can_not_hold_stops_the_description(value: str, reason: str) -> None:
    site = with_secrets(memory_site(), {"POSTGRES_APP_PASS": value})
    with pytest.raises(InputError, match=reason) as error:
        described(site, MODULE)
    assert value not in str(error.value)


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "50\nadmin_users = kb_app", "1.5"])
def test_a_size_that_is_no_number_never_reaches_a_file(value: str) -> None:
    site = with_parameters(memory_site(), {"pgbouncer.default_pool_size": value})
    with pytest.raises(
        InputError, match=r"pgbouncer\.default_pool_size is .*, and must be a whole number"
    ):
        described(site, MODULE)


def test_sasl_errors_userlist_is_the_applications_alone_and_belongs_to_the_container() -> None:
    """Once the file was unreadable for the container, and the test was lowered to `container is up`."""
    found = described(memory_site(), MODULE)["haproxy-01"]
    users = file(found, USERS)
    assert (users.owner, users.group, users.mode) == (70, 70, 0o600)
    resources = found.modules["postgres-proxy"].resources
    container = next(r for r in resources if isinstance(r, Container) and r.name == "pgbouncer")
    assert container.user == "70:70"
    assert users.text.masked() == f'"kb_app" "{MASK}"\n'
    assert set(read_userlist(users.text.reveal())) == {"kb_app"}
    site = memory_site()
    for name in ("POSTGRES_SUPERPASS", "POSTGRES_REPL_PASS", "POSTGRES_REWIND_PASS"):
        for path in (CFG, INI, USERS):
            assert site.secret(name).reveal() not in file(found, path).text.reveal()


def test_idle_pools_were_cut_after_30_s_sessions_may_be_silent_for_an_hour() -> None:
    found = sections(file(described(memory_site(), MODULE)["haproxy-01"], CFG).text.reveal())
    defaults = found["defaults"]
    assert of(defaults, "timeout", "client") == of(defaults, "timeout", "server") == [["1h"]]
    assert ["option", "clitcpka"] in defaults
    assert ["option", "srvtcpka"] in defaults


def test_statistics_are_for_the_host_itself_and_can_not_change_anything() -> None:
    """Once they were open on 8404 as admin without a password."""
    found = sections(file(described(memory_site(), MODULE)["haproxy-01"], CFG).text.reveal())
    statistics = found["frontend statistics"]
    assert of(statistics, "bind") == [["127.0.0.1:8404"]]
    assert of(statistics, "stats", "admin") == []
    (socket,) = of(found["global"], "stats", "socket")
    assert socket[:5] == ["/opt/keybuzz/haproxy/run/admin.sock", "mode", "600", "level", "admin"]


def test_no_session_goes_anywhere_while_two_members_look_like_the_primary() -> None:
    """HAProxy takes every server for good until its first check: without this rule replicas got writes."""
    found = sections(file(described(memory_site(), MODULE)["haproxy-01"], CFG).text.reveal())
    rules = of(found["frontend postgres"], "tcp-request", "content")
    assert [rule[0] for rule in rules] == ["accept", "reject"]
    assert " ".join(rules[0]) == "accept if { nbsrv(postgres_primary) le 1 }"


def test_single_file_binds_kept_the_old_inode_only_directories_are_mounted() -> None:
    resources = described(memory_site(), MODULE)["haproxy-01"].modules["postgres-proxy"].resources
    directories = {r.path for r in resources if isinstance(r, Directory)}
    containers = [r for r in resources if isinstance(r, Container)]
    assert {c.name for c in containers} == {"haproxy", "pgbouncer"}
    for container in containers:
        assert container.restart == "unless-stopped"
        assert {bind.source for bind in container.binds} <= directories


def test_each_file_is_tested_by_its_own_program_before_it_is_in_place() -> None:
    found = described(memory_site(), MODULE)["haproxy-01"]
    for path, image, reload in (
        (CFG, "haproxy:2.8.5", "USR2"),
        (INI, "edoburu/pgbouncer:v1.23.1-p3", "HUP"),
    ):
        order = file(found, path).order()
        assert order["validator"]["image"] == image  # type: ignore[index]  # a frame, as it travels
        assert order["reload"]["signal"] == reload  # type: ignore[index]  # the same


def test_the_mark_changes_with_everything_that_haproxy_reads() -> None:
    site = memory_site()
    marks = set()
    for changed in (
        site,
        with_parameters(site, {"haproxy.max_connections": "4097"}),
        with_parameters(site, {"haproxy.session_timeout": "2h"}),
        replace(site, servers=site.servers[:-1]),
    ):
        text = file(described(changed, MODULE)["haproxy-01"], CFG).text.reveal()
        marks.add(of(sections(text)["global"], "description")[0][0])
    assert len(marks) == 3, "a server that is none of the members changes nothing"


def test_hairpin_pgbouncer_never_goes_through_a_load_balancer() -> None:
    """Once it went to 10.0.0.10, which may lead back to the same host."""
    site = memory_site()
    virtual = {str(entry.address) for entry in site.catalogue.virtual_addresses}
    for path in (CFG, INI):
        text = file(described(site, MODULE)["haproxy-01"], path).text.reveal()
        assert not [address for address in virtual if address in text]


def test_no_image_floats() -> None:
    resources = described(memory_site(), MODULE)["haproxy-01"].modules["postgres-proxy"].resources
    images = {r.reference for r in resources if isinstance(r, Image)}
    assert images == {"haproxy:2.8.5", "edoburu/pgbouncer:v1.23.1-p3"}


def test_the_application_logs_in_and_nobody_else() -> None:
    readings = described(memory_site(), MODULE)["haproxy-01"].modules["postgres-proxy"].readings
    logins = [reading for reading in readings if isinstance(reading, PostgresLogin)]
    assert {(login.address, login.port) for login in logins} == {
        ("127.0.0.1", 5432),
        ("127.0.0.1", 6432),
        ("10.0.0.10", 6432),
    }
    assert {login.user for login in logins} == {"kb_app"}
    assert userlist_values(memory_site()).user == "kb_app"
