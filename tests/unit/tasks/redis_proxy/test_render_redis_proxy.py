"""The files of the entry to Redis: any valid site renders what HAProxy and the watcher read back exactly."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.engine.look.describe import HostDescription
from keybuzz.model.core.errors import InputError
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.redis.service.readings import RedisWrite
from tasks.redis_proxy import MODULE
from tasks.redis_proxy.values import CONFIGURATION, PROGRAM, WATCHER, haproxy_values, password
from tasks.redis_proxy.watcher.redis_watcher import read_configuration
from tests.unit.support.site_values import (
    PLANTED,
    described,
    hostile_secrets,
    lawless_secrets,
    memory_site,
    sites,
    with_parameters,
    with_secrets,
)
from tests.unit.tasks.postgres_proxy.test_render_postgres_proxy import of, sections, with_entry

HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))
CFG, JSON = f"{CONFIGURATION}/haproxy.cfg", f"{WATCHER}/watcher.json"
parameters = st.fixed_dictionaries(
    {
        "redis_proxy.max_connections": st.integers(1, 9_999_999).map(str),
        "haproxy.session_timeout": st.integers(1, 24).map("{}h".format),
    }
)


def file(description: HostDescription, path: str) -> File:
    resources = description.modules["redis-proxy"].resources
    return next(r for r in resources if isinstance(r, File) and r.path == path)


def text_of(site: Site, path: str) -> str:
    return file(described(site, MODULE)["haproxy-01"], path).text.reveal()


def spoken(text: str) -> list[str]:
    """Return what the check sends and expects, as HAProxy's own words: 'quoted' is literal, a backslash escapes."""
    found = []
    for line in text.splitlines():
        if line.strip().startswith(("tcp-check send ", "tcp-check expect ")):
            word = line.strip().partition(" ")[2]
            parts = re.findall(r"'[^']*'|\\.|[^'\\]", word)
            found.append("".join(_plain(part) for part in parts))
    return found


def _plain(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    return {"\\r": "\r", "\\n": "\n"}.get(part, part[-1])


@HEAVY
@given(sites(), parameters, st.text("abcXYZ019#$%{}~", min_size=12, max_size=40))
def test_any_valid_site_renders_files_that_keep_the_requirements(
    site: Site, values: dict[str, str], word: str
) -> None:
    secret = f"{PLANTED}{word}"
    site = with_secrets(with_entry(with_parameters(site, values)), {"REDIS_PASSWORD": secret})
    found = described(site, MODULE)
    assert len(found) == 2
    for path in (CFG, JSON):
        assert len({file(description, path).text.reveal() for description in found.values()}) == 1
    description = next(iter(found.values()))
    assert_haproxy(file(description, CFG).text.reveal(), values, secret)
    assert_watcher(file(description, JSON).text.reveal(), site, secret)
    for path in (CFG, JSON):
        masked = file(description, path).text.masked()
        for needle in ("{%", "None", "Undefined", PLANTED):
            assert needle not in masked


def assert_haproxy(text: str, values: dict[str, str], secret: str) -> None:
    found = sections(text)
    assert of(found["frontend redis"], "bind") == [["0.0.0.0:6379"]]
    [server] = of(found["backend redis-master"], "server")
    assert server[:3] == ["master", "192.0.2.1:6379", "disabled"]
    assert "on-marked-down shutdown-sessions" in " ".join(server)
    assert spoken(text) == [
        f"send AUTH {secret}\r\n",
        "expect string +OK",
        "send INFO replication\r\n",
        "expect string role:master",
        "send QUIT\r\n",
        "expect string +OK",
    ]
    assert of(found["global"], "maxconn") == [[values["redis_proxy.max_connections"]]]
    assert not [word for word in text.split() if word in ("backup", "roundrobin", "first")]


def assert_watcher(text: str, site: Site, secret: str) -> None:
    """Read it as the watcher does."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "watcher.json"
        path.write_text(text, encoding="utf-8")
        found = read_configuration(str(path))
    assert found.password == secret
    assert found.master_name == site.secret("REDIS_MASTER_NAME").reveal()
    addresses = [str(member.address) for member in site.members("redis")]
    assert [place.address for place in found.sentinels] == addresses
    assert {place.port for place in found.sentinels} <= {26379}
    assert found.server == "redis-master/master"


def refusal(site: Site) -> str:
    """Return why the site's password cannot be used; empty when it can."""
    try:
        password(site)
    except InputError as error:
        return str(error)
    return ""


@given(st.one_of(hostile_secrets, lawless_secrets))
def test_any_password_is_refused_with_the_reason_or_comes_back_exactly(value: str) -> None:
    site = with_secrets(memory_site(), {"REDIS_PASSWORD": value})
    refused = refusal(site)
    if refused:
        assert "HAProxy's check cannot send it" in refused
        assert value not in refused
        return
    assert spoken(text_of(site, CFG))[0] == f"send AUTH {value}\r\n"
    assert json.loads(text_of(site, JSON))["password"] == value


@pytest.mark.parametrize("value", ["0", "-1", "many", "", "10\nstats socket /tmp/x", "1.5"])
def test_a_size_that_is_no_number_never_reaches_a_file(value: str) -> None:
    site = with_parameters(memory_site(), {"redis_proxy.max_connections": value})
    with pytest.raises(
        InputError, match=r"redis_proxy\.max_connections is .*, and must be a whole number"
    ):
        described(site, MODULE)


def test_a_replica_that_answers_ping_is_not_taken_for_the_master() -> None:
    """Once the check was PING, and a replica got the writes: READONLY errors."""
    said = spoken(text_of(memory_site(), CFG))
    assert "expect string role:master" in said
    assert not [word for word in said if "PING" in word or "PONG" in word]


def test_no_file_says_who_is_master_so_no_rerun_takes_a_failover_back() -> None:
    site = memory_site()
    members = [str(member.address) for member in site.members("redis")]
    assert not [address for address in members if address in text_of(site, CFG)]
    turned = replace(site, servers=tuple(_as_replica(s) for s in site.servers))
    for path in (CFG, JSON):
        assert text_of(turned, path) == text_of(site, path)


def _as_replica(server: Server) -> Server:
    return replace(server, subrole="replica") if server.subrole == "master" else server


def test_silent_subscribers_were_cut_after_30_s_they_may_be_silent_for_an_hour() -> None:
    defaults = sections(text_of(memory_site(), CFG))["defaults"]
    assert of(defaults, "timeout", "client") == of(defaults, "timeout", "server") == [["1h"]]
    assert ["option", "clitcpka"] in defaults
    assert ["option", "srvtcpka"] in defaults


def test_single_file_binds_kept_the_old_inode_only_directories_are_mounted() -> None:
    resources = described(memory_site(), MODULE)["haproxy-01"].modules["redis-proxy"].resources
    directories = {r.path for r in resources if isinstance(r, Directory)}
    [container] = [r for r in resources if isinstance(r, Container)]
    assert (container.name, container.restart) == ("haproxy-redis", "unless-stopped")
    assert {bind.source for bind in container.binds} <= directories
    assert {r.reference for r in resources if isinstance(r, Image)} == {"haproxy:2.8.5"}


def test_files_that_hold_the_password_are_their_readers_alone_and_nothing_else_holds_it() -> None:
    site = memory_site()
    secret = site.secret("REDIS_PASSWORD").reveal()
    found = described(site, MODULE)["haproxy-01"]
    resources = found.modules["redis-proxy"].resources
    files = [r for r in resources if isinstance(r, File)]
    holding = {r.path: (r.owner, r.mode) for r in files if secret in r.text.reveal()}
    assert holding == {CFG: (99, 0o600), JSON: (0, 0o600)}
    [unit] = [r for r in resources if isinstance(r, SystemdUnit)]
    assert secret not in unit.text
    [container] = [r for r in resources if isinstance(r, Container)]
    assert secret not in repr(container.order())


def test_the_watcher_is_started_at_boot_and_again_whenever_it_ends() -> None:
    """Once it was a cron line that meant every 30 minutes, and it was never installed."""
    found = described(memory_site(), MODULE)["haproxy-01"]
    resources = found.modules["redis-proxy"].resources
    [unit] = [r for r in resources if isinstance(r, SystemdUnit)]
    lines = unit.text.splitlines()
    for line in (f"ExecStart={PROGRAM}", "Restart=always", "WantedBy=multi-user.target"):
        assert line in lines
    assert file(found, PROGRAM).mode == 0o755


def test_the_mark_changes_with_everything_that_haproxy_reads() -> None:
    site = memory_site()
    marks = {
        haproxy_values(changed).mark
        for changed in (
            site,
            with_parameters(site, {"redis_proxy.max_connections": "4097"}),
            with_parameters(site, {"haproxy.session_timeout": "2h"}),
            with_secrets(site, {"REDIS_PASSWORD": "another-password-1234"}),
            replace(site, servers=site.servers[:-1]),
        )
    }
    assert len(marks) == 4, "a server changes nothing: who is master is not in the file"


def test_an_application_writes_at_the_host_itself_and_at_the_load_balancer() -> None:
    readings = described(memory_site(), MODULE)["haproxy-01"].modules["redis-proxy"].readings
    writes = [reading for reading in readings if isinstance(reading, RedisWrite)]
    assert {(w.address, w.port) for w in writes} == {("127.0.0.1", 6379), ("10.0.0.10", 6379)}
