"""The firewall asks before it cuts a client: adopt names the ports that a run would close, and who is connected now."""

from __future__ import annotations

from keybuzz.engine.adopt.adopt import _difference
from keybuzz.model.core.plan import Change
from keybuzz.model.reports.adoption import Adoption, Difference, ModuleAdoption, Way
from keybuzz.report.screen.adoption import adoption_document, adoption_text
from tests.unit.tasks.base.test_rollout_base import UFW, good, live
from tests.unit.tasks.patroni.cluster_world import damaged

SERVED = ("5432/tcp (postgres)", "8008/tcp (patroni)")
CLIENTS = ("5432/tcp from 203.0.113.9", "5432/tcp from 203.0.113.10")


def closing(**said: tuple[str, ...]) -> Change:
    """Return the change of a firewall that is off, where these are served and connected."""
    states = good()
    states["db-2"] = damaged(states["db-2"], UFW, active=False, **said)
    [change] = live(states).changes()
    return change


def adopted(difference: Difference) -> Adoption:
    module = ModuleAdoption("base", (), (difference,), (), False, 0, 0)
    return Adoption((module,), {}, 1.0)


def test_ports_that_close_and_their_clients_are_a_decision() -> None:
    found = _difference(closing(served=SERVED, clients=CLIENTS), False)
    assert found.way is Way.DECISION
    closed, connected, way_out = found.effects
    assert closed == "closes: 5432/tcp (postgres), 8008/tcp (patroni)"
    assert connected == f"connected from outside now: {', '.join(CLIENTS)}"
    assert "base.public_ports" in way_out
    said = adoption_text(adopted(found))
    assert "needs a decision:\n    firewall:ufw on db-2\n" in said
    assert f"      db-2: {connected}\n" in said
    assert "1 decisions to take" in said
    [module] = adoption_document(adopted(found))["modules"]
    assert module["differences"][0]["effects"] == list(found.effects)


def test_a_firewall_that_closes_nothing_asks_nothing() -> None:
    found = _difference(closing(served=(), clients=()), False)
    assert (found.way, found.effects) == (Way.LIVE, ())
    assert "0 decisions to take" in adoption_text(adopted(found))


def test_what_a_host_says_is_one_line() -> None:
    found = _difference(closing(served=("5432/tcp (x\x1b[2J\nnext)",), clients=()), False)
    assert "\x1b" not in found.effects[0]
    assert "\n" not in found.effects[0]
