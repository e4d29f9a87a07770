"""The hunt for a planted secret goes on in the verbs that work on the store itself (SEC-2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.flow.secrets.test_secret_hunt import PLANTED, assert_clean
from tests.flow.support.agent_host import NAME
from tests.flow.support.sshd import until
from tests.flow.support.talkative import Spoken, Talkative, talkative

COMMANDS = {
    "init": (0, "secrets", "init"),
    "check": (3, "secrets", "check"),
    "check, json": (3, "secrets", "check", "--format", "json"),
    "stray": (2, "secrets", "stray", "--limit", NAME),
    "stray, json": (2, "secrets", "stray", "--limit", NAME, "--format", "json"),
    "check, junit": (3, "secrets", "check", "--format", "junit"),
    "stray, junit": (2, "secrets", "stray", "--limit", NAME, "--format", "junit"),
    "policy check": (3, "policy", "check", "{application}"),
    "policy check, junit": (3, "policy", "check", "{application}", "--format", "junit"),
    "policy check, nagios": (2, "policy", "check", "{application}", "--format", "nagios"),
    "rotations": (0, "secrets", "rotations"),
    "vault-plan": (0, "secrets", "vault-plan"),
    "vault-plan, json": (0, "secrets", "vault-plan", "--format", "json"),
    "rotate, unknown": (64, "secrets", "rotate", PLANTED[:4]),
    "versions check": (3, "versions", "check"),
    "a broken store": (3, "versions", "check"),
    "a broken store, nagios": (2, "versions", "check", "--format", "nagios"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Talkative:
    return talkative(tmp_path_factory.mktemp("verbs"), PLANTED)


@pytest.fixture(scope="module")
def spoken(site: Talkative) -> Mapping[str, Spoken]:
    """Run all verbs over a store with the planted secret twice, and a copy of it left on a host."""
    left = site.host.root / "run" / "kbz"
    left.mkdir()
    (left / "left.env").write_text(f"export REDIS_PASSWORD={PLANTED}\n")
    application = site.host.root / "application.env"
    application.write_text(f"REDIS_PASSWORD={PLANTED}\n")
    said = {}
    for name, (_, *words) in COMMANDS.items():
        if name == "check":
            _give_to_two(site.folder / "credentials" / "redis.env")
        if name == "a broken store":
            path = site.folder / "credentials" / "postgres.env"
            path.write_text(f"{path.read_text()}export {PLANTED}\n{PLANTED}={PLANTED}\n")
        said[name] = site.kbz(
            "good", *(str(word).format(application=application) for word in words)
        )
    until(lambda: not site.host.agents(), "the agents to end")
    return said


def _give_to_two(path: Path) -> None:
    lines = path.read_text().splitlines()
    changed = [f"REDIS_PASSWORD={PLANTED}" if "REDIS_PASSWORD=" in line else line for line in lines]
    path.write_text("\n".join(changed))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_verb_shows_a_secret(spoken: Mapping[str, Spoken], name: str) -> None:
    said = spoken[name]
    assert said.code == COMMANDS[name][0], said.stdout + said.stderr
    assert_clean(said.stdout, "stdout")
    assert_clean(said.stderr, "stderr")
    assert "Traceback" not in said.stderr
    for text in said.processes:
        assert_clean(text, "a command line or an environment")


def test_what_remains_holds_no_secret(spoken: Mapping[str, Spoken], site: Talkative) -> None:
    for path in site.folder.rglob("*"):
        own = path.parent == site.folder / "credentials" or path.is_relative_to(site.host.root)
        if path.is_file() and not own:
            assert_clean(path.read_bytes(), str(path))


def test_the_hunt_could_have_found_something(spoken: Mapping[str, Spoken], site: Talkative) -> None:
    """Each verb had the secret in its hands, and said so by name."""
    assert PLANTED in (site.folder / "credentials" / "redis.env").read_text()
    assert "REDIS_PASSWORD has the same value as POSTGRES_APP_PASS" in spoken["check"].stdout
    [finding] = json.loads(spoken["stray, json"].stdout)["findings"]
    assert "/run/kbz/left.env" in finding["message"]
    assert "in use now" in finding["message"]
    assert "demo:1 is not listed in versions.yaml" in spoken["versions check"].stdout
    assert "is not NAME=value" in spoken["a broken store"].stdout
    assert len(spoken["stray"].processes) > 2
