"""Which versions may follow which: the tables of all modules, and that nothing but their rows is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.engine.catalogue import all_modules, choose, named_only
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.upgrade.gates import require_backup, require_ready
from keybuzz.engine.upgrade.tables import meant
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, RefusedError, UsageError
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.upgrades import Move, Upgrades, referred, version_of
from keybuzz.site.versions import Entry, parse_versions, with_entries
from tasks.rabbitmq.readiness import missing as rabbitmq_missing
from tests.unit.support.scripted_hosts import SITE, Script, fleet, scripted

ROOT = Path(__file__).parents[4]
VERSIONS = (ROOT / "inventory" / "versions.yaml").read_bytes()
KNOWN = parse_versions(VERSIONS, "versions.yaml")
TABLES = {table.image: table for module in all_modules() for table in module.upgrades}
OPEN = {image: table for image, table in TABLES.items() if not table.refused}
NUMBERS = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
FLAVOURS = st.sampled_from(["", "-alpine", "-management", "-alpine3.20"])


def reference(version: tuple[int, ...], flavour: str = "") -> str:
    return f"x:{'.'.join(map(str, version))}{flavour}"


@pytest.mark.parametrize("image", TABLES)
def test_a_table_is_about_an_image_of_versions_yaml_whose_tag_it_can_read(image: str) -> None:
    table = TABLES[image]
    assert table.source
    if not table.refused:
        assert len(version_of(KNOWN[image].reference)) >= table.series
        assert "allowed from " in table.next_step(KNOWN[image].reference)
    for also in table.also:
        assert also.pattern.search(KNOWN[also.image].reference)
    for move in table.moves:
        assert move.before < move.after
        assert len(move.before) == len(move.after) == table.series
        assert move.source
        assert not move.least or move.least[: table.series] == move.before
    assert all(why and len(release) > table.series for release, why in table.never)
    assert not table.way_back or table.no_way_back


def test_each_table_that_names_a_backup_names_one_that_kbz_takes() -> None:
    services = {archive.service for module in all_modules() for archive in module.archives}
    assert {table.backup for table in TABLES.values()} - {""} <= services


def test_a_table_of_a_service_that_kbz_backs_up_names_its_backup() -> None:
    services = {archive.service for module in all_modules() for archive in module.archives}
    for module in all_modules():
        for table in module.upgrades:
            if table.keeps_data and not table.refused and not table.backup:
                assert module.name not in services, f"{table.image}: kbz backup takes one"
                assert table.image not in services, f"{table.image}: kbz backup takes one"


def test_the_page_has_every_row_with_its_source() -> None:
    page = (ROOT / "docs" / "how-to" / "upgrade-an-image.md").read_text(encoding="utf-8")
    for image, table in TABLES.items():
        assert f"| `{image}` |" in page
        for text in (table.source, *(move.source for move in table.moves)):
            assert text in page, f"{image}: {text}"


@given(st.sampled_from(sorted(OPEN)), NUMBERS, NUMBERS, FLAVOURS, FLAVOURS)
def test_only_later_releases_of_a_series_and_rows_are_allowed(
    image: str, old: tuple[int, ...], new: tuple[int, ...], one: str, other: str
) -> None:
    table = OPEN[image]
    try:
        move = table.require(reference(old, one), reference(new, other))
    except RefusedError:
        return
    assert new >= old
    assert one.rstrip("0123456789.") == other.rstrip("0123456789.")
    series = (old[: table.series], new[: table.series])
    assert series[0] == series[1] if move is None else (move.before, move.after) == series


@pytest.mark.parametrize(
    ("image", "before", "after", "said"),
    [
        ("redis", "redis:7.2.5-alpine", "redis:9.0.0-alpine", "or to a release of 7.4, or to"),
        ("rabbitmq", "r:3.12.14-management", "r:4.0.5-management", "skips no series"),
        ("mariadb-galera", "m:10.11.6", "m:11.4.2", "mariadb-upgrade"),
        ("postgres", "p:16.4-bookworm", "p:17.0-bookworm", "pg_upgrade"),
        ("qdrant", "q:v1.15.0-unprivileged", "q:v1.17.0-unprivileged", "minor version before"),
        (
            "qdrant",
            "q:v1.16.2-unprivileged",
            "q:v1.17.0-unprivileged",
            "from 1.16.3 on to a release",
        ),
        ("qdrant", "q:v1.19.0-unprivileged", "q:v1.20.0-unprivileged", "none after 1.19"),
        ("rabbitmq", "r:3.12.14-management", "r:3.13.4-management", "3.13.6 or later"),
        ("postgres", "p:16.4-bookworm", "p:16.12-bookworm", "a primary of an older release"),
        ("pgbouncer", "b:1.23.1", "b:1.26.0", "only series that the table knows"),
        ("minio", "m:RELEASE.2024-10-02T17-50-41Z", "m:RELEASE.2025-10-02T17-50-41Z", "at once"),
    ],
)
def test_a_refusal_says_why_and_what_is_next(
    image: str, before: str, after: str, said: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        TABLES[image].require(before, after)
    assert said in str(refused.value)


def test_the_way_back_is_open_within_a_series_and_where_a_row_does_not_close_it() -> None:
    table = Upgrades(
        "x", "s", moves=(Move((1, 2), (1, 3), "s"), Move((1, 3), (2, 0), "s", "data of 2.0"))
    )
    table.require_back("x:1.2.3", "x:1.2.9")
    table.require_back("x:1.2.3", "x:1.3.0")
    with pytest.raises(RefusedError, match=r"no way back .* data of 2\.0"):
        table.require_back("x:1.3.0", "x:2.0.1")
    with pytest.raises(RefusedError, match="no row"):
        table.require_back("x:1.2.0", "x:2.0.1")


@pytest.mark.parametrize(
    ("image", "before", "after", "said"),
    [
        ("postgres", "p:16.4-bookworm", "p:16.13-bookworm", ""),
        ("postgres", "p:16.12-bookworm", "p:16.13-bookworm", ""),
        ("haproxy", "h:2.8.5", "h:3.0.1", ""),
        ("pgbouncer", "b:1.23.1", "b:1.25.2", ""),
        ("redis", "r:7.2.5-alpine", "r:7.2.6-alpine", ""),
        ("redis", "r:7.2.5-alpine", "r:7.4.1-alpine", "format that the earlier one does not load"),
        ("redis", "r:8.0.1-alpine", "r:8.0.2-alpine", "in both directions"),
        ("rabbitmq", "r:3.12.13-management", "r:3.12.14-management", "supports no downgrade"),
        ("rabbitmq", "r:3.12.14-management", "r:3.13.7-management", "supports no downgrade"),
        ("mariadb-galera", "m:10.11.6", "m:10.11.8", "Galera's protocol version"),
        ("proxysql", "p:2.6.4", "p:2.6.6", "deletes the tables"),
        ("proxysql", "p:2.6.4", "p:2.7.1", "deletes the tables"),
        ("qdrant", "q:v1.18.3-unprivileged", "q:v1.19.0-unprivileged", "supports no downgrade"),
        ("qdrant", "q:v1.18.2-unprivileged", "q:v1.18.3-unprivileged", "supports no downgrade"),
    ],
)
def test_an_allowed_step_has_a_way_back_only_where_upstream_has_one(
    image: str, before: str, after: str, said: str
) -> None:
    TABLES[image].require(before, after)
    assert said in TABLES[image].closed_behind(before, after)
    if not said:
        TABLES[image].require_back(before, after)
        return
    with pytest.raises(RefusedError, match="no way back"):
        TABLES[image].require_back(before, after)


FLAGS = {
    "a stable flag is off": ("3.13.7", {"off": ["message_containers"]}, "message_containers"),
    "and that is told before all else": ("4.0.5", {"off": ["x"], "tried": ["khepri_db"]}, "enable_feature_flag all"),
    "Khepri's data of 3.13": ("4.0.5", {"tried": ["khepri_db"]}, "khepri_db is enabled"),
    "and 3.13 itself takes it": ("3.13.7", {"tried": ["khepri_db"], "mirrored": ["ha-all"]}, ""),
    "a policy that mirrors": (
        "4.0.5",
        {"mirrored": ["policy ha-all in /"]},
        "policy ha-all in / set each of them again without its ha- keys",
    ),
    "nothing": ("4.0.5", {}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", FLAGS)
def test_before_another_series_of_rabbitmq_its_nodes_are_asked_for_their_feature_flags(
    case: str,
) -> None:
    after, said, told = FLAGS[case]
    nothing: dict[str, list[str]] = {"off": [], "tried": [], "mirrored": []}
    answers = {
        "queue-01": Answer("rabbitmq.flags", nothing),
        "queue-02": Answer("rabbitmq.flags", {**nothing, **said}),
    }
    found = rabbitmq_missing(version_of(f"rabbitmq:{after}-management"), answers)
    assert (found is None) == (not told)
    assert found is None or told in " ".join(found)
    assert found is None or "enable" not in found[1] or "--limit queue-02" in found[1]


def test_a_node_that_does_not_tell_its_flags_refuses_another_series_and_no_later_release(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    work = Workspace(SITE, scripted(Script()), journal, lambda event: None, "kbz upgrade")
    table = TABLES["rabbitmq"]
    with pytest.raises(RefusedError, match="does not say which feature flags are enabled"):
        require_ready(work, table, "rabbitmq:3.12.14-management", "rabbitmq:3.13.7-management")
    require_ready(work, table, "rabbitmq:3.12.14-management", "rabbitmq:3.12.15-management")


@pytest.mark.parametrize("image", OPEN)
def test_versions_yaml_takes_another_reference_and_gets_the_former_back(image: str) -> None:
    before = Entry.of(KNOWN[image])
    name = KNOWN[image].reference.rpartition(":")[0]
    changed = with_entries(VERSIONS, {image: Entry(f"{name}:99.99.99", "decided: it's so #1")})
    found = parse_versions(changed, "versions.yaml")
    assert found[image].reference == f"{name}:99.99.99"
    assert {n: v.reference for n, v in found.items() if n != image} == {
        n: v.reference for n, v in KNOWN.items() if n != image
    }
    assert with_entries(changed, {image: before}) == VERSIONS


def test_a_tag_may_have_its_repository_and_no_other() -> None:
    assert referred("edoburu/pgbouncer:v1.23.1", "v1.24.0") == "edoburu/pgbouncer:v1.24.0"
    assert referred("redis:7.2.5", "redis:7.2.6") == "redis:7.2.6"
    with pytest.raises(UsageError, match="another repository"):
        referred("redis:7.2.5", "valkey:7.2.6")


def test_one_image_is_upgraded_on_all_modules_that_run_it() -> None:
    [module] = named_only(("redis-proxy",))
    found = meant(SITE, module, fleet(), "2.8.9", "")
    assert found.table.image == "haproxy"
    assert {one.name for one in found.users} == {"postgres-proxy", "redis-proxy", "rabbitmq-proxy"}
    [entry] = named_only(("postgres-proxy",))
    with pytest.raises(UsageError, match="haproxy and pgbouncer"):
        meant(SITE, entry, fleet(), "2.8.9", "")
    assert meant(SITE, entry, fleet(), "haproxy:2.8.9", "").table.image == "haproxy"
    assert meant(SITE, entry, fleet(), "1.24.0", "pgbouncer").table.image == "pgbouncer"
    [patroni] = named_only(("patroni",))
    found = meant(SITE, patroni, fleet(), "16.6-bookworm", "")
    assert found.images == ("postgres", "patroni")
    assert "patroni" in {one.name for one in choose(tuple(m.name for m in found.users))}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("redis", "kbz backup run redis"),
        ("postgres", "kbz backup run postgres"),
        ("mariadb-galera", "kbz backup run galera"),
        ("qdrant", "kbz keeps no backup"),
        ("haproxy", ""),
    ],
)
def test_a_backup_that_is_not_known_to_be_young_enough_refuses(
    tmp_path: Path, image: str, said: str
) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    work = Workspace(SITE, scripted(Script()), journal, lambda event: None, "kbz upgrade")
    if not said:
        require_backup(work, TABLES[image])
        return
    with pytest.raises(KbzError) as refused:
        require_backup(work, TABLES[image])
    assert said in str(refused.value)
    assert "--without-backup" in str(refused.value)
