"""Secrets are found in every spelling that programs print them in, and nothing else is."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.content import Content, QuotedSecret
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.secret import MASK, Secret
from keybuzz.site.credentials.store import hidden

HOSTILE = 'Tr0ub4dor&3 "x" \'/\\ é%+=?'
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=16, max_size=40)


def redactor(*values: str) -> Redactor:
    return Redactor(Secret(f"S{number}", value) for number, value in enumerate(values))


def spelled(secret: str) -> dict[str, str]:
    return {
        "plain": f"password={secret};",
        "json": json.dumps({"a": secret}),
        "json, not only ASCII": json.dumps([secret], ensure_ascii=False),
        "json in json": json.dumps({"message": json.dumps({"a": secret})}),
        "url": f"postgres://kb:{quote(secret, safe='')}@h/db",
        "path": f"http://h/{quote(secret)}",
        "form": f"a=1&password={quote_plus(secret)}&b=2",
        "shell": f"psql {shlex.quote(secret)} -c x",
        "sql": "password '" + secret.replace("'", "''") + "'",
        "python": repr({"password": secret}),
        "base64": b64encode(secret.encode()).decode(),
        "base64 for URLs": urlsafe_b64encode(secret.encode()).decode(),
        "basic authentication": b64encode(f"kb:{secret}".encode()).decode(),
        "inside of base64": b64encode(f"user {secret}\nnext line\n".encode()).decode(),
    }


@pytest.mark.parametrize("spelling", spelled(""))
@pytest.mark.parametrize("secret", [HOSTILE, "g7Qe2mZ0pXv9Lr4Ts1Kd8WnYb"])
def test_no_spelling_of_a_secret_is_left(secret: str, spelling: str) -> None:
    shown = redactor(secret).text(spelled(secret)[spelling])
    assert MASK in shown
    assert not any(secret[start : start + 6] in shown for start in range(len(secret) - 5))
    whole = b64encode(secret.encode()).decode()
    assert not any(whole[start : start + 8] in shown for start in range(len(whole) - 7))


@given(PRINTABLE)
def test_any_secret_is_masked_in_any_spelling(secret: str) -> None:
    found = redactor(secret)
    for text in spelled(secret).values():
        assert MASK in found.text(text)
        assert secret not in found.text(text)


@given(st.recursive(st.text() | st.integers() | st.none() | st.booleans(), st.lists, max_leaves=9))
def test_what_holds_no_secret_stays_as_it_is(value: object) -> None:
    document = {"id": 1, "event": {"what": value}}
    assert redactor(HOSTILE, "g7Qe2mZ0pXv9Lr4Ts1Kd8WnYb").value(document) == document


def test_every_text_of_a_document_is_searched() -> None:
    document = {"a": [{f"is {HOSTILE}": HOSTILE}, 3], "b": None}
    assert redactor(HOSTILE).value(document) == {"a": [{f"is {MASK}": MASK}, 3], "b": None}


def test_of_two_secrets_the_longer_one_goes_first() -> None:
    assert redactor("abcdefghij", "abcdefghijklmnop").text("x abcdefghijklmnop y") == f"x {MASK} y"


def test_a_redactor_shows_nothing_itself() -> None:
    assert HOSTILE not in repr(redactor(HOSTILE))


def test_names_of_users_and_databases_are_no_secrets() -> None:
    store = {name: Secret(name, "x" * 20) for name in ("POSTGRES_DB", "POSTGRES_APP_PASS", "OTHER")}
    assert [secret.name for secret in hidden(store)] == ["POSTGRES_APP_PASS", "OTHER"]


def test_the_lines_of_a_content_tell_where_its_secrets_stand() -> None:
    secret = Secret("S", HOSTILE)
    content = Content(("a: 1\nb: ", QuotedSecret(secret), "\n", secret, ":", secret, "\nc: 2\n"))
    assert content.secret_lines() == (("b: ", ""), ("", ":", ""))
    assert Content.plain("a: 1\n").secret_lines() == ()
