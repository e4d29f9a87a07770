"""The credential store: data and never shell, for its owner only, and never overwritten (SEC-1)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.site.credentials.schema import Credential, find, schema
from keybuzz.site.credentials.store import (
    create_missing,
    hidden,
    load_credentials,
    put_values,
)
from tests.unit.support.site_values import NAMES, PASSWORDS, hostile_secrets

GOOD = "POSTGRES_SUPERPASS=0123456789abcdef"


FILES = {credential.name: credential.file for credential in schema()}


def written(
    folder: Path, content: str | bytes, mode: int = 0o600, file: str = "postgres.env"
) -> Path:
    path = folder / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_credentials(folder)
    return str(caught.value)


def test_values_are_taken_as_they_stand(tmp_path: Path) -> None:
    text = f"# a comment\n\n{GOOD}\nPOSTGRES_APP_PASS='$(id)' \"x\" # y=z \\n\n"
    written(tmp_path, text)
    found = load_credentials(tmp_path)
    assert found["POSTGRES_SUPERPASS"].reveal() == "0123456789abcdef"
    assert found["POSTGRES_APP_PASS"].reveal() == "'$(id)' \"x\" # y=z \\n"
    assert set(found) == {"POSTGRES_SUPERPASS", "POSTGRES_APP_PASS"}


@given(value=hostile_secrets)
def test_a_hostile_value_is_kept_exactly(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    folder = tmp_path_factory.mktemp("store")
    written(folder, f"POSTGRES_APP_PASS={value}\n")
    assert load_credentials(folder)["POSTGRES_APP_PASS"].reveal() == value


def test_no_folder_and_no_file_is_an_empty_store(tmp_path: Path) -> None:
    assert load_credentials(tmp_path / "nothing") == {}
    assert load_credentials(tmp_path) == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o601, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, GOOD, mode)
    assert f"{path}:1: others may read it (SEC-1) → chmod 600 {path}" in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(written(tmp_path, GOOD), 65534, 65534)
    assert "chown root:root" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("export POSTGRES_APP_USER=kb_app", "is not NAME=value"),
        (" POSTGRES_APP_USER=kb_app", "is not NAME=value"),
        ("POSTGRES_APP_USER =kb_app", "is not NAME=value"),
        ("postgres_app_user=kb_app", "is not NAME=value"),
        ("POSTGRES_APP_USER", "is not NAME=value"),
        ("POSTGRES_APP_USER=kb_app\r", "is not NAME=value"),
        ("rm -rf /", "is not NAME=value"),
        (GOOD, "POSTGRES_SUPERPASS stands here twice"),
        ("POSTGRES_APP_PASS=0123456789abcdef\t", "not printable"),
        ("POSTGRES_APP_PASS=0123456789abcdef\x1b[2J", "not printable"),
        ("POSTGRES_APP_PASS=0123456789abcdef\u2028", "not printable"),
        ("POSTGRES_APP_PASS=0123456789abcdef\u202e", "not printable"),
    ],
)
def test_a_line_that_is_not_data_is_named(tmp_path: Path, line: str, what: str) -> None:
    path = written(tmp_path, f"{GOOD}\n{line}\n")
    message = refusal(tmp_path)
    assert f"{path}:2: " in message
    assert what in message
    assert "0123456789" not in message


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password_too_short_to_be_masked_is_refused(tmp_path: Path, name: str) -> None:
    written(tmp_path, f"{name}=1234567\n", file=FILES[name])
    message = refusal(tmp_path)
    assert f"{name} is shorter than 8" in message
    assert "12345" not in message
    written(tmp_path, f"{name}=\n", file=FILES[name])
    assert f"{name} is shorter than 8" in refusal(tmp_path)
    written(tmp_path, f"{name}=12345678\n", file=FILES[name])
    assert name in load_credentials(tmp_path)


@pytest.mark.parametrize("value", ["keybuzz", "Admin", "rabbitmq"])
def test_a_delivered_password_masks_no_name_in_an_answer(value: str) -> None:
    """It is what an old service was left with, and a word of every answer: with it masked nothing could be compared."""
    name = "RABBITMQ_PASSWORD"
    assert hidden({name: Secret(name, value)}) == ()
    assert len(hidden({name: Secret(name, f"{value}-1x")})) == 1


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"REDIS_SENTINEL_QUORUM"}))
@pytest.mark.parametrize("value", ["", "two words", "a: b", "a#b", "é", "1st", "-x", "a" * 64, "'"])
def test_a_name_that_can_not_be_quoted_everywhere_is_refused(
    tmp_path: Path, name: str, value: str
) -> None:
    """pg_hba.conf and CREATE ROLE take names in places where a hostile one would say something else."""
    written(tmp_path, f"{name}={value}\n", file=FILES[name])
    assert f"{name} is no name" in refusal(tmp_path)


@pytest.mark.parametrize("value", ["", "0", "two", "-1", "2 ", "100"])
def test_a_quorum_is_a_number(tmp_path: Path, value: str) -> None:
    written(tmp_path, f"REDIS_SENTINEL_QUORUM={value}\n", file="redis.env")
    assert "REDIS_SENTINEL_QUORUM is no number" in refusal(tmp_path)


def test_another_name_is_read_and_the_schemas_name_is_what_counts(tmp_path: Path) -> None:
    text = "RABBITMQ_DEFAULT_USER=mine\nRABBITMQ_DEFAULT_PASS=0123456789abcdef\n"
    written(tmp_path, text, file="rabbitmq.env")
    assert set(load_credentials(tmp_path)) == {"RABBITMQ_USER", "RABBITMQ_PASSWORD"}
    assert not {"RABBITMQ_USER", "RABBITMQ_PASSWORD"} & set(create_missing(tmp_path))
    written(tmp_path, f"{text}RABBITMQ_USER=other\n", file="rabbitmq.env")
    assert "RABBITMQ_USER stands here twice" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("POSTGRES_SUPERUSER_PASSWORD", "is not known → did you mean POSTGRES_SUPER"),
        ("REDIS_PASSWORD", "belongs into redis.env"),
    ],
)
def test_a_name_that_no_reader_would_find_is_refused(tmp_path: Path, name: str, what: str) -> None:
    """Writer and reader once had two names: tests were skipped in silence."""
    written(tmp_path, f"{name}=0123456789abcdef\n")
    assert f"{name} {what}" in refusal(tmp_path)


def test_bytes_that_are_no_text_are_refused_instead_of_replaced(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.encode() + b"\nPOSTGRES_APP_PASS=0123456789abcdef\xe9\n")
    assert f"{path}:2: is not UTF-8" in refusal(tmp_path)


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    written(tmp_path, "export A=1\nPOSTGRES_APP_PASS=short\nB\n")
    message = refusal(tmp_path)
    assert message.count("\n") == 2
    assert ":1: is not NAME=value" in message
    assert ":3: is not NAME=value" in message


def test_a_new_store_is_complete_private_and_random(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    created = create_missing(one)
    create_missing(two)
    assert set(created) == {credential.name for credential in schema()}
    assert stat.S_IMODE(one.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in one.iterdir()} == {0o600}
    assert {path.name for path in one.iterdir()} == set(FILES.values())
    first, second = load_credentials(one), load_credentials(two)
    for credential in schema():
        value = first[credential.name].reveal()
        if credential.default:
            assert value == credential.default
        else:
            assert len(value) == credential.length >= credential.minimum
            assert value != second[credential.name].reveal()


def test_creating_again_changes_nothing(tmp_path: Path) -> None:
    create_missing(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert create_missing(tmp_path) == ()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_there_stays_byte_for_byte(tmp_path: Path) -> None:
    text = f"# by hand\n{GOOD}\nPOSTGRES_APP_USER=mine"
    path = written(tmp_path, text)
    created = create_missing(tmp_path)
    assert "POSTGRES_SUPERPASS" not in created
    assert "POSTGRES_APP_USER" not in created
    assert path.read_text().startswith(text + "\n")
    found = load_credentials(tmp_path)
    assert found["POSTGRES_APP_USER"].reveal() == "mine"
    assert set(found) == {credential.name for credential in schema()}


def test_a_store_with_a_problem_is_not_added_to(tmp_path: Path) -> None:
    path = written(tmp_path, "export X=1\n")
    with pytest.raises(InputError):
        create_missing(tmp_path)
    assert path.read_text() == "export X=1\n"


def test_each_file_of_the_schema_is_made(tmp_path: Path) -> None:
    schema = (Credential("A_PASS", "a.env"), Credential("B_USER", "b.env", "me"))
    assert create_missing(tmp_path, schema) == ("A_PASS", "B_USER")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.env", "b.env"]
    assert (tmp_path / "b.env").read_text() == "B_USER=me\n"


def values(**clear: str) -> dict[Credential, Secret]:
    found = {name: find(name) for name in clear}
    return {item: Secret(name, clear[name]) for name, item in found.items() if item is not None}


def test_values_are_put_in_their_line_and_all_others_stay(tmp_path: Path) -> None:
    kept = written(tmp_path, f"# mine\n{GOOD}\nPOSTGRES_APP_PASS=old-old-old-old-old\n\n# end")
    old = "RABBITMQ_DEFAULT_PASS=old-old-old-old-old\nRABBITMQ_USER=kb\n"
    alias = written(tmp_path, old, file="rabbitmq.env")
    new = "new\\1&new-new-new"
    put_values(
        tmp_path,
        values(
            POSTGRES_APP_PASS=new, PATRONI_API_PASSWORD=new, RABBITMQ_PASSWORD=new, K3S_TOKEN=new
        ),
    )
    end = f"PATRONI_API_PASSWORD={new}\n"
    assert kept.read_text() == f"# mine\n{GOOD}\nPOSTGRES_APP_PASS={new}\n\n# end\n{end}"
    assert alias.read_text() == f"RABBITMQ_PASSWORD={new}\nRABBITMQ_USER=kb\n"
    assert (tmp_path / "k3s.env").read_text() == f"K3S_TOKEN={new}\n"
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_variable_that_stands_there_twice_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    twice = written(tmp_path, "RABBITMQ_PASSWORD=a\nRABBITMQ_DEFAULT_PASS=b\n", file="rabbitmq.env")
    other = written(tmp_path, f"{GOOD}\n")
    before = (twice.read_bytes(), other.read_bytes())
    with pytest.raises(InputError, match="once"):
        put_values(tmp_path, values(POSTGRES_SUPERPASS="x" * 16, RABBITMQ_PASSWORD="y" * 16))
    assert (twice.read_bytes(), other.read_bytes()) == before


def test_values_make_a_store_where_there_is_none(tmp_path: Path) -> None:
    put_values(tmp_path / "store", values(K3S_TOKEN="t" * 48))
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    assert load_credentials(tmp_path / "store")["K3S_TOKEN"].reveal() == "t" * 48
