"""redis.conf, sentinel-options.conf and the runtime files, read as Redis reads them."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import MASK
from keybuzz.model.host.docker import Container, Image
from keybuzz.model.host.files import File
from keybuzz.site.site import Site
from tasks.redis import MODULE, values
from tasks.redis.service.resources import RedisRuntime, SentinelMonitor, SentinelRuntime
from tasks.redis.values import password
from tests.unit.support.site_values import (
    PLANTED,
    described,
    hostile_secrets,
    memory_site,
    with_parameters,
    with_secrets,
)

CONF = "/opt/keybuzz/redis/conf/redis.conf"
OPTIONS = "/opt/keybuzz/redis/conf/sentinel-options.conf"
HEAVY = settings(max_examples=20, phases=(Phase.explicit, Phase.generate))


def _unholdable(value: str) -> bool:
    return any(character.isspace() or character in "\"'\\" for character in value)


holdable = hostile_secrets.filter(lambda text: not _unholdable(text))


def words(line: str) -> list[str]:
    """Split a line as Redis's sdssplitargs does."""
    found: list[str] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        word, position = _word(line, position)
        found.append(word)
    return found


def _word(line: str, position: int) -> tuple[str, int]:
    text, inside = "", False
    while position < len(line):
        character = line[position]
        if inside and character == "\\":
            position += 1
            text += {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}.get(
                line[position], line[position]
            )
        elif inside and character == '"':
            assert position + 1 == len(line) or line[position + 1].isspace()
            return text, position + 1
        elif not inside and character == '"':
            inside = True
        elif not inside and character.isspace():
            return text, position
        else:
            text += character
        position += 1
    assert not inside, "unbalanced quotes"
    return text, position


def directives(text: str) -> list[list[str]]:
    lines = (line for line in text.split("\n") if line.strip() and not line.startswith("#"))
    return [words(line) for line in lines]


def contents(site: Site, path: str) -> dict[str, Content]:
    return {
        host: resource.text
        for host, found in described(site, MODULE).items()
        for resource in found.modules["redis"].resources
        if isinstance(resource, File) and resource.path == path
    }


@HEAVY
@given(hostile_secrets)
def test_redis_reads_back_exactly_the_password_and_nobody_else_sees_it(value: str) -> None:
    site = with_secrets(memory_site(), {"REDIS_PASSWORD": value})
    if _unholdable(value):
        with pytest.raises(InputError, match="space, a quote or a backslash"):
            contents(site, CONF)
        return
    for content in contents(site, CONF).values():
        found = {line[0]: line[1:] for line in directives(content.reveal())}
        assert found["requirepass"] == found["masterauth"] == [value]
        assert PLANTED not in content.masked()
        assert content.masked().count(MASK) == 2


@HEAVY
@given(holdable)
def test_sentinel_reads_back_the_password_without_quotes(value: str) -> None:
    """Sentinel writes `auth-pass` unquoted: what it cannot read back it could not start with."""
    site = with_secrets(memory_site(), {"REDIS_PASSWORD": value})
    for runtime in sentinels(site):
        text = str(runtime.order()["text"])
        assert ["sentinel", "auth-pass", "kb-redis-master", value] in directives(text)


@pytest.mark.parametrize(
    "value", ["with a space in it", 'with"quote-and-more', "back\\slash-and-more"]
)
def test_a_password_that_sentinel_can_not_hold_is_refused_before_anything(value: str) -> None:
    site = with_secrets(memory_site(), {"REDIS_PASSWORD": value})
    with pytest.raises(InputError, match="Sentinel writes it without quotes") as error:
        password(site)
    assert value not in str(error.value)


def sentinels(site: Site, master: str = "10.0.0.124") -> list[SentinelRuntime]:
    return [
        SentinelRuntime(item.file, item.access, item.watch, master)
        for found in described(site, MODULE).values()
        for item in found.modules["redis"].resources
        if isinstance(item, SentinelRuntime)
    ]


def test_the_settled_options_stand_in_redis_conf() -> None:
    found = contents(memory_site(), CONF)
    assert set(found) == {"redis-01", "redis-02", "redis-03"}
    for host, content in found.items():
        lines = directives(content.reveal())
        assert lines[0] == ["save", ""]
        assert lines.index(["save", "900", "1", "300", "10"]) > 0
        address = str(memory_site().server(host).address)
        for line in (
            ["bind", address],
            ["port", "6379"],
            ["appendonly", "yes"],
            ["appendfsync", "everysec"],
            ["maxmemory", "0"],
            ["maxmemory-policy", "allkeys-lru"],
            ["dir", "/data"],
        ):
            assert line in lines
        assert not any(line[0] in ("replicaof", "slaveof", "include") for line in lines)


def test_a_sentinel_is_born_with_the_settled_keys() -> None:
    for runtime in sentinels(memory_site()):
        lines = directives(str(runtime.order()["text"]))
        assert lines[0] == ["sentinel", "monitor", "kb-redis-master", "10.0.0.124", "6379", "2"]
        assert ["sentinel", "down-after-milliseconds", "kb-redis-master", "5000"] in lines
        assert ["sentinel", "parallel-syncs", "kb-redis-master", "1"] in lines
        assert ["sentinel", "failover-timeout", "kb-redis-master", "60000"] in lines
        assert ["sentinel", "announce-ip", runtime.access.address] in lines
        assert ["sentinel", "announce-port", "26379"] in lines


def test_sentinels_are_reachable_for_each_other_on_the_private_address() -> None:
    """protected-mode yes blocked the other Sentinels."""
    for host, content in contents(memory_site(), OPTIONS).items():
        lines = directives(content.reveal())
        assert ["protected-mode", "no"] in lines
        assert ["bind", str(memory_site().server(host).address)] in lines
        assert ["port", "26379"] in lines


def test_nothing_binds_a_load_balancers_address_or_the_loopback() -> None:
    site = memory_site()
    virtual = {str(entry.address) for entry in site.catalogue.virtual_addresses}
    binds = [
        line[1]
        for path in (CONF, OPTIONS)
        for content in contents(site, path).values()
        for line in directives(content.reveal())
        if line[0] == "bind"
    ]
    assert len(binds) == 6
    assert not {*binds} & {*virtual, "127.0.0.1", "0.0.0.0"}


def test_containers_mount_directories_that_their_daemon_may_rename_in() -> None:
    """A mounted sentinel.conf could not be renamed over ("Resource busy"): state was lost at each restart."""
    for found in described(memory_site(), MODULE).values():
        resources = found.modules["redis"].resources
        files = {item.path for item in resources if isinstance(item, File)}
        files |= {i.file.path for i in resources if isinstance(i, RedisRuntime | SentinelRuntime)}
        for container in (item for item in resources if isinstance(item, Container)):
            assert not {bind.source for bind in container.binds} & files
            assert container.restart == "unless-stopped"
            ours = [bind for bind in container.binds if bind.source.endswith("/conf")]
            assert [bind.read_only for bind in ours] == [True]
        images = {item.reference for item in resources if isinstance(item, Image)}
        assert images == {"redis:7.2.5-alpine"}


def test_what_is_mine_and_what_is_the_daemons_are_different_files() -> None:
    for found in described(memory_site(), MODULE).values():
        resources = found.modules["redis"].resources
        ours = {item.path for item in resources if isinstance(item, File)}
        theirs = {i.file.path for i in resources if isinstance(i, RedisRuntime | SentinelRuntime)}
        assert len(ours) == len(theirs) == 2
        assert not ours & theirs
        (monitor,) = (item for item in resources if isinstance(item, SentinelMonitor))
        assert monitor.runtime in theirs
        # The legacy file of that name, with its own runtime state, is never written over.
        assert "/opt/keybuzz/redis/conf/sentinel.conf" not in ours | theirs


@pytest.mark.parametrize(
    ("text", "found"), [("0", "0"), ("1500mb", "1572864000"), ("1GB", "1073741824")]
)
def test_the_memory_limit_is_compared_as_redis_says_it(text: str, found: str) -> None:
    site = with_parameters(memory_site(), {"redis.maxmemory": text})
    for content in contents(site, CONF).values():
        assert ["maxmemory", found] in directives(content.reveal())


@given(st.text(max_size=6).filter(lambda text: not text.isdecimal()))
def test_a_memory_limit_of_another_form_is_an_input_error(text: str) -> None:
    if text.lower()[-2:] in ("kb", "mb", "gb") and text[:-2].isdecimal():
        return
    site = with_parameters(memory_site(), {"redis.maxmemory": text})
    with pytest.raises(InputError, match=r"redis\.maxmemory"):
        MODULE.describe(site, site.members("redis")[0])


def test_how_many_replicas_a_write_needs_is_the_owners_decision() -> None:
    """0, as deployed, changes no file."""
    server = memory_site().members("redis")[0]
    assert "min-replicas-to-write" not in dict(values.settings(memory_site(), server))
    asked = with_parameters(memory_site(), {"redis.min_replicas_to_write": "1"})
    assert dict(values.settings(asked, server))["min-replicas-to-write"] == "1"
    with pytest.raises(InputError, match=r"redis\.min_replicas_to_write is '3'"):
        values.settings(
            with_parameters(memory_site(), {"redis.min_replicas_to_write": "3"}), server
        )
