"""`kbz hosts trust HOST`: a key that a `@revoked` line names is refused before anything is pinned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.cli.site import hosts, machines
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.transport.ssh import pinning
from tests.unit.support.site_values import memory_site
from tests.unit.transport.test_vouched import key_of

SITE = memory_site()
SERVER = SITE.servers[0]
KEY = key_of(7)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every host show the key; return the hosts whose machine is to be pinned."""
    found: list[str] = []
    monkeypatch.setattr(pinning, "ask_key", lambda *_: KEY)
    monkeypatch.setattr(machines, "pin_machine", lambda _, server, __: found.append(server.name))
    return found


def trust(known_hosts: Path, text: str) -> None:
    known_hosts.write_text(text)
    site = replace(SITE, settings=replace(SITE.settings, known_hosts=known_hosts))
    hosts._trust(site, SERVER, KEY.fingerprint)


@pytest.mark.parametrize("names", ["*", str(SERVER.address), f"other,{SERVER.address}"])
@pytest.mark.parametrize("pinned", [True, False])
def test_a_revoked_key_is_refused_and_the_file_stays(
    names: str, pinned: bool, asked: list[str], tmp_path: Path
) -> None:
    line = f"{SERVER.address} {KEY.kind} {KEY.blob}\n" if pinned else ""
    text = f"{line}@revoked {names} {KEY.kind} {KEY.blob}\n"
    with pytest.raises(RefusedError, match="revokes; nothing was pinned") as caught:
        trust(tmp_path / "known_hosts", text)
    assert caught.value.code is ExitCode.REFUSED
    assert (tmp_path / "known_hosts").read_text() == text
    assert asked == []


def test_a_key_that_is_revoked_for_another_host_alone_is_pinned(
    asked: list[str], tmp_path: Path
) -> None:
    text = f"@revoked 192.0.2.1 {KEY.kind} {KEY.blob}\n"
    trust(tmp_path / "known_hosts", text)
    added = f"{SERVER.address} {KEY.kind} {KEY.blob}\n"
    assert (tmp_path / "known_hosts").read_text() == text + added
    assert asked == [SERVER.name]
