"""`kbz adopt --take-credentials`: found in containers and files, proven by logins, and never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keybuzz.engine.adopt.take import require_unchanged, take
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.reading import Command
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.candidates import Places
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.taking import Taking
from keybuzz.report.screen.taking import taking_document, taking_text
from keybuzz.site.credentials.check import check_store
from keybuzz.site.credentials.schema import find
from keybuzz.site.credentials.store import load_credentials, put_values
from keybuzz.site.module import Module, Rotation
from keybuzz.site.site import Site
from tests.flow.support.agent_host import ScratchHost
from tests.flow.support.fleet import HOSTS, THIRD, Demo, Fleet, fleet
from tests.flow.support.links import register
from tests.flow.support.unix_server import Request, respond, serving

LIVE, STALE, STORED = "L1ve&Password'0123", "stale-Passw0rd-456", "stored-Passw0rd-789"
NAME = "POSTGRES_APP_PASS"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Fleet]:
    register()
    with fleet(tmp_path) as made:
        credentials = {**made.site.credentials, NAME: Secret(NAME, STORED)}
        site = replace(made.site, credentials=credentials)
        made.nornir.config.user_defined["site"] = site
        yield replace(made, workspace=replace(made.workspace, site=site))


class Docker:
    """An engine with one stopped container of an older installation."""

    def __init__(self, environment: tuple[str, ...], command: tuple[str, ...]) -> None:
        self.config = {"Env": list(environment), "Cmd": list(command), "Entrypoint": None}

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        answers: dict[str, Any] = {
            "/containers/json": [{"Names": ["/keybuzz-old"], "State": "exited"}],
            "/containers/keybuzz-old/json": {"Config": self.config},
        }
        found = answers.get(request.path.partition("?")[0])
        return respond(404, {"message": "no"}) if found is None else respond(200, found)


def accepting(three: Fleet, passwords: Mapping[str, str]) -> None:
    """Give each host a service that takes one password."""
    for host, password in passwords.items():
        (three.hosts[host].files / "accepted").write_text(password + "\n")


def module_of(three: Fleet, *places: Places) -> Module:
    """Return a module whose members prove a password by asking their service."""

    def logins(site: Site, server: Server) -> tuple[Command, ...]:
        accepted = three.hosts[server.name].files / "accepted"
        script = f'grep -qxF -e "$0" {accepted} || echo denied'
        return (Command("a login", ("sh", "-c", script, site.secret(NAME).reveal())),)

    def never(live: Live) -> Stage | None:
        raise AssertionError("it only looks")

    rotation = Rotation("demo", NAME, never, logins)
    return replace(Demo(three.hosts).module(), places=places, rotations=(rotation,))


def with_containers(three: Fleet, engines: Mapping[str, Docker]) -> ExitStack:
    stack = ExitStack()
    for host, engine in engines.items():
        stack.enter_context(serving(three.hosts[host].socket, engine))
    return stack


def conf_of(host: ScratchHost) -> str:
    return str(host.root.parent / "*" / host.files.relative_to(host.root) / "*.conf")


def assert_never_shown(found: Taking) -> None:
    shown = taking_text(found) + json.dumps(taking_document(found, written=False)) + repr(found)
    assert not [value for value in (LIVE, STALE, STORED) if value in shown]


@pytest.mark.parametrize(
    ("environment", "command", "place"),
    [
        ((f"APP_PASSWORD={LIVE}",), (), "container keybuzz-old, variable APP_PASSWORD"),
        ((), ("serve", "--pass", LIVE), "container keybuzz-old, option --pass"),
        ((), (f"--pass={LIVE}",), "container keybuzz-old, option --pass"),
        ((), ("sh", "-c", f'serve --pass "{LIVE}"'), "container keybuzz-old, option --pass"),
    ],
)
def test_what_a_container_was_given_is_proven_and_taken(
    three: Fleet, environment: tuple[str, ...], command: tuple[str, ...], place: str
) -> None:
    accepting(three, dict.fromkeys(HOSTS, LIVE))
    module = module_of(three, Places(NAME, ("APP_PASSWORD",), ("--pass",)))
    with with_containers(three, dict.fromkeys(HOSTS, Docker(environment, command))):
        found = take(three.workspace, module)
    assert found.taken, found
    (taken,) = found.taken
    assert (taken.name, taken.value.reveal(), taken.file) == (NAME, LIVE, "postgres.env")
    assert taken.places == {place: HOSTS}
    assert "a login on every member" in taken.proof
    assert_never_shown(found)


def test_of_two_values_the_one_that_all_members_accept_is_taken(three: Fleet) -> None:
    """The stale one stands in more places."""
    accepting(three, dict.fromkeys(HOSTS, LIVE))
    for host in HOSTS:
        (three.hosts[host].files / "old.conf").write_text(f'requirepass "{STALE}"\n')
    (three.hosts[THIRD].files / "new.conf").write_text(f"port 1\nrequirepass {LIVE}\n")
    pattern = conf_of(three.hosts[THIRD])
    module = module_of(three, Places(NAME, (), (), ((pattern, r"^requirepass\s+(\S+)"),)))
    found = take(three.workspace, module)
    assert [item.value.reveal() for item in found.taken] == [LIVE]
    assert all(path.endswith("new.conf") for path in found.taken[0].places)
    assert_never_shown(found)


def test_what_a_rotation_asks_beside_its_logins_proves_nothing(three: Fleet) -> None:
    """As an old Patroni, which comes to its PostgreSQL over the network, and must not while a password changes."""
    accepting(three, dict.fromkeys(HOSTS, LIVE))
    module = module_of(three, Places(NAME, ("APP_PASSWORD",)))
    (rotation,) = module.rotations

    def more(site: Site, server: Server) -> tuple[Command, ...]:
        state = Command("not for a rotation", ("sh", "-c", "echo not yet"))
        return (
            *(item for item in rotation.logins(site, server) if isinstance(item, Command)),
            state,
        )

    module = replace(module, rotations=(replace(rotation, logins=more),))
    with with_containers(three, dict.fromkeys(HOSTS, Docker((f"APP_PASSWORD={LIVE}",), ()))):
        found = take(three.workspace, module)
    assert [item.value.reveal() for item in found.taken] == [LIVE]


def test_what_one_member_refuses_is_not_taken(three: Fleet) -> None:
    accepting(three, {**dict.fromkeys(HOSTS, LIVE), THIRD: STALE})
    module = module_of(three, Places(NAME, ("APP_PASSWORD",)))
    with with_containers(three, dict.fromkeys(HOSTS, Docker((f"APP_PASSWORD={LIVE}",), ()))):
        found = take(three.workspace, module)
    assert found.taken == ()
    assert "1 found, and none is accepted" in found.left[NAME]
    assert_never_shown(found)


def test_what_the_store_has_already_is_left_as_it_is(three: Fleet) -> None:
    accepting(three, dict.fromkeys(HOSTS, STORED))
    module = module_of(three, Places(NAME, ("APP_PASSWORD",)))
    with with_containers(three, dict.fromkeys(HOSTS, Docker((f"APP_PASSWORD={STALE}",), ()))):
        found = take(three.workspace, module)
    assert (found.taken, found.same, dict(found.left)) == ((), (NAME,), {})


@pytest.mark.parametrize(
    ("values", "taken"), [((LIVE, LIVE, LIVE), [LIVE]), ((LIVE, STALE, LIVE), [])]
)
def test_without_a_login_every_place_must_agree(
    three: Fleet, values: tuple[str, ...], taken: list[str]
) -> None:
    """A cookie, for example: no login sends it."""
    name = "RABBITMQ_ERLANG_COOKIE"
    module = module_of(three, Places(name, ("COOKIE",)))
    engines = {h: Docker((f"COOKIE={v}",), ()) for h, v in zip(HOSTS, values, strict=True)}
    with with_containers(three, engines):
        found = take(three.workspace, module)
    assert [item.value.reveal() for item in found.taken] == taken
    assert ("2 values were found" in found.left.get(name, "")) is not bool(taken)
    assert_never_shown(found)


def taking_of(three: Fleet, value: str) -> Taking:
    accepting(three, dict.fromkeys(HOSTS, value))
    module = module_of(three, Places(NAME, ("APP_PASSWORD",)))
    with with_containers(three, dict.fromkeys(HOSTS, Docker((f"APP_PASSWORD={value}",), ()))):
        return take(three.workspace, module)


def test_what_the_store_would_refuse_is_told_and_not_taken(three: Fleet) -> None:
    found = taking_of(three, "sh0rt")
    assert found.taken == ()
    assert "is shorter than 8" in found.left[NAME]


@pytest.mark.parametrize("value", ["Sh0rt-One", "admin", "Admin"])
def test_a_short_live_password_is_taken_and_told_as_weak(
    three: Fleet, tmp_path: Path, value: str
) -> None:
    found = taking_of(three, value)
    [taken] = found.taken
    assert taken.value.reveal() == value
    assert taken.weak == "kbz secrets rotate demo"
    assert f"weak: short, or commonly known; replace it later: {taken.weak}" in taking_text(found)
    assert value not in taking_text(found)
    item = find(NAME)
    assert item is not None
    put_values(tmp_path, {item: taken.value})
    assert load_credentials(tmp_path)[NAME].reveal() == value
    [problem] = (p for p in check_store(tmp_path) if p.rule in ("weak", "default"))
    assert NAME in problem.what
    assert "kbz secrets rotations" in problem.hint


def test_a_long_live_password_is_not_weak(three: Fleet) -> None:
    [taken] = taking_of(three, LIVE).taken
    assert taken.weak == ""


def test_a_store_that_has_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    looked = {NAME: Secret(NAME, STORED)}
    require_unchanged(tmp_path, dict(looked), looked)
    with pytest.raises(RefusedError, match="has changed since"):
        require_unchanged(tmp_path, {NAME: Secret(NAME, LIVE)}, looked)


def with_store(three: Fleet, **known: str) -> Fleet:
    credentials = {name: Secret(name, value) for name, value in known.items()}
    site = replace(three.site, credentials=credentials)
    three.nornir.config.user_defined["site"] = site
    return replace(three, workspace=replace(three.workspace, site=site))


@pytest.mark.parametrize("known", [{"POSTGRES_APP_USER": "kb_app"}, {}])
def test_a_name_that_the_store_has_otherwise_or_not_is_taken_with_the_password(
    three: Fleet, known: dict[str, str]
) -> None:
    """The password of another account beside the store's name would be a pair that nobody lets in."""
    accepting(three, dict.fromkeys(HOSTS, LIVE))
    module = module_of(
        three, Places("POSTGRES_APP_USER", ("APP_USER",)), Places(NAME, ("APP_PASSWORD",))
    )
    engine = Docker(("APP_USER=chatwoot", f"APP_PASSWORD={LIVE}"), ())
    with with_containers(three, dict.fromkeys(HOSTS, engine)):
        found = take(with_store(three, **known, POSTGRES_APP_PASS=STORED).workspace, module)
    values = {item.name: item.value.reveal() for item in found.taken}
    assert values == {"POSTGRES_APP_USER": "chatwoot", NAME: LIVE}


def test_a_service_that_accepts_anything_proves_nothing(three: Fleet) -> None:
    module = module_of(three, Places(NAME, ("APP_PASSWORD",)))
    anything = replace(
        module.rotations[0],
        logins=lambda site, server: (Command("a login", ("true", site.secret(NAME).reveal())),),
    )
    with with_containers(three, dict.fromkeys(HOSTS, Docker((f"APP_PASSWORD={LIVE}",), ()))):
        found = take(with_store(three).workspace, replace(module, rotations=(anything,)))
    assert (found.taken, found.same) == ((), ())
    assert "accept any value" in found.left[NAME]


def test_nothing_is_taken_while_a_member_is_silent(three: Fleet) -> None:
    """What no login proves must stand in every place, also in those of the one that is down."""
    three.hosts[THIRD].python.write_text("#!/bin/sh\nexit 1\n")
    module = module_of(three, Places("RABBITMQ_ERLANG_COOKIE", ("COOKIE",)))
    with (
        with_containers(three, dict.fromkeys(HOSTS, Docker((f"COOKIE={LIVE}",), ()))),
        pytest.raises(ContactError, match="cannot be asked"),
    ):
        take(three.workspace, module)
