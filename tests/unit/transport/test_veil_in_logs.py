"""Spellings of secrets as daemons, clients and libraries write them into their logs; @@ is the secret."""

from __future__ import annotations

import json

import pytest

from keybuzz.transport.said.veil import Veil

SECRETS = ("Zq7Real0Life9PwX4", "p@ss/W0rd+9=Xy7", "h8#nL4$kQ2!vT6")
VEIL = Veil(b"k" * 32)

LOGS = (
    # a name in another colour than the sign behind it: logrus, winston, structlog
    "\x1b[36mINFO\x1b[0m[0001] opened \x1b[36mpassword\x1b[0m=@@",
    "\x1b[01;31m\x1b[Kpassword\x1b[m\x1b[K=@@",
    "\x1b[38:5:1mpassword\x1b[0m=@@",
    "\x1b[34mpassword\x1b[0m: \x1b[32m@@\x1b[0m",
    r'{"log":"\u001b[36mpassword\u001b[0m=@@\n"}',
    # headers
    "Cookie: theme=dark; sessionid=@@",
    "Set-Cookie: sid=@@; Path=/; HttpOnly",
    '{"headers": {"set-cookie": ["sid=@@; Path=/"]}}',
    '{"headers": ["authorization", "Bearer @@"]}',
    "map[Accept:[*/*] Authorization:[Bearer @@]]",
    # values of languages
    '{password,<<"@@">>}',
    '[{default_user,"x"},{default_pass,"@@"}]',
    "{password,'@@'}",
    '#{password => <<"@@">>}',
    ':password=>"@@"',
    "connect(user='x', password=b'@@')",
    'password = """@@"""',
    '{"password": ["x", "@@"]}',
    "password: |\n      first line\n      @@\n      last line",
    # statements
    "ALTER ROLE app PASSWORD E'@@'",
    "SET PASSWORD FOR 'app'@'%' = '@@'",
    "SET PASSWORD = '@@'",
    # Redis and its kin
    "AUTH default @@",
    "HELLO 3 AUTH default @@",
    "HELLO 3 AUTH default @@ SETNAME app",
    '1339518083.107412 [0 127.0.0.1:60866] "auth" "@@"',
    '1339518083.107412 [0 127.0.0.1:60866] "AUTH" "default" "@@"',
    # others
    "WSREP_SST: wsrep_sst_mariabackup --role donor --auth 'sst:@@' --datadir /x",
    "    client-key-data: @@",
    '{"users": [{"name": "app", "password_hash": "@@"}]}',
    "k3s agent -t @@",
    "MOT_DE_PASSE=@@",
    "DB_MDP=@@",
    "FERNET_KEY=@@",
    '<add key="Password" value="@@"/>',
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n@@\n-----END PGP PRIVATE KEY BLOCK-----",
)
FORMS = (
    "admin:$apr1$saltsalt$@@",
    "admin:$2y$05$@@ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
    "root:$6$rounds=5000$saltsalt$@@:19000:0:99999:7:::",
    "app:$y$j9T$saltsalt$@@:19000::::::",
    "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$@@",
    "admin:{SHA}@@=",
    "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.@@",
    "cloning with ghp_@@ABCDEFGHIJKLMNOP",
    "posting to https://hooks.slack.com/services/T000/B000/@@",
    "GET /bucket/object?X-Amz-Expires=60&X-Amz-Signature=@@",
    "app:@@@tcp(10.0.0.10:3306)/keybuzz",
    "body=user%3Dapp%26password%3D@@",
    "answered to Bearer @@",
)
FORMED = "Zq7Real0Life9PwX4Zq7Real0Life9P"
INNOCENT = (
    "rewrite ^/(.*)$ http://x/$1$is_args$args",
    "set-cookie: none",
    "cookie hash : none",
    "the bearer authentication-scheme is used",
    '{"secret": []}',
    "\x1b[32mready\x1b[0m",
    "{timeout,5000}",
)


def _leaks(shown: str, secret: str) -> bool:
    return any(secret[at : at + 5] in shown for at in range(len(secret) - 4))


@pytest.mark.parametrize("case", LOGS)
def test_no_line_of_a_log_shows_its_secret(case: str) -> None:
    for secret in SECRETS:
        text = f"first\n{case.replace('@@', secret)}\nlast"
        shown = VEIL.text(text)
        assert not _leaks(shown, secret)
        assert not _leaks(json.dumps(VEIL.value({"stdout": text})), secret)
        assert shown.startswith("first\n")
        assert shown.endswith("\nlast")
        assert VEIL.text(shown) == shown, "masked twice it is the same"


@pytest.mark.parametrize("case", FORMS)
def test_a_secret_is_known_by_its_form(case: str) -> None:
    shown = VEIL.text(f"first\n{case.replace('@@', FORMED)}\nlast")
    assert not _leaks(shown, FORMED)
    assert VEIL.text(shown) == shown


@pytest.mark.parametrize("line", INNOCENT)
def test_what_only_looks_like_one_stays(line: str) -> None:
    assert "‹" not in VEIL.text(f"first\n{line}\nlast")
    assert line in VEIL.text(f"first\n{line}\nlast")


def test_a_list_under_the_name_of_a_secret_is_masked() -> None:
    shown = VEIL.value({"set-cookie": [f"sid={FORMED}; Path=/"], "token": [FORMED]})
    assert FORMED not in json.dumps(shown)
    assert len(shown["set-cookie"]) == len(shown["token"]) == 1
