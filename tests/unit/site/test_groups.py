"""groups.yaml: the closed groups of the real file, and every way to damage it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.site.files.yaml_tree import parse_yaml
from keybuzz.site.groups import parse_groups
from tests.unit.support.inventory_files import GROUPS, real_catalogue, real_servers

CONTENT = GROUPS.read_text(encoding="utf-8")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_groups(text.encode(), "groups.yaml")
    return str(caught.value)


def complaint(read: Callable[[], object]) -> str:
    """Return the InputError's text, or "" when the content is fine; anything else is a failure."""
    try:
        read()
    except InputError as error:
        return str(error)
    return ""


def line_of(text: str) -> int:
    """Return the line of the real file that begins with this text, after its indentation."""
    lines = CONTENT.splitlines()
    return next(n for n, line in enumerate(lines, start=1) if line.strip().startswith(text))


@pytest.mark.parametrize(
    ("name", "module", "hosts"),
    [
        ("patroni", 3, ["db-master-01", "db-slave-01", "db-slave-02"]),
        ("haproxy", 3, ["haproxy-01", "haproxy-02"]),
        ("redis", 4, ["redis-01", "redis-02", "redis-03"]),
        ("rabbitmq", 5, ["queue-01", "queue-02", "queue-03"]),
        ("minio", 6, ["minio-01", "minio-02", "minio-03"]),
        ("galera", 7, ["maria-01", "maria-02", "maria-03"]),
        ("proxysql", 8, ["proxysql-01", "proxysql-02"]),
        (
            "k3s",
            9,
            [*(f"k8s-master-0{n}" for n in (1, 2, 3)), *(f"k8s-worker-0{n}" for n in range(1, 6))],
        ),
        ("k3s-masters", 9, [f"k8s-master-0{n}" for n in (1, 2, 3)]),
        ("k3s-workers", 9, [f"k8s-worker-0{n}" for n in (1, 2, 3, 4, 5)]),
        ("controller", 2, ["install-01"]),
        ("backup", 10, ["backup-01"]),
        ("all", 2, sorted(server.name for server in real_servers())),
    ],
)
def test_a_closed_group_has_exactly_its_hosts(name: str, module: int, hosts: list[str]) -> None:
    group = real_catalogue().group(name)
    assert [server.name for server in group.members(real_servers())] == hosts
    assert (group.module, group.expected) == (module, len(hosts))
    assert [s.name for s in real_servers() if name in s.groups] == sorted(hosts) or name == "all"


def test_no_server_is_in_two_groups_but_all_and_k3s() -> None:
    """The two halves of K3s are one cluster: it is three masters and five workers, and neither more nor less."""
    names = [group.name for group in real_catalogue().groups]
    assert len(names) == len(set(names)) >= 13
    for server in real_servers():
        assert server.groups[0] == "all"
        assert len([name for name in server.groups if name != "k3s"]) <= 2
        assert ("k3s" in server.groups) == (server.role == "k3s")


@pytest.mark.parametrize("subrole", ["master", "worker"])
def test_another_number_of_masters_or_workers_is_refused(subrole: str) -> None:
    catalogue = real_catalogue()
    fewer = [s for s in real_servers() if s.subrole != subrole or s.name.endswith("1")]
    group = catalogue.group(f"k3s-{subrole}s")
    assert len(group.members(fewer)) != group.expected
    assert len(catalogue.group("k3s").members(fewer)) != catalogue.group("k3s").expected


def test_names_and_aliases_find_groups() -> None:
    catalogue = real_catalogue()
    assert catalogue.group("db") is catalogue.group("patroni")
    assert catalogue.find("backn8n") is None
    with pytest.raises(InputError, match="no group is named dbb\n  → use one of: all, controller"):
        catalogue.group("dbb")


def test_what_is_no_server_is_known_as_such() -> None:
    catalogue = real_catalogue()
    balancer = catalogue.virtual(IPv4Address("10.0.0.10"))
    assert balancer is not None
    assert (balancer.ports, balancer.targets) == ((5432, 6432, 6379, 5672), ("haproxy",))
    proxysql = catalogue.virtual(IPv4Address("10.0.0.20"))
    assert proxysql is not None
    assert (proxysql.ports, proxysql.targets) == ((3306,), ("proxysql",))
    public = [catalogue.virtual(IPv4Address(f"10.0.0.{n}")) for n in (5, 6)]
    assert None not in public
    assert catalogue.virtual(IPv4Address("10.0.0.120")) is None
    excluded = catalogue.exclusion("backn8n")
    assert excluded is not None
    assert "49th" in excluded.reason
    assert catalogue.exclusion("redis-01") is None
    assert catalogue.host_of("k3s-worker-04") == "k8s-worker-04"
    assert catalogue.host_of("redis-01") is None


GALERA = "    select: {ROLE: db, SUBROLE: mariadb}\n    expected: 3"
BAD = [
    ("excluded:", "excluded:\x00", 1, "is not YAML"),
    (GALERA, GALERA.replace("3", "three"), line_of("galera:") + 4, "expected of group galera"),
    (GALERA, GALERA.replace("3", "0"), line_of("galera:") + 4, "expected of group galera"),
    (GALERA, GALERA.replace("3", "[3]"), line_of("galera:") + 4, "must be a text"),
    (GALERA, GALERA.replace("mariadb", "maria"), line_of("galera:") + 3, "did you mean mariadb"),
    (GALERA, GALERA.replace("mariadb", "proxysql"), line_of("galera:") + 3, "unknown SUBROLE"),
    (GALERA, GALERA.replace("ROLE: db", "ROLE: maria"), line_of("galera:") + 3, "unknown ROLE"),
    (GALERA, GALERA.replace("ROLE: db", "POOL: db-pool"), line_of("galera:") + 3, "by 'POOL'"),
    (GALERA, GALERA.replace("expected", "expect"), line_of("galera:") + 4, "key 'expect'"),
    (GALERA, GALERA.replace("{ROLE", "{ROLE: db, ROLE"), line_of("galera:") + 3, "twice"),
    (GALERA, GALERA.split("\n")[0], line_of("galera:") + 1, "has no expected"),
    ("  galera:", "  redis:", line_of("galera:"), "has 'redis' twice"),
    ("  galera:", "  Galera:", line_of("galera:"), "is not a name"),
    ("aliases: [mariadb]", "aliases: [db]", line_of("aliases: [mariadb]"), "already used"),
    ("aliases: [mariadb]", "aliases: mariadb", line_of("aliases: [mariadb]"), "must be a list"),
    ("aliases: [mariadb]", "aliases: [a, a]", line_of("aliases: [mariadb]"), "already used"),
    ("address: 10.0.0.20", "address: 10.0.0.10", line_of("address: 10.0.0.20"), "already used"),
    ("address: 10.0.0.20", "address: 10.1.0.20", line_of("address: 10.0.0.20"), "10.1.0.20"),
    ("address: 10.0.0.20", "address: 10.0.20", line_of("address: 10.0.0.20"), "inside 10.0.0.0"),
    ("ports: [3306]", "ports: [33060000]", line_of("ports: [3306]"), "from 1 to 65535"),
    ("targets: [proxysql]", "targets: [proxy]", line_of("targets: [proxysql]"), "unknown group"),
    ("  backn8n: the", "  redis: the", line_of("backn8n:"), "already used"),
    ("excluded:", "exclude:", line_of("excluded:"), "key 'exclude' → did you mean excluded"),
    ("groups:\n", "groups: [\n", line_of("module: 2"), "is not YAML"),
    ("excluded:\n  backn8n: ", "excluded: ", line_of("excluded:"), "must be a mapping"),
    ("environments: [prod]", "environments: [&a prod, *a]", line_of("environments"), "anchor"),
    ("environments: [prod]", "? [a, b]\n  : c", line_of("environments"), "not a plain word"),
]


@pytest.mark.parametrize(("old", "new", "line", "expected"), BAD)
def test_a_damaged_file_is_named_with_its_line(
    old: str, new: str, line: int, expected: str
) -> None:
    text = CONTENT.replace(old, new, 1)
    assert text != CONTENT
    places = [row for row in refusal(text).splitlines() if expected in row]
    assert places
    assert places[0].startswith(f"groups.yaml:{line}: ")
    assert " → " in places[0]


@pytest.mark.parametrize("content", [b"", b"- 1", b"3", b"\xff", b"[" * 400, b"a: !!int x"])
def test_what_is_no_mapping_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"groups\.yaml:1: "):
        parse_groups(content, "groups.yaml")


@given(
    start=st.integers(0, len(CONTENT)),
    removed=st.integers(0, 60),
    inserted=st.one_of(st.binary(max_size=6), st.sampled_from([b"{", b": ", b"\n", b"- ", b"*a"])),
)
@settings(deadline=None, max_examples=60)
def test_any_edit_loads_or_gives_a_clean_error(start: int, removed: int, inserted: bytes) -> None:
    content = CONTENT.encode()
    edited = content[:start] + inserted + content[start + removed :]
    message = complaint(lambda: parse_groups(edited, "groups.yaml"))
    assert all(line.startswith("groups.yaml:") for line in message.splitlines())


@given(st.one_of(st.binary(max_size=60), st.text("[]{}:,-*&!|>'\"\\% ~?#ax0\n\t", max_size=40)))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_yaml_or_a_clean_error(content: bytes | str) -> None:
    raw = content.encode() if isinstance(content, str) else content
    message = complaint(lambda: parse_yaml(raw, "x.yaml"))
    assert all(line.startswith("x.yaml:") for line in message.splitlines())
