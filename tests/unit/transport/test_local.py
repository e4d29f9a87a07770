"""install-01 is managed over a local connection, because it cannot log in to itself; no other server is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine import nornir
from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.this_machine import Here, judge
from keybuzz.model.core.access import Access
from keybuzz.site.load import load_site
from tests.unit.support.inventory_files import real_servers
from tests.unit.support.site_values import planted_configuration

SERVERS = real_servers()
CONTROLLER, REDIS = "10.0.0.250", "10.0.0.123"


def test_the_controller_is_known_by_its_address_and_its_name() -> None:
    for name in ("install-01", "INSTALL-01", "install-01.keybuzz.io", "install-01.lan"):
        assert judge(SERVERS, [CONTROLLER, "192.0.2.7"], name) == Here("install-01")


def test_a_machine_without_an_address_of_the_inventory_is_no_server() -> None:
    assert judge(SERVERS, ["192.0.2.7"], "install-01") == Here()
    assert judge(SERVERS, [], "redis-01") == Here()


@pytest.mark.parametrize(
    ("own", "name", "refused"),
    [
        ([REDIS], "redis-01", {"redis-01"}),
        ([CONTROLLER], "redis-01", {"install-01"}),
        ([CONTROLLER], "", {"install-01"}),
        ([CONTROLLER, REDIS], "install-01", {"install-01", "redis-01"}),
        ([str(server.address) for server in SERVERS], "install-01", {s.name for s in SERVERS}),
    ],
)
def test_any_other_claim_makes_no_server_local(
    own: list[str], name: str, refused: set[str]
) -> None:
    found = judge(SERVERS, own, name)
    assert (found.local, set(found.refused)) == ("", refused)
    assert all("→" in why for why in found.refused.values())


def test_only_the_server_that_we_run_on_is_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = replace(planted_configuration(tmp_path), connection="kbz_ssh")
    monkeypatch.setattr(nornir, "this_machine", lambda servers, lab: Here("install-01"))
    made = make_nornir(configuration, load_site(configuration), Access.CHANGE)
    hosts = made.inventory.hosts.items()
    local = [name for name, host in hosts if host["connection"] == "kbz_local"]
    assert local == ["install-01"]
