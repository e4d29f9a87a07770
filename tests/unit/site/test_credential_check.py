"""`kbz secrets check` sees every way in which a store can betray its secrets, and shows none of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keybuzz.site.credentials.check import check_store, is_default
from keybuzz.site.credentials.file import StoreProblem
from keybuzz.site.credentials.schema import EXTERNAL_FILES, files, find, schema, vault_paths
from keybuzz.site.credentials.store import create_missing, load_credentials


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    create_missing(folder)
    return folder


def broken(folder: Path) -> list[StoreProblem]:
    return [problem for problem in check_store(folder) if not problem.warning]


def put(folder: Path, name: str, value: str) -> str:
    """Give a variable a value; return `file:line` of its place."""
    item = find(name)
    assert item is not None
    path = folder / item.file
    lines = path.read_text().split("\n")
    [number] = [n for n, line in enumerate(lines) if line.startswith(f"{name}=")]
    lines[number] = f"{name}={value}"
    path.write_text("\n".join(lines))
    return f"{path}:{number + 1}: "


def test_a_fresh_store_is_sound_and_only_the_applications_files_are_missing(store: Path) -> None:
    found = check_store(store)
    assert [problem.path.name for problem in found] == list(EXTERNAL_FILES)
    assert all(problem.warning and problem.rule == "missing" for problem in found)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"k7Qm2xV9tR4wZ8nB1yL5"', "is in quotes"),
        ("'k7Qm2xV9tR4wZ8nB1yL5'", "is in quotes"),
        ("k7Qm2xV9tR4wZ8nB1yL5 # of May", "has a comment behind it"),
        ("k7Qm2xV9tR4wZ8nB1yL5 ", "begins or ends with a blank"),
        ("$(openssl rand -hex 16)", "has a $ or a backtick"),
        ("k7Qm2xV9`date`tR4wZ8nB1yL5", "has a $ or a backtick"),
        ("k7Qm2xV9tR4w${X}Z8nB1yL5", "has a $ or a backtick"),
        ("k7Qm2xV9tR4w\\$Z8nB1yL5", "has a backslash"),
    ],
)
def test_what_a_shell_would_have_dropped_is_told_and_not_shown(
    store: Path, value: str, said: str
) -> None:
    place = put(store, "REDIS_PASSWORD", value)
    [problem] = [problem for problem in broken(store) if problem.rule == "shell"]
    assert str(problem).startswith(f"{place}REDIS_PASSWORD {said}")
    assert "k7Qm2xV9" not in str(problem)
    assert "openssl" not in str(problem)


@pytest.mark.parametrize(
    "value", ["k7Qm2xV9#R4wZ8nB1yL5", "k7Qm2xV9'R4wZ8nB\"1yL5", "k7Qm$2xV9R4wZ8nB1yL5"]
)
def test_signs_that_no_shell_drops_there_are_free(store: Path, value: str) -> None:
    put(store, "REDIS_PASSWORD", value)
    assert broken(store) == []


@pytest.mark.parametrize(("quorum", "bad"), [("1", False), ("3", False), ("4", True), ("12", True)])
def test_a_quorum_above_the_number_of_sentinels(store: Path, quorum: str, bad: bool) -> None:
    place = put(store, "REDIS_SENTINEL_QUORUM", quorum)
    found = [problem for problem in check_store(store, sizes={"redis": 3}) if not problem.warning]
    assert bool(found) is bad
    for problem in found:
        assert str(problem).startswith(
            f"{place}REDIS_SENTINEL_QUORUM is above the number of servers"
        )
        assert "write a majority of them: 2" in problem.hint


def test_no_folder_is_one_problem(tmp_path: Path) -> None:
    [problem] = check_store(tmp_path / "nothing")
    assert problem.rule == "missing"
    assert not problem.warning


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_folder_that_others_may_enter(store: Path, mode: int) -> None:
    store.chmod(mode)
    [problem] = broken(store)
    assert (problem.rule, problem.path) == ("mode", store)
    assert f"chmod 700 {store}" in problem.hint


@pytest.mark.parametrize("file", files())
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o700])
def test_the_mode_of_every_file_is_judged(store: Path, file: str, mode: int) -> None:
    path = store / file
    path.touch()
    path.chmod(mode)
    [problem] = broken(store)
    assert (problem.rule, problem.path) == ("mode", path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("file", ["redis.env", "stripe.env"])
def test_a_file_of_somebody_else(store: Path, file: str) -> None:
    (store / file).touch(mode=0o600)
    os.chown(store / file, 65534, 65534)
    [problem] = broken(store)
    assert "chown root:root" in problem.hint


def test_a_link_in_a_files_place(store: Path) -> None:
    (store / "redis.env").rename(store.parent / "elsewhere.env")
    (store / "redis.env").symlink_to(store.parent / "elsewhere.env")
    [problem] = broken(store)
    assert problem.what == "is no regular file (SEC-1)"


def test_the_files_of_applications_are_not_read(store: Path) -> None:
    (store / "stripe.env").touch(mode=0o600)
    (store / "stripe.env").write_bytes(b"export \xff STRIPE_SECRET_KEY='whatever'\r\n")
    assert broken(store) == []


@pytest.mark.parametrize("name", [item.name for item in schema() if item.secret])
def test_a_default_value_is_refused_wherever_it_stands(store: Path, name: str) -> None:
    place = put(store, name, "ChangeMe-ChangeMe-ChangeMe-ChangeMe")
    [problem] = broken(store)
    assert str(problem).startswith(place)
    assert problem.rule == "default"
    assert "ChangeMe" not in str(problem)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RABBITMQ_USER", "guest"),
        ("PROXYSQL_ADMIN_USER", "admin"),
        ("MINIO_ROOT_USER", "minioadmin"),
        ("MARIADB_MONITOR_USER", "monitor"),
    ],
)
def test_users_that_everybody_tries_are_refused(store: Path, name: str, value: str) -> None:
    place = put(store, name, value)
    [problem] = broken(store)
    assert str(problem).startswith(place)
    assert problem.rule == "default"


@pytest.mark.parametrize(
    "value",
    [
        "admin",
        "guest",
        "adminadminadminadmin",
        "KeyBuzz2025!",
        "1111111111111111",
        "****************",
    ],
)
def test_defaults_are_seen_through_decoration(value: str) -> None:
    assert is_default(value)


@pytest.mark.parametrize(
    "value", ["7hGadmin22kLmXq0pVz9b", "rootbeer-and-other-drinks-91", "aB3xYq"]
)
def test_what_only_holds_a_word_is_no_default(value: str) -> None:
    assert not is_default(value)


def test_a_password_that_is_its_users_name(store: Path) -> None:
    put(store, "MARIADB_APP_USER", "keybuzz_application")
    place = put(store, "MARIADB_APP_PASSWORD", "keybuzz_application")
    [problem] = broken(store)
    assert str(problem).startswith(place)


def test_one_value_for_two_variables_names_both_and_shows_neither(store: Path) -> None:
    """The FIXED script gave all users the superuser's password."""
    value = load_credentials(store)["POSTGRES_SUPERPASS"].reveal()
    own = put(store, "POSTGRES_APP_PASS", value)
    other = put(store, "REDIS_PASSWORD", value)
    found = {str(problem) for problem in broken(store)}
    assert len(found) == 2
    for place, name in ((own, "POSTGRES_APP_PASS"), (other, "REDIS_PASSWORD")):
        [line] = [text for text in found if text.startswith(place)]
        assert f"{name} has the same value as POSTGRES_SUPERPASS" in line
    assert value not in "".join(found)
    assert load_credentials(store)  # or no rotation could mend it


def test_missing_files_and_variables(store: Path) -> None:
    (store / "k3s.env").unlink()
    path = store / "redis.env"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "QUORUM" not in line))
    assert [(p.path.name, p.rule, p.what) for p in broken(store)] == [
        ("k3s.env", "missing", "is not there"),
        ("redis.env", "missing", "REDIS_SENTINEL_QUORUM is missing"),
    ]
    assert set(create_missing(store)) == {"K3S_TOKEN", "REDIS_SENTINEL_QUORUM"}
    assert broken(store) == []


def test_what_older_scripts_left(store: Path) -> None:
    (store / "k3s_token.txt").write_text("x")
    (store / "redis.env.bak").write_text("x")
    (store / "redis.env").write_bytes((store / "redis.env").read_bytes().replace(b"\n", b"\r\n"))
    found = broken(store)
    by_file = {problem.path.name: problem for problem in found}
    assert "k3s.env" in by_file["k3s_token.txt"].hint
    assert by_file["redis.env.bak"].rule == "stray-file"
    crlf = [problem for problem in found if problem.path.name == "redis.env"]
    assert "CRLF" in crlf[0].hint
    assert crlf[0].line == 1


def test_another_name_is_a_warning(store: Path) -> None:
    path = store / "mariadb.env"
    path.write_text(path.read_text().replace("MARIADB_DB=", "MARIADB_APP_DATABASE="))
    assert broken(store) == []
    [warning] = [problem for problem in check_store(store) if problem.rule == "alias"]
    assert warning.hint == "write MARIADB_DB"


def test_the_plan_for_vault_names_every_variable_once(store: Path) -> None:
    paths = vault_paths(schema())
    names = [name for found in paths.values() for name in found]
    assert len(names) == len(set(names))
    assert {item.name for item in schema()} <= set(names)
    assert "POSTGRES_APP_PASS" in paths["secret/keybuzz/global/postgres"]
    assert "secret/keybuzz/tenant_<ID>/marketplaces" in paths


def test_every_secret_has_consumers_that_are_groups_of_the_fleet() -> None:
    from tests.unit.support.inventory_files import real_catalogue

    for item in schema():
        assert item.consumers
        for group in item.consumers:
            assert real_catalogue().group(group).name == group
