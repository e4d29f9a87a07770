"""The pinned keys of a host are read as OpenSSH reads them, and lines of others are left alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.transport.ssh.known_hosts import fingerprint, pinned_keys

KEY = ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIHB1Ymxp")
OTHER = ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIG90aGVy")


def line(names: str, key: tuple[str, str] = KEY) -> str:
    return f"{names} {key[0]} {key[1]} a comment\n"


def hashed(name: str) -> str:
    salt = b"01234567890123456789"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("names", "port"),
    [
        ("10.0.0.11", 22),
        ("db-01,10.0.0.11", 22),
        ("10.0.0.*", 22),
        ("[10.0.0.11]:2222", 2222),
        (hashed("10.0.0.11"), 22),
        (hashed("[10.0.0.11]:2222"), 2222),
    ],
)
def test_a_line_that_names_the_host_pins_its_key(names: str, port: int) -> None:
    assert pinned_keys(line(names), "10.0.0.11", port).accepted == {KEY}


@pytest.mark.parametrize(
    "names", ["10.0.0.1", "10.0.0.110", "[10.0.0.11]:2222", "10.0.0.*,!10.0.0.11", "|1|x|y"]
)
def test_a_line_of_another_host_pins_nothing(names: str) -> None:
    assert not pinned_keys(line(names), "10.0.0.11", 22).accepted


def test_a_revoked_key_is_refused_even_where_it_is_pinned() -> None:
    text = line("10.0.0.11") + line("10.0.0.11", OTHER) + "@revoked " + line("*")
    pins = pinned_keys(text, "10.0.0.11", 22)
    assert not pins.accepts(KEY[1])
    assert pins.accepts(OTHER[1])


def test_an_authority_is_not_a_host_key() -> None:
    pins = pinned_keys("@cert-authority " + line("10.0.0.*"), "10.0.0.11", 22)
    assert (set(pins.accepted), set(pins.authorities)) == (set(), {KEY[1]})
    assert not pinned_keys("@cert-authority " + line("10.1.*"), "10.0.0.11", 22).authorities


def test_a_revoked_authority_is_none() -> None:
    text = "@cert-authority " + line("*") + "@revoked " + line("*")
    assert not pinned_keys(text, "10.0.0.11", 22).authorities


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    pinned = pinned_keys(text + "\n" + line("10.0.0.11"), "10.0.0.11", 22)
    assert KEY in pinned.accepted


def test_the_fingerprint_is_the_one_that_openssh_prints(tmp_path: Path) -> None:
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(make, check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True)
    blob = base64.b64decode(key.with_suffix(".pub").read_text().split()[1])
    assert fingerprint(blob) == shown.stdout.split()[1]
