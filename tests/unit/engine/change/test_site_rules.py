"""What a conductor does beside the stages of its modules: rules of the site before, entries that lead elsewhere."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.conduct import Conductor
from keybuzz.engine.change.freeze import NO_LIFT, Freeze
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.restart import ContainerRestart
from keybuzz.model.inventory.server import Server
from tests.unit.support.scripted_hosts import Script, scripted, sound, told
from tests.unit.support.site_values import described, memory_nornir, memory_site, with_parameters


def test_a_run_begins_no_stage(tmp_path_factory: pytest.TempPathFactory) -> None:
    site = with_parameters(memory_site(), {"galera.max_connections": "419"})
    module = next(module for module in all_modules() if module.name == "proxysql")
    heard: list[object] = []
    conductor = Conductor(
        memory_nornir(site),
        site,
        (module,),
        (module,),
        described(site, module),
        frozenset({"proxysql-01"}),
        heard.append,
        float("inf"),
        threading.Event(),
        Freeze(frozenset(), NO_LIFT, FirstInstalls(tmp_path_factory.mktemp("marks"))),
    )
    with pytest.raises(RefusedError, match="more than the 419 that a node takes"):
        conductor.run(Snapshot({}, {}))
    assert heard == []


class Asked:
    """An entry before Galera that notes what it is asked, and answers with a stage that changes nothing."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, tuple[str, ...]]] = []

    def away(self, live: Live, server: Server) -> Stage:
        self.said.append(("away", server.name, tuple(live.hosts)))
        return Stage(f"lead away from {server.name}", ())

    def back(self, live: Live, server: Server) -> None:
        self.said.append(("back", server.name, tuple(live.hosts)))


@pytest.mark.parametrize("silent", ["", "proxysql-01"])
def test_an_entry_of_no_run_leads_elsewhere_before_its_member_is_interrupted_and_back_after(
    tmp_path_factory: pytest.TempPathFactory, silent: str
) -> None:
    """Whatever the verb is: a run, a restart, a rotation, a reboot. An entry that is silent holds up nothing."""

    def does(host: str, request: dict[str, object]) -> list[bytes]:
        return told(host, request) if request["op"] == "apply" else sound(host, request)

    def hang_up(host: str, request: dict[str, object]) -> list[bytes]:
        del host, request
        return []

    asked, site = Asked(), memory_site()
    modules = {module.name: module for module in all_modules()}
    entry = replace(modules["proxysql"], lead_away=asked.away, lead_back=asked.back)
    galera = replace(modules["galera"], checks=lambda live: (), members_up=everybody)
    nornir = scripted(Script(said={"maria-01": does, **({silent: hang_up} if silent else {})}))
    conductor = Conductor(
        nornir,
        site,
        (galera,),
        (galera, entry),
        described(site, galera),
        frozenset({"maria-01"}),
        lambda event: None,
        float("inf"),
        threading.Event(),
        Freeze(frozenset(), NO_LIFT, FirstInstalls(tmp_path_factory.mktemp("marks"))),
    )
    container = ContainerRestart("mariadb", seen="old")
    change = Change("maria-01", "galera", container, Action.UPDATE, disrupts=True)
    conductor.stage(
        galera, Stage("restart", (change,)), observe(nornir, described(site, galera), Access.CHANGE)
    )
    answering = tuple(host for host in ("proxysql-01", "proxysql-02") if host != silent)
    assert asked.said == [("away", "maria-01", answering), ("back", "maria-01", answering)]
    assert set(conductor.descriptions) == {"maria-01", "maria-02", "maria-03"}


def everybody(live: Live) -> frozenset[str]:
    return frozenset(live.hosts)
