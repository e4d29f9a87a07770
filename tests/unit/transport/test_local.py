"""install-01 is managed over a local connection, because it can not log in to itself."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from keybuzz.engine import nornir
from keybuzz.engine.nornir import is_this_machine, make_nornir
from keybuzz.site.load import load_site
from tests.unit.support.site_values import planted_configuration


def test_an_address_of_this_machine() -> None:
    assert is_this_machine(IPv4Address("127.0.0.1"))
    assert not is_this_machine(IPv4Address("203.0.113.7"))


def test_only_the_server_that_we_run_on_is_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = replace(planted_configuration(tmp_path), connection="kbz_ssh")
    controller = IPv4Address("10.0.0.250")
    monkeypatch.setattr(nornir, "is_this_machine", lambda address: address == controller)
    made = make_nornir(configuration, load_site(configuration))
    hosts = made.inventory.hosts.items()
    local = [name for name, host in hosts if host["connection"] == "kbz_local"]
    assert local == ["install-01"]
