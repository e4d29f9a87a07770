"""What a live service has is taken into site.yaml only where all members say the same, and its form allows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.adopt.settle import settle
from keybuzz.model.core.content import Content
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.live import HostView
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import File
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.settling import Setting, Settling
from keybuzz.report.screen.settling import settling_document, settling_text
from keybuzz.site.module import Description, Module
from keybuzz.site.parameters.forms import Count
from keybuzz.site.parameters.parameter import Parameter
from keybuzz.site.settled import Settled, in_attribute, in_file
from keybuzz.site.site import Place, Site
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import FIRST, HOSTS, SECOND, THIRD, Demo, Fleet, fleet
from tests.flow.support.links import register

BASE = "inventory/site.yaml"
SESSIONS = Parameter("demo.sessions", Count(10, 1000), "Sessions that it takes.")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        yield with_settings(made, Place(BASE, 7))


def with_settings(
    made: Fleet, place: Place, hosts: dict[str, dict[str, str]] | None = None
) -> Fleet:
    settings = replace(
        made.site.settings,
        parameters={**made.site.settings.parameters, "demo.sessions": "200"},
        places={**made.site.settings.places, "demo.sessions": place},
        hosts=hosts or {},
    )
    site = replace(made.site, settings=settings)
    made.nornir.config.user_defined["site"] = site
    return replace(made, workspace=replace(made.workspace, site=site))


def described(host: ScratchHost) -> tuple[Resource, ...]:
    return (File(str(host.files / "app.conf"), Content.plain("sessions = 200\n")),)


def module(three: Fleet) -> Module:
    """A module whose file lies on each host in a folder of its own."""

    def live(view: HostView, site: str) -> str | None:
        path = three.hosts[view.server.name].files / "app.conf"
        return in_file(f"file:{path}", r"^sessions\s*=\s*(\S+)")(view, site)

    made = Demo(three.hosts, described).module()
    return replace(made, parameters=(SESSIONS,), settled=(Settled("demo.sessions", live),))


def live(three: Fleet, *values: str) -> None:
    for host, value in zip(HOSTS, values, strict=True):
        (three.hosts[host].files / "app.conf").write_text(f"# theirs\nsessions = {value}\nmore\n")


def asked(three: Fleet) -> Settling:
    before = {h: three.text(h) for h in HOSTS}
    found = settle(three.workspace, module(three), BASE)
    assert {h: three.text(h) for h in HOSTS} == before
    return found


def test_what_all_members_have_is_taken(three: Fleet) -> None:
    live(three, "300", "300", "300")
    found = asked(three)
    assert found.taken == (Setting("demo.sessions", "200", "300", HOSTS),)
    assert found.left == {}
    assert "take demo.sessions: 300" in settling_text(found)
    assert settling_document(found, written=True)["settings"]["taken"][0]["live"] == "300"


def test_what_is_as_the_site_says_is_no_difference(three: Fleet) -> None:
    live(three, "200", "200", "200")
    assert asked(three) == Settling("demo", (), {})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (("300", "300", "200"), "members differ: "),
        (("5", "5", "5"), "demo.sessions is '5', and must be a whole number from 10 to 1000"),
        (("many", "many", "many"), "must be a whole number"),
    ],
)
def test_what_members_disagree_about_or_the_form_forbids_is_left(
    three: Fleet, values: tuple[str, ...], why: str
) -> None:
    live(three, *values)
    found = asked(three)
    assert found.taken == ()
    assert why in found.left["demo.sessions"]


def test_a_member_that_says_nothing_agrees_to_nothing(three: Fleet) -> None:
    for others in ("300", "200"):
        live(three, others, others, others)
        (three.hosts[THIRD].files / "app.conf").write_text("nothing of it\n")
        left = {"demo.sessions": f"{THIRD} does not tell one value"}
        assert asked(three) == Settling("demo", (), left)


@pytest.mark.parametrize("text", ["nothing of it\n", "sessions = 300\nsessions = 400\n", None])
def test_what_no_member_tells_is_left_and_not_taken_for_agreed(
    three: Fleet, text: str | None
) -> None:
    for host in HOSTS:
        if text is not None:
            (three.hosts[host].files / "app.conf").write_text(text)
    found = asked(three)
    assert found == Settling("demo", (), {"demo.sessions": "no member tells one value"})
    assert "not taken, demo.sessions: no member tells one value" in settling_text(found)


def inside(three: Fleet) -> Module:
    """A module whose value is inside its cluster: it is read on each member, and changed on one."""

    def of(host: ScratchHost) -> File:
        return File(str(host.files / "app.conf"), Content.plain("shared\n"), mode=0o600)

    def describe(site: Site, server: Server) -> Description:
        return Description((), cluster=(of(three.hosts[server.name]),))

    def live(view: HostView, site: str) -> str | None:
        identity = of(three.hosts[view.server.name]).identity
        return in_attribute(identity, "mode", lambda text: text.lstrip("0"))(view, site)

    return replace(module(three), describe=describe, settled=(Settled("demo.sessions", live),))


@pytest.mark.parametrize("writer", [FIRST, THIRD, None])
def test_a_value_inside_the_cluster_is_read_on_each_member(
    three: Fleet, writer: str | None
) -> None:
    """Only the member that takes writes has a change for it: the others were taken for agreed with the site."""
    made = replace(inside(three), writer=lambda live: writer)
    for host in HOSTS:
        (three.hosts[host].files / "app.conf").write_text("shared\n")
        (three.hosts[host].files / "app.conf").chmod(0o640)
    assert settle(three.workspace, made, BASE).taken == (
        Setting("demo.sessions", "200", "640", HOSTS),
    )
    (three.hosts[SECOND].files / "app.conf").chmod(0o600)
    assert settle(three.workspace, made, BASE).left == {
        "demo.sessions": f"members differ: {FIRST} 640; {SECOND} 200; {THIRD} 640"
    }


def test_what_an_overlay_or_a_single_server_says_is_changed_there(three: Fleet) -> None:
    live(three, "300", "300", "300")
    lab = with_settings(three, Place("inventory/lab.yaml", 9))
    assert "inventory/lab.yaml:9 says 200: change it there" in asked(lab).left["demo.sessions"]
    own = with_settings(three, Place(BASE, 7), {"db-slave-*": {"demo.sessions": "90"}})
    assert "hosts.db-slave-* has one of its own" in asked(own).left["demo.sessions"]


def test_every_member_must_answer_and_the_module_must_say_where_to_look(three: Fleet) -> None:
    three.connect_by("kbz_broken", SECOND)
    with pytest.raises(ContactError, match="cannot be asked what it has"):
        asked(three)
    with pytest.raises(RefusedError, match="is not described"):
        settle(three.workspace, replace(module(three), settled=()), BASE)
