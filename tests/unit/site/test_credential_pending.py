"""The value that a rotation brings in survives every moment at which the rotation can be cut off."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.site.credentials.check import check_store
from keybuzz.site.credentials.pending import begin, forget, pending, switch
from keybuzz.site.credentials.schema import Credential, find
from keybuzz.site.credentials.store import create_missing, load_credentials


def item(name: str) -> Credential:
    found = find(name)
    assert found is not None
    return found


APP = item("POSTGRES_APP_PASS")
REPLICATION = item("POSTGRES_REPL_PASS")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    create_missing(folder)
    return folder


def test_a_begun_value_is_kept_private_and_stays_the_same(store: Path) -> None:
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    assert pending(store, APP) is None
    new = begin(store, APP)
    path = store / "postgres.env.next"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"POSTGRES_APP_PASS__NEXT={new.reveal()}\n"
    assert begin(store, APP) == new == pending(store, APP)
    assert new != load_credentials(store)["POSTGRES_APP_PASS"]
    assert before.items() <= {path.name: path.read_bytes() for path in store.iterdir()}.items()
    assert [problem.rule for problem in check_store(store) if problem.rule == "pending"]


def test_two_rotations_of_one_file_do_not_know_each_other(store: Path) -> None:
    one, two = begin(store, APP), begin(store, REPLICATION)
    switch(store, APP)
    forget(store, APP)
    assert pending(store, APP) is None
    assert pending(store, REPLICATION) == two
    switch(store, REPLICATION)
    forget(store, REPLICATION)
    found = load_credentials(store)
    assert (found["POSTGRES_APP_PASS"], found["POSTGRES_REPL_PASS"]) == (one, two)
    assert not (store / "postgres.env.next").exists()


def test_the_switch_changes_one_line_and_nothing_else(store: Path) -> None:
    path = store / "postgres.env"
    path.write_text(f"# by hand\n{path.read_text()}\n# end")
    old = path.read_text().split("\n")
    new = begin(store, APP)
    switch(store, APP)
    forget(store, APP)
    lines = path.read_text().split("\n")
    changed = [pair for pair in zip(old, lines, strict=True) if pair[0] != pair[1]]
    assert [after for _, after in changed] == [f"POSTGRES_APP_PASS={new.reveal()}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_switch_that_was_cut_off_before_it_forgot_is_repeated(store: Path) -> None:
    new = begin(store, APP)
    switch(store, APP)
    assert load_credentials(store)["POSTGRES_APP_PASS"] == pending(store, APP) == new
    assert begin(store, APP) == new
    switch(store, APP)
    forget(store, APP)
    assert load_credentials(store)["POSTGRES_APP_PASS"] == new
    assert not (store / "postgres.env.next").exists()


def test_another_name_becomes_the_schemas_name(store: Path) -> None:
    password = item("RABBITMQ_PASSWORD")
    path = store / "rabbitmq.env"
    path.write_text(path.read_text().replace("RABBITMQ_PASSWORD=", "RABBITMQ_DEFAULT_PASS="))
    new = begin(store, password)
    switch(store, password)
    forget(store, password)
    assert f"RABBITMQ_PASSWORD={new.reveal()}\n" in path.read_text()
    assert "DEFAULT_PASS" not in path.read_text()


@pytest.mark.parametrize("text", ["POSTGRES_APP_PASS=x\n", "junk\n", "POSTGRES_APP_PASS__NEXT=\n"])
def test_a_file_that_kbz_did_not_write_is_refused(store: Path, text: str) -> None:
    path = store / "postgres.env.next"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(InputError, match=r"postgres\.env\.next:1: is not NAME__NEXT=value"):
        begin(store, APP)


def test_a_pending_value_that_others_may_read_is_refused(store: Path) -> None:
    begin(store, APP)
    (store / "postgres.env.next").chmod(0o644)
    with pytest.raises(InputError, match="others may read it"):
        pending(store, APP)
