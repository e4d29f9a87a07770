"""Secrets that no store knows are masked by rule, wherever a host says them, and nothing else is."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.agent.guard.marks import MASK, mark, same, unmarked
from keybuzz.transport.said.patterns import rules
from keybuzz.transport.said.veil import Veil, is_secret_name

SECRET = "tIs7kQz0Wm9bX2Lr"
KEY = b"k" * 32
VEIL = Veil(KEY)

LINES = (
    f"requirepass {SECRET}",
    f'requirepass "{SECRET}"',
    f"masterauth {SECRET}",
    f"sentinel auth-pass kb-redis-master {SECRET}",
    f"redis-server --port 6379 --requirepass {SECRET} --masterauth {SECRET}",
    f"redis-cli -h 10.0.0.123 -a {SECRET} PING",
    f"mysql -uroot -p{SECRET} -e 'SHOW STATUS'",
    f"curl -s -u admin:{SECRET} http://10.0.0.126:15672/api/nodes",
    f"mc alias set minio http://10.0.0.134:9000 admin {SECRET}",
    f"docker exec rabbitmq rabbitmqctl add_user kb_rmq {SECRET}",
    f"sshpass -p {SECRET} ssh root@10.0.0.120",
    f"postgresql://kb_app:{SECRET}@10.0.0.10:5432/keybuzz",
    f"redis://:{SECRET}@10.0.0.10:6379/0",
    f"amqp://kb_rmq:{SECRET}@10.0.0.10:5672/",
    f"POSTGRES_SUPERPASS={SECRET}",
    f"export PGPASSWORD={SECRET}",
    f"MINIO_ROOT_PASSWORD={SECRET}",
    f"RABBITMQ_ERLANG_COOKIE={SECRET}",
    f"K3S_TOKEN={SECRET}",
    f"    password: {SECRET}",
    f"    password: '{SECRET}'",
    f'"password": "{SECRET}"',
    f'  "Cmd": ["redis-server", "--requirepass",\n    "{SECRET}"]',
    f'"kb_app" "{SECRET}"',
    f"10.0.0.10:5432:keybuzz:kb_app:{SECRET}",
    f"tcp-check send AUTH\\ {SECRET}\\r\\n",
    f"stats auth admin:{SECRET}",
    f"user admin insecure-password {SECRET}",
    f"CREATE USER 'erpnext'@'%' IDENTIFIED BY '{SECRET}'",
    f"ALTER ROLE kb_app PASSWORD '{SECRET}'",
    f"Authorization: Bearer {SECRET}",
    f"user default on >{SECRET} ~* +@all",
    f"wsrep_sst_auth: sst_password={SECRET}",
    f"aws_secret_access_key = {SECRET}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    f"MIIE K10{'ab' * 20}::server:{SECRET}",
)
ARGUMENTS = (
    ("redis-server", "--requirepass", SECRET, "--masterauth", SECRET),
    ("redis-server", "--requirepass", f"{SECRET} with spaces"),
    ("redis-cli", "-a", SECRET, "PING"),
    ("docker", "exec", "redis", "redis-cli", "-a", SECRET),
    ("mysql", "-uroot", f"-p{SECRET}"),
    ("sentinel", "auth-pass", "kb-redis-master", SECRET),
    ("k3s", "server", "--token", SECRET),
    ("env", f"REDIS_PASSWORD={SECRET} and more"),
    ("/bin/sh", "-c", f"exec redis-server --requirepass {SECRET}"),
)
INNOCENT = (
    "pgpass: /tmp/pgpass",
    "password_encryption: scram-sha-256",
    "PasswordAuthentication no",
    "passwordauthentication no",
    "tcp-keepalive 60",
    "server redis-01 10.0.0.123:6379 check inter 2s",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOAUTH Authentication required.",
    'FATAL: password authentication failed for user "kb_app"',
    "hostkey /etc/ssh/ssh_host_ed25519_key",
    "http://10.0.0.134:9000/data",
    "requirepass_matches: True",
    "listen_addresses: 0.0.0.0",
    "group: keybuzz",
    "eth0 has 02:42:ac:11:00:02",
    '"address": "2001:470:1f0b:1234::1"',
    "fe80::1:2:3/64",
    "at 10:20:30:40:50",
)


@pytest.mark.parametrize("line", LINES)
def test_a_secret_in_a_text_is_masked(line: str) -> None:
    shown = VEIL.value({"stdout": f"before\n{line}\nafter"})["stdout"]
    assert SECRET not in shown
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter")
    assert VEIL.text(shown) == shown, "masked twice it is the same"
    assert MASK in unmarked(shown)


@pytest.mark.parametrize("words", ARGUMENTS)
def test_a_secret_among_arguments_is_masked(words: tuple[str, ...]) -> None:
    shown = VEIL.arguments(words)
    assert len(shown) == len(words)
    assert all("and more" not in word and "spaces" not in word for word in shown)
    assert SECRET not in json.dumps(shown)


@pytest.mark.parametrize(
    "line",
    ["masterauth is not set, requirepass does not match", "ERR AUTH failed: no password is set"],
)
def test_a_sentence_about_a_setting_keeps_its_words(line: str) -> None:
    assert VEIL.text(line) == line


@pytest.mark.parametrize("size", [2_000, 200_000])
def test_a_long_word_beside_a_url_is_read_once(size: int) -> None:
    """A scheme that may begin at each letter took minutes for one line of base64."""
    text = f"{'a' * size} x1http://user:{SECRET}@host/ 1ftp://user:{SECRET}@host"
    shown = unmarked(VEIL.text(text))
    assert shown == f"{'a' * size} x1http://user:{MASK}@host/ 1ftp://user:{MASK}@host"


@pytest.mark.parametrize("size", [2_000, 200_000])
def test_a_row_of_backslashes_is_read_once(size: int) -> None:
    """JSON within JSON doubles them; a search that began at each of them took minutes for one line."""
    text = "\\" * size + f'x \\"kb_app\\" \\"{SECRET}\\"'
    assert unmarked(VEIL.text(text)) == text.replace(SECRET, MASK)


def test_a_list_below_a_secret_name_hides_its_texts_whatever_else_it_holds() -> None:
    shown = VEIL.value({"password": [SECRET, 1, [SECRET]]})
    assert SECRET not in str(shown)
    assert shown["password"][1] == 1


@pytest.mark.parametrize("part", ["eyJaaaaaaaaaa-", "mysql-", "mariadb-", "redis-cli-"])
def test_a_row_of_what_begins_a_secret_is_read_once(part: str) -> None:
    """A search that began at each of them took hours for what one host may say."""
    text = part * 20_000
    assert VEIL.text(text) == text


@pytest.mark.parametrize("line", INNOCENT)
def test_what_is_no_secret_stays(line: str) -> None:
    assert VEIL.text(line) == line
    assert VEIL.arguments(line.split()) == line.split()


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("POSTGRES_SUPERPASS", True),
        ("rootPassword", True),
        ("authPass", True),
        ("erlang_cookie", True),
        ("MINIO_SECRET_KEY", True),
        ("token", True),
        ("pgpass", False),
        ("password_file", False),
        ("password_encryption", False),
        ("primary_key", False),
        ("requirepass_matches", False),
        ("bypass", False),
    ],
)
def test_a_name_tells_by_its_end(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_values_of_json_are_masked_by_their_names() -> None:
    said = {"env": {"DB_PASSWORD": SECRET, "DB_HOST": "10.0.0.10"}, "seen": True, "count": 3}
    shown = VEIL.value(said)
    assert shown["env"]["DB_HOST"] == "10.0.0.10"
    assert (shown["seen"], shown["count"]) == (True, 3)
    assert SECRET not in json.dumps(shown)


def test_two_secrets_have_two_marks_and_one_has_one() -> None:
    first, again, other = (VEIL.text(f"requirepass {s}") for s in (SECRET, SECRET, "other-secret"))
    assert first == again != other
    assert unmarked(first) == unmarked(other) == f"requirepass {MASK}"
    assert Veil(b"another key").text(f"requirepass {SECRET}") != first


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_a_masked_list_is_recognised_on_the_host(words: list[str]) -> None:
    given_words = ["redis-server", *words, "--requirepass", SECRET]
    shown = VEIL.arguments(given_words)
    assert same(shown, given_words, KEY)
    if not any("‹" in word for word in words):
        assert not same(shown, [*given_words[:-1], SECRET + "x"], KEY)
    assert not same(shown, given_words[:-1], KEY)


def test_a_known_secret_is_masked_without_a_digest_and_matches_any() -> None:
    assert same(f"a {MASK} b", "a what ever b", KEY)
    assert not same(f"a {MASK} b", "a what ever c", KEY)
    assert same(f"{MASK}", SECRET, KEY)
    assert same(f"x {mark(SECRET, KEY)} y {MASK}", f"x {SECRET} y z", KEY)
    assert not same(f"x {mark(SECRET, KEY)} y", f"x {SECRET}! y", KEY)


@given(st.lists(st.sampled_from((*LINES, *INNOCENT)), min_size=1, max_size=4), st.randoms())
def test_a_pattern_that_is_left_out_matches_nothing(lines: list[str], random: Random) -> None:
    """Each pattern is tried only where its clues are: without them it must find nothing."""
    cut = [line[random.randrange(len(line)) :] for line in lines]
    for text in ("\n".join(lines), " ".join(cut), "\n".join(cut).swapcase()):
        for clues, pattern in rules():
            if not any(clue in text.lower() for clue in clues):
                assert pattern.search(text) is None, (text, pattern.pattern)


@given(
    st.lists(
        st.sampled_from(
            (
                *LINES,
                *INNOCENT,
                "password",
                "Pass",
                "ſecret",
                "api.key",
                "x",
                "‹",
                *" \t\n\r-.=:;,\"'",
            )
        ),
        max_size=12,
    )
)
def test_a_look_behind_the_word_leaves_every_match_of_a_name_as_it_is(pieces: list[str]) -> None:
    text = "".join(pieces)
    looking = 0
    for _, pattern in rules():
        plain = re.sub(r"\(\?=\[\\w\.-\]\+\+.*?\)(?=\(\?P<n>)", "", pattern.pattern)
        looking += plain != pattern.pattern
        found = [match.span("v") for match in pattern.finditer(text)]
        assert found == [match.span("v") for match in re.finditer(plain, text)]
    assert looking == 4


@pytest.mark.parametrize(
    "name", [".erlang.cookie", "node-token", "agent-token", ".pgpass", "k3s_token.txt"]
)
def test_files_are_secret_as_a_whole_where_a_module_says_so(name: str) -> None:
    assert Veil().file(f"/var/lib/{name}", "ABCDEFGH") == MASK
    assert Veil().file(f"/var/lib/{name}.conf", "ABCDEFGH") == "ABCDEFGH"
