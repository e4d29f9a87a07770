"""A planted secret is hunted in everything that a person, a log or another process can see (SEC-2)."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from keybuzz.model.core.secret import MASK
from tests.flow.support.agent_host import NAME
from tests.flow.support.sshd import until
from tests.flow.support.talkative import Engine, Spoken, Talkative, talkative
from tests.flow.support.unix_server import serving

PLANTED = 'Tr0ub4dor&3 "x" \'/\\ é%+=?'
ROTATED = '0lder&secret "y" \'/\\ è%+=!'
"""Was valid once and is in no store: nobody knows it but the file on the host."""
LIMIT = ("--limit", NAME)
COMMANDS = {
    "plan": ("good", "plan", "demo", *LIMIT),
    "plan, json": ("good", "plan", "demo", *LIMIT, "--format", "json"),
    "plan, junit": ("good", "plan", "demo", *LIMIT, "--format", "junit"),
    "plan, saved": ("good", "plan", "demo", *LIMIT, "--out", "saved.plan"),
    "a validator that talks": ("validator", "run", "demo", *LIMIT),
    "an engine that talks": ("refusing", "run", "demo", *LIMIT, "--format", "json"),
    "a reload that talks": ("reload", "run", "demo", *LIMIT),
    "run": ("good", "run", "demo", *LIMIT),
    "health": ("good", "health", "demo", *LIMIT),
    "health, json": ("good", "health", "demo", *LIMIT, "--format", "json"),
    "health, prometheus": ("good", "health", "demo", *LIMIT, "--format", "prometheus"),
    "drift": ("quiet", "drift", "demo", *LIMIT),
    "drift, json": ("quiet", "drift", "demo", *LIMIT, "--format", "json"),
    "drift, junit": ("quiet", "drift", "demo", *LIMIT, "--format", "junit"),
    "page": ("quiet", "report", "demo", *LIMIT, "--html", "page.html"),
    "run over drift": ("good", "run", "demo", *LIMIT, "--format", "json"),
    "exec": ("good", "exec", *LIMIT, "--", "leak", "{conf}"),
    "exec, json": ("good", "exec", *LIMIT, "--format", "json", "--", "cat", "{conf}"),
    "render": ("good", "render", "demo", *LIMIT, "--out", "rendered"),
    "render, json": ("good", "render", "demo", *LIMIT, "--format", "json"),
    "history": ("good", "history", "1", "--format", "json"),
    "page, remembered": ("good", "report", "--from-journal", "--html", "remembered.html"),
}
CODES = {
    "plan": 2,
    "plan, json": 2,
    "plan, junit": 2,
    "plan, saved": 2,
    "a validator that talks": 1,
    "an engine that talks": 1,
    "a reload that talks": 1,
    "drift": 2,
    "drift, json": 2,
    "drift, junit": 2,
    "exec": 1,
}


def needles(secret: str) -> set[str]:
    """Return the secret in other spellings, and each piece of eight characters of its own."""
    whole = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        shlex.quote(secret)[1:-1],
        repr(secret)[1:-1],
        b64encode(secret.encode()).decode().rstrip("="),
        urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        b64encode(f"kb:{secret}".encode()).decode()[6:-4],
    }
    return whole | {secret[start : start + 8] for start in range(len(secret) - 7)}


def assert_clean(text: str | bytes, where: str) -> None:
    data = text.encode() if isinstance(text, str) else text
    for secret in (PLANTED, ROTATED):
        found = [needle for needle in needles(secret) if needle.encode() in data]
        assert found == [], where


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Talkative:
    return talkative(tmp_path_factory.mktemp("hunt"), PLANTED)


@pytest.fixture(scope="module")
def spoken(site: Talkative) -> Mapping[str, Spoken]:
    """Run all commands, one after the other, on one host."""
    conf = site.host.files / "app.conf"
    engine = Engine()
    said = {}
    with serving(site.host.socket, engine):
        for name, (scenario, *arguments) in COMMANDS.items():
            (engine.refusing.set if scenario == "refusing" else engine.refusing.clear)()
            if name in ("a validator that talks", "a reload that talks"):
                conf.write_text("quoted 1\n")
            if name == "drift":
                _move(conf)
            words = [word.replace("{conf}", str(conf)) for word in arguments]
            said[name] = site.kbz(scenario, *words)
    until(lambda: not site.host.agents(), "the agents to end")
    return said


def _move(conf: Path) -> None:
    """Change the file by hand: an older secret in its place, and the known one where nobody expects it."""
    text = conf.read_text().replace("5432", "5433").replace(PLANTED, ROTATED)
    text = text.replace(json.dumps(PLANTED, ensure_ascii=False), json.dumps(ROTATED))
    conf.write_text(f"{text}mirror {PLANTED} {b64encode(PLANTED.encode()).decode()}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_shows_a_secret(spoken: Mapping[str, Spoken], name: str) -> None:
    said = spoken[name]
    assert said.code == CODES.get(name, 0), said.stderr
    assert_clean(said.stdout, "stdout")
    assert_clean(said.stderr, "stderr")
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_process_shows_a_secret(spoken: Mapping[str, Spoken], name: str) -> None:
    # At least the command's own line and environment.
    assert len(spoken[name].processes) >= 2
    for text in spoken[name].processes:
        assert_clean(text, "a command line or an environment")


def test_what_remains_on_the_controller_holds_no_secret(
    spoken: Mapping[str, Spoken], site: Talkative
) -> None:
    store = site.folder / "credentials"
    kept = [
        path
        for path in site.folder.rglob("*")
        if path.is_file() and not path.is_relative_to(site.host.root) and path.parent != store
    ]
    names = {path.name for path in kept}
    assert {
        "journal.sqlite",
        "patroni.lease",
        "saved.plan",
        "app.conf",
        "digest.key",
        "page.html",
        "debug.log",
    } <= names
    for path in kept:
        assert_clean(path.read_bytes(), str(path))
        assert path.name == "digest.key" or (store / "postgres.env").read_bytes()[:40] not in (
            path.read_bytes()
        )


def test_the_hunt_could_have_found_something(spoken: Mapping[str, Spoken], site: Talkative) -> None:
    """The secret was where it belongs, the programs did talk, and what they said arrived, masked."""
    assert PLANTED in (site.host.files / "app.conf").read_text()
    assert "leak does not accept the new file: " in spoken["a validator that talks"].stdout
    assert "invalid environment" in spoken["an engine that talks"].stdout
    assert (
        "systemctl reload-or-restart app.service failed: " in spoken["a reload that talks"].stdout
    )
    assert "the password is" in spoken["exec"].stdout
    silent = {"plan, saved", "run", "render", "history", "page", "page, remembered"}
    silent |= {"plan, junit", "drift, junit", "health, prometheus"}  # they have no contents
    for name in COMMANDS.keys() - silent:
        assert MASK in spoken[name].stdout, name
    for page in ("page.html", "remembered.html"):
        assert MASK in (site.folder / page).read_text(), page
    assert f"-mirror {MASK} {MASK}" in spoken["drift"].stdout
    assert "-listen 5433" in spoken["drift"].stdout
    processes = spoken["a validator that talks"].processes
    assert any(b"leak.py" in text and b"kbz-new" in text for text in processes)


def test_the_secret_is_kept_from_all_but_its_owner(site: Talkative, spoken: object) -> None:
    for path in site.host.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and PLANTED.encode() in path.read_bytes():
            inside_private = any(parent.stat().st_mode & 0o077 == 0 for parent in path.parents)
            assert path.stat().st_mode & 0o077 == 0 or inside_private, path
