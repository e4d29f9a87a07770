"""What is offered in the handshake: first the key exchange that withstands a quantum computer, where it can be had."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path

import paramiko
import pytest

from keybuzz.transport.ssh.known_hosts import PinnedKeys
from keybuzz.transport.ssh.offers import KEY_EXCHANGES, prepared
from tests.flow.support.sshd import make_key

NOTHING = PinnedKeys(frozenset(), frozenset())
POST_QUANTUM, CLASSIC, NIST = KEY_EXCHANGES


def agreed(key: Path, offered: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> str:
    """Shake hands with a server that knows these key exchanges; return the one that was taken."""
    near, far = socket.socketpair()
    server = paramiko.Transport(far)
    client = prepared(near, NOTHING)
    try:
        server.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(key)))
        server.get_security_options().kex = offered
        begun = threading.Event()
        server.start_server(event=begun, server=paramiko.ServerInterface())
        client.start_client(timeout=10)
        assert begun.wait(10)
        return next(
            record.getMessage().removeprefix("Kex: ")
            for record in caplog.records
            if record.getMessage().startswith("Kex: ")
        )
    finally:
        client.close()
        server.close()
        for end in (near, far):
            end.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ((NIST, CLASSIC, POST_QUANTUM), POST_QUANTUM),
        ((NIST, CLASSIC), CLASSIC),
        ((NIST,), NIST),
    ],
)
def test_the_best_that_both_sides_know_is_taken(
    key: Path, offered: tuple[str, ...], taken: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "paramiko.transport")
    assert agreed(key, offered, caplog) == taken


def test_what_the_installed_libraries_lack_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paramiko.Transport, "_preferred_kex", (CLASSIC, NIST))
    near, far = socket.socketpair()
    client = prepared(near, NOTHING)
    try:
        assert client.get_security_options().kex == (CLASSIC, NIST)
    finally:
        near.close()
        far.close()


def test_old_algorithms_are_never_offered() -> None:
    near, far = socket.socketpair()
    client = prepared(near, NOTHING)
    try:
        options = client.get_security_options()
        offered = " ".join((*options.kex, *options.ciphers, *options.digests, *options.key_types))
        assert not [
            word for word in ("sha1", "cbc", "md5", "ssh-rsa ", "group14") if word in offered
        ]
    finally:
        near.close()
        far.close()
