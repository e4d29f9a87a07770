"""Which member of Galera is the source, and what backup-01 makes of what a server of its files has read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.reading import Answer
from tasks.backup.on_host import tables
from tasks.backup.store import galera
from tasks.galera.service.readings import MysqlQuery
from tests.unit.support.site_values import memory_site

SITE = memory_site()
UUID, OTHER = "8a1f0000-0000-11ee-0000-000000000001", "8a1f0000-0000-11ee-0000-000000000002"
SYNCED = ("Primary", "Synced", "ON", UUID)
STATEMENT, _ = dict.fromkeys(
    text for asked in galera.ask(SITE) if isinstance(asked, MysqlQuery) for text in asked.statements
)
CLOSED = "nothing answers on 10.0.0.1:3306: Connection refused"
NAMES = (
    "wsrep_cluster_status",
    "wsrep_local_state_comment",
    "wsrep_ready",
    "wsrep_cluster_state_uuid",
)
READ = b"kb.a b\t2\nkb.a b\t77\nkb.c\t0\nkb.c\t0\nmysql.db\t1\nmysql.db\t5\n"


def entries(*leading: str) -> dict[str, Answer]:
    """Return what each entry says: the member that it writes to, or why it does not."""
    found: dict[str, Answer] = {}
    for server, member in zip(SITE.members("proxysql"), leading, strict=True):
        name = f"backup.galera.{server.name}"
        if member.startswith("maria"):
            found[name] = Answer(name, {"denied": "", "rows": {galera.WHERE: [[member]]}})
        elif member == "Access denied":
            found[name] = Answer(name, {"denied": member, "rows": {}})
        else:
            found[name] = Answer(name, problem=member)
    return found


def members(*states: tuple[str, ...] | str | None) -> dict[str, Answer]:
    """Return what maria-01, 02 and 03 say: their state, why they let no one in, or nothing at all. No entry runs."""
    found = entries(CLOSED, CLOSED)
    for server, state in zip(SITE.members("galera"), states, strict=True):
        name = f"backup.galera.{server.name}"
        if state is None:
            found[name] = Answer(name, problem="no route")
        elif isinstance(state, str):
            found[name] = Answer(name, {"denied": state, "rows": {}})
        else:
            rows = [list(pair) for pair in zip(NAMES, state, strict=True)]
            found[name] = Answer(name, {"denied": "", "rows": {STATEMENT: rows}})
    return found


@pytest.mark.parametrize(
    ("states", "source"),
    [
        ((SYNCED, SYNCED, SYNCED), "maria-01"),
        ((None, SYNCED, SYNCED), "maria-02"),
        ((SYNCED, None, SYNCED), "maria-01"),
        ((SYNCED, SYNCED, None), "maria-01"),
        (((SYNCED[0], "Donor/Desynced", "ON", UUID), SYNCED, SYNCED), "maria-02"),
    ],
)
def test_the_source_is_synced_and_never_the_writer(
    states: tuple[tuple[str, ...] | None, ...], source: str
) -> None:
    found = galera.choose(SITE, members(*states))
    assert (found.host, found.cluster) == (source, UUID)


@pytest.mark.parametrize(
    ("leading", "states", "source"),
    [
        (("maria-01", "maria-01"), (SYNCED, SYNCED, SYNCED), "maria-02"),
        (("maria-01", CLOSED), (SYNCED, SYNCED, SYNCED), "maria-02"),
        (("maria-01", "timed out"), (SYNCED, None, SYNCED), "maria-03"),
        (("maria-01", "maria-02"), (SYNCED, SYNCED, SYNCED), "maria-03"),
        (("maria-03", "maria-03"), (SYNCED, SYNCED, SYNCED), "maria-01"),
    ],
)
def test_a_member_that_an_entry_writes_to_is_no_source(
    leading: tuple[str, ...], states: tuple[tuple[str, ...] | None, ...], source: str
) -> None:
    assert galera.choose(SITE, members(*states) | entries(*leading)).host == source


@pytest.mark.parametrize(
    ("leading", "states", "said"),
    [
        (("maria-01", "maria-01"), (SYNCED, None, None), "maria-01 is the writer"),
        (("timed out", CLOSED), (SYNCED, SYNCED, SYNCED), "no entry tells.*timed out"),
        (("Access denied", CLOSED), (SYNCED, SYNCED, SYNCED), "no entry tells.*Access denied"),
    ],
)
def test_where_the_writer_may_be_any_member_nothing_is_taken(
    leading: tuple[str, ...], states: tuple[tuple[str, ...] | None, ...], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        galera.choose(SITE, members(*states) | entries(*leading))


@pytest.mark.parametrize(
    ("leading", "states", "said"),
    [
        (("maria-03", "maria-03"), (SYNCED, SYNCED, SYNCED), ""),
        (("maria-02", "maria-02"), (SYNCED, SYNCED, None), ""),
        (("maria-01", "maria-01"), (SYNCED, SYNCED, SYNCED), "maria-01 is the writer; nothing"),
        (("maria-03", "maria-01"), (SYNCED, SYNCED, SYNCED), "maria-01 is the writer; nothing"),
        (("maria-02", CLOSED), (None, SYNCED, SYNCED), "maria-01: no route; nothing"),
        ((CLOSED, CLOSED), (SYNCED, None, None), "maria-01 is the writer; nothing"),
        (("timed out", CLOSED), (SYNCED, SYNCED, SYNCED), "no entry tells"),
    ],
)
def test_the_source_is_looked_at_again_just_before_its_files_are_read(
    leading: tuple[str, ...], states: tuple[tuple[str, ...] | None, ...], said: str
) -> None:
    source = galera.choose(SITE, members(SYNCED, SYNCED, SYNCED) | entries(CLOSED, CLOSED))
    [copying] = [work for work in galera.fill(SITE, source, "image", "/folder") if work.of]
    assert copying.unfit is not None
    why = copying.unfit(members(*states) | entries(*leading))
    assert why.startswith(said)
    assert bool(why) == bool(said)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((None, None, None), "maria-01: no route"),
        ((SYNCED, None, "Access denied"), "maria-03: Access denied.*maria-01 is the writer"),
        ((SYNCED, ("non-Primary", "Initialized", "OFF", UUID), None), "in no Primary component"),
        ((("Primary", "Joined", "ON", UUID), None, SYNCED), "maria-01: it is Joined"),
        ((("Primary", "Synced", "ON", OTHER), SYNCED, SYNCED), "not of one cluster"),
    ],
)
def test_without_such_a_member_nothing_is_taken(
    states: tuple[tuple[str, ...] | str | None, ...], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        galera.choose(SITE, members(*states))


def test_what_was_read_is_noted_once_and_compared_from_then_on(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / tables.READ).write_bytes(READ)
        assert tables.main("", [str(tmp_path)]) == 0
        assert not (tmp_path / tables.READ).exists()
    counts = json.loads((tmp_path / "kbz.counts.json").read_text())
    assert (counts["tables"], counts["rows"]) == (3, 3)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (READ.replace(b"a b\t2", b"a b\t1"), 65),
        (READ.replace(b"\t77", b"\t78"), 65),
        (READ.replace(b"\t77", b"\tNULL"), 65),
        (READ.replace(b"kb.c", b"kb.d"), 65),
        (READ + b"kb.z\t1\nkb.z\t1\n", 65),
        (b"\n".join(READ.splitlines()[:3]), 1),
        (b"", 1),
        (READ.replace(b"kb.c\t0\nkb.c", b"kb.c\t0\nkb.x"), 1),
        (b"\xff\xfe", 1),
    ],
)
def test_another_count_is_damage_and_half_a_reading_says_nothing(
    tmp_path: Path, content: bytes, code: int
) -> None:
    (tmp_path / tables.READ).write_bytes(READ)
    assert tables.main("", [str(tmp_path)]) == 0
    (tmp_path / tables.READ).write_bytes(content)
    assert tables.main("", [str(tmp_path)]) == code


def test_the_password_is_in_the_input_of_the_member_and_in_no_argument() -> None:
    secret = SITE.secret("MARIADB_ROOT_PASSWORD").reveal()
    source = galera.choose(SITE, members(SYNCED, SYNCED, SYNCED))
    works = (
        *galera.fill(SITE, source, "image", "/folder"),
        *galera.prove("/folder", "image"),
    )
    assert [work.of.stdin for work in works if work.of] == [f"{secret}\n"]
    words = [word for work in works for word in (*work.argv, *(work.of.argv if work.of else ()))]
    assert not [word for word in words if secret in word]
    assert not [work for work in works if secret in work.stdin]


def test_tables_with_versions_and_sequences_are_read_as_well() -> None:
    [proof, *_] = galera.prove("/folder", "image")
    [script] = [word for word in proof.argv if "information_schema.tables" in word]
    for kind in ("BASE TABLE", "SYSTEM VERSIONED", "SEQUENCE"):
        assert f"'{kind}'" in script
