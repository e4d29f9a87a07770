"""--limit: what each kind of term chooses, and that a wrong word never means silence."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError, NothingToDoError, UsageError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.limit import parse_limit
from tests.unit.support.inventory_files import real_catalogue, real_servers

CATALOGUE = real_catalogue()
SERVERS = real_servers()
EVERYONE = frozenset(server.name for server in SERVERS)
PATRONI = {"db-master-01", "db-slave-01", "db-slave-02"}
GALERA = {"maria-01", "maria-02", "maria-03"}
SETS = {"failed": frozenset({"redis-02", "a-host-of-last-year"}), "drifted": frozenset[str]()}


def chosen(*terms: str) -> frozenset[str]:
    return parse_limit(terms, SERVERS, CATALOGUE, SETS)


@pytest.mark.parametrize(
    ("terms", "hosts"),
    [
        (["redis-01"], {"redis-01"}),
        (["patroni"], PATRONI),
        (["db"], PATRONI),
        (["role=db"], PATRONI | GALERA | {"temporal-db-01", "analytics-db-01"}),
        (["role=db", "!galera"], PATRONI | {"temporal-db-01", "analytics-db-01"}),
        (["haproxy"], {"haproxy-01", "haproxy-02"}),
        (["role=lb"], {"haproxy-01", "haproxy-02", "api-gateway-01"}),
        (["k3s-master-02"], {"k8s-master-02"}),
        (["k3s-master-0[12]"], {"k8s-master-01", "k8s-master-02"}),
        (["maria-*"], GALERA),
        (["db-slave-0?"], {"db-slave-01", "db-slave-02"}),
        (["redis-01,maria-*"], GALERA | {"redis-01"}),
        (["redis-01", "maria-*"], GALERA | {"redis-01"}),
        ([" redis-01 , redis-02 "], {"redis-01", "redis-02"}),
        (["patroni", "!db-master-01"], {"db-slave-01", "db-slave-02"}),
        (["!db-master-01", "patroni"], {"db-slave-01", "db-slave-02"}),
        (["!db-master-01"], EVERYONE - {"db-master-01"}),
        (["!core=yes,!role=app"], {s.name for s in SERVERS if not s.core and s.role != "app"}),
        (["subrole=nocode"], {"baserow-01", "nocodb-01"}),
        (["pool=queue-pool"], {"queue-01", "queue-02", "queue-03"}),
        (["stack=k3s-worker-heavy"], {"k8s-worker-03"}),
        (["stack=k3s-worker-*"], {f"k8s-worker-0{n}" for n in range(1, 6)}),
        (["core=yes", "!all", "redis-01"], None),
        (["10.0.0.120"], {"db-master-01"}),
        (["203.0.113.19"], {"db-master-01"}),
        (["@failed"], {"redis-02"}),
        (["!@failed,redis"], {"redis-01", "redis-03"}),
        (["!@drifted"], EVERYONE),
        (["@drifted,redis-01"], {"redis-01"}),
        (["all"], EVERYONE),
        ([], EVERYONE),
    ],
)
def test_terms_choose_exactly_these(terms: list[str], hosts: set[str] | None) -> None:
    if hosts is None:
        with pytest.raises(UsageError, match="leaves no server"):
            chosen(*terms)
        return
    assert chosen(*terms) == hosts


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("", "an empty term"),
        ("redis-01,", "an empty term"),
        ("!", "an empty term"),
        ("!!redis", "matches no server"),
        ("redsi", "did you mean redis"),
        ("redis-1", "did you mean redis-01"),
        ("Redis-01", "did you mean redis-01"),
        ("!redsi", "did you mean redis"),
        ("redis-9*", "matches no server"),
        ("nothing-like-it-at-all", "use one of: all, "),
        ("internal-haproxy", "write subrole=internal-haproxy"),
        ("role=k8s", "did you mean k3s"),
        ("role=", "no server has 'role='"),
        ("core=true", "use one of: no, yes"),
        ("rol=db", "did you mean role"),
        ("hostname=redis-01", "cannot be chosen by 'hostname'"),
        ("@faild", "did you mean failed"),
        ("10.0.0.10", "the load balancer lb-haproxy, not a server (LB-1)\n  → use the servers"),
        ("10.0.0.20", "lb-proxysql"),
        ("lb-haproxy", "haproxy"),
        ("10.0.0.99", "matches no server"),
        ("backn8n", "excluded by design: the 49th"),
        ("all,!all", "leaves no server"),
        ("\x1b[31m", r"\x1b"),
    ],
)
def test_a_term_that_chooses_nobody_is_a_usage_error(term: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_limit(term, SERVERS, CATALOGUE, SETS)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("--limit: ")
    assert caught.value.hint
    assert caught.value.code is ExitCode.USAGE


def test_a_set_that_is_empty_by_itself_is_no_mistake() -> None:
    with pytest.raises(NothingToDoError, match="@drifted: no host is in it") as caught:
        parse_limit("@drifted", SERVERS, CATALOGUE, SETS)
    assert caught.value.code is ExitCode.GOOD


def test_sets_that_were_never_stored_are_named() -> None:
    with pytest.raises(UsageError, match="no set is named @failed"):
        parse_limit("@failed", SERVERS, CATALOGUE)


names = st.sampled_from(sorted(EVERYONE))
groups = st.sampled_from([group.name for group in CATALOGUE.groups])
columns = st.sampled_from(SERVERS).map(lambda s: f"stack={s.stack}")
terms = st.one_of(names, groups, columns)


@given(st.sets(names, min_size=1))
@settings(deadline=None)
def test_n_hosts_in_are_n_hosts_out(hosts: set[str]) -> None:
    assert chosen(*hosts) == hosts
    assert chosen(",".join(sorted(hosts, reverse=True))) == hosts


@given(st.lists(terms, min_size=1, max_size=6))
@settings(deadline=None)
def test_several_terms_are_the_union_of_each(several: list[str]) -> None:
    assert chosen(*several) == frozenset().union(*(chosen(term) for term in several))
    assert chosen(*several) == chosen(",".join(reversed(several)))
    assert chosen(*several, *several) == chosen(*several)


@given(st.lists(terms, max_size=4), st.lists(terms, min_size=1, max_size=4), st.randoms())
@settings(deadline=None)
def test_exclusions_take_away_whatever_their_place(
    wanted: list[str], unwanted: list[str], random: Random
) -> None:
    start = chosen(*wanted) if wanted else EVERYONE
    left = start - chosen(*unwanted)
    mixed = [*wanted, *(f"!{term}" for term in unwanted)]
    random.shuffle(mixed)
    if left:
        assert chosen(*mixed) == left
        return
    with pytest.raises(UsageError, match="leaves no server"):
        chosen(*mixed)


@given(st.text(max_size=30))
@settings(deadline=None, max_examples=200)
def test_any_text_chooses_servers_or_is_refused(text: str) -> None:
    try:
        hosts = parse_limit(text, SERVERS, CATALOGUE, SETS)
    except InputError:
        return
    assert hosts
    assert hosts <= EVERYONE
