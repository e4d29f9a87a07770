"""`kbz hosts forget`: the keys of one host go in whatever form they are pinned, and those of others stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.transport.ssh.forgetting import forgotten
from keybuzz.transport.ssh.known_hosts import pinned_keys
from keybuzz.transport.ssh.pinning import ShownKey, with_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHB1Ymxp"
OTHERS = (
    "# ours\n\n10.0.0.12 ssh-rsa CCCC\nweb-01,10.0.0.13 ssh-ed25519 DDDD a comment\n"
    "@cert-authority 10.0.0.* ssh-ed25519 BBBB\n@revoked 10.0.0.120 ssh-ed25519 EEEE\nodd line\n"
)
HOST = ("10.0.0.120", ("db-master-01", "db-master.keybuzz.io"))


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ("10.0.0.120", ""),
        ("[10.0.0.120]:22", ""),
        ("[10.0.0.120]:2222", ""),
        ("db-master-01,10.0.0.120", ""),
        ("DB-Master-01,[10.0.0.120]:22,db-master.keybuzz.io", ""),
        ("10.0.0.120,10.0.0.99", "10.0.0.99"),
        ("10.0.0.99,[10.0.0.120]:22,web-01", "10.0.0.99,web-01"),
    ],
)
def test_each_form_of_a_name_is_understood(names: str, left: str) -> None:
    found = forgotten(f"{OTHERS}{names} {KEY} a comment\n", *HOST)
    assert found.text == OTHERS + (f"{left} {KEY} a comment\n" if left else "")
    assert (found.found, found.patterns) == (1, ())
    assert not pinned_keys(found.text, HOST[0], 22).accepted


def test_a_file_that_ssh_keygen_has_hashed(tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    lines = "".join(f"10.0.0.{number} {KEY}\n" for number in range(119, 122))
    known_hosts.write_text(f"{lines}[10.0.0.120]:22 {KEY}\n")
    hashing = ["ssh-keygen", "-q", "-H", "-f", str(known_hosts)]
    subprocess.run(hashing, check=True, capture_output=True)
    text = known_hosts.read_text()
    assert "10.0.0" not in text
    found = forgotten(text, *HOST)
    assert found.found == 2
    assert not pinned_keys(found.text, "10.0.0.120", 22).accepted
    for other in ("10.0.0.119", "10.0.0.121"):
        assert pinned_keys(found.text, other, 22) == pinned_keys(text, other, 22)


@pytest.mark.parametrize("names", ["10.0.0.*", "10.0.0.12?", "web-01,10.0.0.12*", "10.0.0.120,*"])
def test_a_pattern_is_told_with_its_line(names: str) -> None:
    text = f"{OTHERS}{names} {KEY}\n"
    assert forgotten(text, *HOST).patterns == (len(OTHERS.splitlines()) + 1,)


@pytest.mark.parametrize("names", ["10.0.0.12", "10.0.0.*,!10.0.0.120", "db-master-010", "|1|x|y"])
def test_a_line_of_others_stays(names: str) -> None:
    text = f"{OTHERS}{names} {KEY}\n"
    found = forgotten(text, *HOST)
    assert (found.text, found.found, found.patterns) == (text, 0, ())


_ADDRESSES = st.ip_addresses(v=4, network="10.0.0.0/29").map(str)
_FIELDS = st.lists(
    st.one_of(_ADDRESSES, _ADDRESSES.map("[{}]:2222".format), st.sampled_from(["web-01", "odd"])),
    min_size=1,
    max_size=3,
).map(",".join)


@given(st.lists(st.one_of(_FIELDS.map(lambda names: f"{names} {KEY}"), st.text())), _ADDRESSES)
def test_nothing_of_a_host_is_left_and_nothing_of_others_is_lost(
    lines: list[str], address: str
) -> None:
    text = "".join(f"{line}\n" for line in lines)
    found = forgotten(text, address, ())
    assert found.patterns or not pinned_keys(found.text, address, 22).accepted
    for number in range(8):
        other = f"10.0.0.{number}"
        if other != address:
            assert pinned_keys(found.text, other, 22) == pinned_keys(text, other, 22)


@given(st.text(), _ADDRESSES)
def test_pin_and_forget_is_as_before(text: str, address: str) -> None:
    before = forgotten(text, address, ()).text
    if before and not before.endswith("\n"):
        before += "\n"
    key = ShownKey(*KEY.split())
    assert forgotten(with_key(before, address, key), address, ()).text == before
