"""Host keys from a file that came another way: known_hosts, or fingerprints as consoles show them."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.cli.site import trusting
from keybuzz.cli.site.trusting import trust_from
from keybuzz.model.core.errors import ContactError, InputError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.site.site import Site
from keybuzz.transport.ssh import pinning
from keybuzz.transport.ssh.known_hosts import pinned_keys
from keybuzz.transport.ssh.pinning import ShownKey
from keybuzz.transport.ssh.vouched import KeyFile, Vouched
from tests.unit.support.site_values import memory_site

SITE = memory_site()
SERVERS = SITE.servers[:4]
FIRST = SERVERS[0]


def key_of(number: int) -> ShownKey:
    """Return a key of its own for each host."""
    blob = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + bytes([number]) * 32
    return ShownKey("ssh-ed25519", base64.b64encode(blob).decode())


KEY, OTHER = key_of(1), key_of(2)
ADDRESS = "10.0.0.123"
NAMES = ("redis-01", "redis-01.example.org")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{ADDRESS} ssh-ed25519 {KEY.blob}", Vouched.SAME),
        (f"redis-01,{ADDRESS} ssh-ed25519 {KEY.blob} comment", Vouched.SAME),
        (f"redis-01 {KEY.fingerprint}", Vouched.SAME),
        (f"256 {KEY.fingerprint} redis-01.example.org (ED25519)", Vouched.SAME),
        (f"{KEY.fingerprint}\t{ADDRESS}", Vouched.SAME),
        (f"redis-01 {OTHER.fingerprint}\nredis-01 {KEY.fingerprint}", Vouched.SAME),
        (f"redis-01 {OTHER.fingerprint}", Vouched.OTHER),
        (f"{ADDRESS} ssh-ed25519 {OTHER.blob}", Vouched.OTHER),
        (f"@revoked * ssh-ed25519 {KEY.blob}\nredis-01 {KEY.fingerprint}", Vouched.OTHER),
        (f"redis-010 {KEY.fingerprint}", Vouched.NONE),
        (f"10.0.0.12 {KEY.fingerprint}", Vouched.NONE),
        (f"# redis-02 {KEY.fingerprint}", Vouched.NONE),
        (f"# STOLEN, do not trust: redis-01 {KEY.fingerprint}", Vouched.NONE),
        (f"#redis-01 {KEY.fingerprint}", Vouched.NONE),
        (f" \t# {ADDRESS} {KEY.fingerprint}", Vouched.NONE),
        (f"# redis-01 {KEY.fingerprint}\nredis-01 {OTHER.fingerprint}", Vouched.OTHER),
        ("", Vouched.NONE),
    ],
)
def test_what_a_file_says_of_a_key(text: str, said: Vouched) -> None:
    assert KeyFile(text).says(KEY, ADDRESS, NAMES) is said


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site without pins whose hosts each show a key of their own."""
    shown = {server.name: key_of(n) for n, server in enumerate(SERVERS)}

    def ask(name: str, address: str, port: int = 22) -> ShownKey:
        del address, port
        if name == SERVERS[3].name:
            raise ContactError("shows no key: no route to host", where=name)
        return shown[name]

    monkeypatch.setattr(pinning, "ask_key", ask)
    settings = replace(SITE.settings, known_hosts=tmp_path / "known_hosts")
    return replace(SITE, settings=settings)


def pinned(site: Site) -> list[str]:
    text = pinning.read_text(site.settings.known_hosts)
    return [s.name for s in SERVERS if pinned_keys(text, str(s.address), 22).accepted]


def test_only_what_is_the_same_is_pinned_and_each_ending_is_told_once(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list"
    path.write_text(
        f"{FIRST.name} {key_of(0).fingerprint}\n{SERVERS[1].name} {key_of(9).fingerprint}\n"
    )
    assert trust_from(site, SERVERS, path) == ExitCode.REFUSED
    assert pinned(site) == [FIRST.name]
    out = capsys.readouterr().out
    assert f"pinned: {FIRST.name}" in out
    assert "another key than in the file: not pinned" in out
    assert "not in the file: not pinned" in out
    assert "no route to host" in out
    assert "1 of 4 hosts have a pinned key that is in the file" in out


def test_the_whole_fleet_by_a_known_hosts_file_and_again(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list"
    lines = (f"{s.address} ssh-ed25519 {key_of(n).blob}\n" for n, s in enumerate(SERVERS))
    path.write_text("".join(lines))
    assert trust_from(site, SERVERS[:3], path) == ExitCode.GOOD
    assert pinned(site) == [server.name for server in SERVERS[:3]]
    before = site.settings.known_hosts.read_text()
    assert trust_from(site, SERVERS[:3], path) == ExitCode.GOOD
    assert site.settings.known_hosts.read_text() == before
    assert trusting.ALREADY in capsys.readouterr().out


def test_a_key_that_was_pinned_before_is_not_replaced(site: Site, tmp_path: Path) -> None:
    site.settings.known_hosts.write_text(f"{FIRST.address} ssh-ed25519 {key_of(7).blob}\n")
    path = tmp_path / "list"
    path.write_text(f"{FIRST.name} {key_of(0).fingerprint}\n")
    assert trust_from(site, (FIRST,), path) == ExitCode.REFUSED
    assert key_of(0).blob not in site.settings.known_hosts.read_text()


@pytest.mark.parametrize("text", ["", "# nothing\n", "word\n", "\0\xff"])
def test_a_file_of_another_kind_pins_nothing(site: Site, tmp_path: Path, text: str) -> None:
    path = tmp_path / "list"
    path.write_text(text)
    with pytest.raises(InputError):
        trust_from(site, SERVERS, path)
    assert not site.settings.known_hosts.exists()
