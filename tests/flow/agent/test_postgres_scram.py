"""SCRAM verifiers against published vectors and PostgreSQL's own, and the quoting of hostile values."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.agent.runtime.errors import AgentError
from tasks.patroni.agent.postgres import _verifier, identifier, literal, matches, verifier
from tasks.patroni.agent.saslprep import saslprep

# RFC 7677, section 3: user "user", password "pencil".
CLIENT_FIRST = "n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

MADE_BY_POSTGRESQL = {
    "pencil": "SCRAM-SHA-256$4096:owLKPJrPQBiOJEZtmjNmJg==$"
    "MoxVp0zAEL5WywIM4avj7iZmV8uJEQeQd4Bm6szUOv4=:nWsXxLoxEu2FYuLf9seXXOCWwuD76zXux55uDg7BQ98=",
    "\u2168": "SCRAM-SHA-256$4096:2j4Vu5+RdUbZoKzomVm64A==$"
    "83NWQLtmuInQ33VlCyIcuD9smRMbuxxYuUJN+6bfPvc=:iUZEgSv/1LZxggZbLVXR9F/Qq5VZs8mOUv3bYJDv+zI=",
    "e\u0301": "SCRAM-SHA-256$4096:R2leO2jiqgP6MBl7kzTC8A==$"
    "cD70h0mU5vNTbRGTVWYG3DC+mK6e7/omBrj1ywwl1FI=:MOGcKDcVKOEBRze3LhG0gYB3IHkIvmtz0DhrcqMW4A8=",
    # From PostgreSQL's own regression tests (password.sql), for the empty password.
    "": "SCRAM-SHA-256$4096:hpFyHTUsSWcR7O9P$"
    "LgZFIt6Oqdo27ZFKbZ2nV+vtnYM995pDh9ca6WSi120=:qVV5NeluNfUPkwm7Vqat25RjSPLkGeoZBQs6wVv+um4=",
}
PASSWORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def test_the_keys_are_those_of_the_published_exchange() -> None:
    made = _verifier("pencil", base64.b64decode(SALT), 4096)
    head, keys = made.rsplit("$", 1)
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))
    assert head == f"SCRAM-SHA-256$4096:{SALT}"
    message = f"{CLIENT_FIRST},{NONCE},s={SALT},i=4096,c=biws,{NONCE}".encode()
    signature = hmac.digest(stored_key, message, "sha256")
    proof = base64.b64decode(PROOF)
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key
    assert base64.b64encode(hmac.digest(server_key, message, "sha256")).decode() == SERVER_SIGNATURE


@pytest.mark.parametrize(("password", "stored"), MADE_BY_POSTGRESQL.items())
def test_what_postgresql_stored_is_recognized(password: str, stored: str) -> None:
    assert matches(password, stored)
    for other in (password + " ", password.upper() + "x", "pencil2"):
        assert not matches(other, stored)


@given(PASSWORDS, PASSWORDS)
@settings(max_examples=60, deadline=None)
def test_a_password_matches_its_own_verifier_only(password: str, other: str) -> None:
    made = verifier(password)
    assert re.fullmatch(r"SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}=", made)
    assert matches(password, made)
    assert matches(other, made) == (saslprep(other) == saslprep(password))
    assert verifier(password) != made  # another salt


@given(st.text() | st.from_regex(r"SCRAM-SHA-256\$-?\d{1,3}:\w*={0,2}\$\w*:\w*", fullmatch=True))
@settings(deadline=None)
def test_what_is_no_verifier_matches_nothing_and_raises_nothing(stored: str) -> None:
    assert not matches("pencil", stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "md585939a5ce845f1a1b620742e3c659e0a",
        "pencil",
        f"SCRAM-SHA-256$0:{SALT}$a:b",
        f"SCRAM-SHA-256$99999999999999999999:{SALT}$a:b",
        f"SCRAM-SHA-256$1:{SALT}$é:é",
        MADE_BY_POSTGRESQL["pencil"].replace("SHA-256", "SHA-512"),
        MADE_BY_POSTGRESQL["pencil"].replace("4096", "4095"),
        MADE_BY_POSTGRESQL["pencil"] + "x",
    ],
)
def test_a_foreign_or_broken_verifier_does_not_match(stored: str) -> None:
    assert not matches("pencil", stored)


@pytest.mark.parametrize(
    ("password", "normal"),
    [
        # RFC 4013, section 3
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", "\u0007"),  # PostgreSQL leaves ASCII alone
        ("\u0627\u0031", "\u0627\u0031"),  # forbidden by its directions: used as it is
        ("\u00e9\u0007", "\u00e9\u0007"),
        ("\u00ad", "\u00ad"),
        ("a\u00a0b", "a b"),
        ("\u200bé", " é"),  # stands in two tables; PostgreSQL makes it a space
    ],
)
def test_passwords_are_normalized_like_postgresql_does(password: str, normal: str) -> None:
    assert saslprep(password) == normal


HOSTILE = [
    ("", "E''"),
    ("it's", "E'it''s'"),
    ("'; drop table x; --", "E'''; drop table x; --'"),
    ("\\'; drop table x; --", "E'\\\\''; drop table x; --'"),
    ("\\", "E'\\\\'"),
    ("\n\\! touch /x\n", "E'\n\\\\! touch /x\n'"),
]


@pytest.mark.parametrize(("text", "quoted"), HOSTILE)
def test_a_hostile_value_stays_a_value(text: str, quoted: str) -> None:
    assert literal(text) == quoted


@given(st.text())
def test_any_text_is_one_literal_and_one_identifier(text: str) -> None:
    if "\0" in text:
        for quote in (literal, identifier):
            with pytest.raises(AgentError, match="NUL"):
                quote(text)
        return
    assert _read_literal(literal(text)) == text
    inside = identifier(text)[1:-1]
    assert '"' not in inside.replace('""', "")
    assert inside.replace('""', '"') == text


def _read_literal(quoted: str) -> str:
    """Read E'…' as PostgreSQL does: a pair of quotes or of backslashes is one, nothing else is special."""
    assert quoted[:2] == "E'"
    text, position = "", 2
    while (character := quoted[position]) not in "'\\" or quoted[position + 1 : position + 2]:
        if character in "'\\":
            assert quoted[position + 1] == character
            position += 1
        text += character
        position += 1
    assert quoted[position:] == "'"
    return text
