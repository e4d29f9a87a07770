"""Whether RabbitMQ has our password is read from its stored hash where it does not let our user in."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tasks.rabbitmq.agent.look import has_password

PASSWORD = "PlantedNeedle-rabbit-1234"


def user(password: str, algorithm: str = "sha256") -> dict[str, str]:
    salt = b"\x01\x02\x03\x04"
    stored = salt + hashlib.new(algorithm, salt + password.encode()).digest()
    return {
        "name": "kb_rmq",
        "password_hash": base64.b64encode(stored).decode(),
        "hashing_algorithm": f"rabbit_password_hashing_{algorithm}",
    }


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_user_without_a_tag_has_our_password_all_the_same(algorithm: str) -> None:
    assert has_password([user(PASSWORD, algorithm)], "kb_rmq", PASSWORD)
    assert not has_password([user("another", algorithm)], "kb_rmq", PASSWORD)


@pytest.mark.parametrize("stored", ["", "no base64", "AAAA"])
def test_what_is_no_hash_is_not_ours(stored: str) -> None:
    assert not has_password([{**user(PASSWORD), "password_hash": stored}], "kb_rmq", PASSWORD)
    assert not has_password([], "kb_rmq", PASSWORD)
