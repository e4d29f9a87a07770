"""The guard rails of the whole command line: who changes something holds the lease, who destroys asks for a name.

Each verb stands in exactly one of the closed lists below. A new verb that is in none fails here.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.memory.journal import HostRecord, Journal
from keybuzz.engine.memory.lock import lease_names
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.site.load import load_inventory_site, read_configuration
from tests.support import warm
from tests.unit.engine.memory.test_lock import holder
from tests.unit.support.cli_verbs import verbs

ROOT = Path(__file__).parents[3]
INVENTORY = ROOT / "inventory"
LAB = "kbz-verbs"
HOST = "redis-01"

LOOKS = {
    "inventory",
    "preflight",
    "plan",
    "adopt",
    "drift look",
    "drift status",
    "health look",
    "health status",
    "status",
    "render",
    "backup list",
    "bundle",
    "maintenance list",
    "history list",
    "history show",
    "history verify",
    "hosts list",
    "hosts ping",
    "explain",
    "completion",
    "help",
    "report",
    "serve",
    "secrets check",
    "secrets rotations",
    "secrets vault-plan",
    "secrets stray",
    "versions check",
    "versions verify",
    "policy check",
    "policy baseline",
    "policy fix",
    "policy explain",
    "policy rules",
    "apps list",
    "apps env",
    "lb show",
    "lb check",
    "alerts",
    "workers status",
    "workers check",
    "workers scheduler",
    "workers serve",
    "notify test",
    "notify failed",
    "lab status",
    "lab images",
    "lab diff",
}
"""They ask and report. What they write is a file that was named, or the journal."""
WORLD = {
    "lab exec",
    "lab fault stop",
    "lab fault start",
    "lab fault cut",
    "lab fault restore",
    "lab fault loss",
    "lab fault delay",
    "lab fault fill",
    "lab fault kill-container",
}
"""They stand for what happens to servers by itself, also while somebody works on them: that is what they are for."""
CHANGES = {
    "run": ("run", "redis", "--limit", HOST),
    "resume": ("resume",),
    "restart": ("restart", "redis", "--limit", HOST),
    "maintenance on": (
        *("maintenance", "on", HOST, "--reason", "a new disk is put in"),
        *("--until", "4h", "--yes"),
    ),
    "maintenance off": ("maintenance", "off", "minio-02"),
    "switchover": ("switchover", "redis", "--yes"),
    "upgrade": ("upgrade", "redis", "--to", "7.2.6-alpine", "--reason", "the owner said so"),
    "drill": ("drill", "redis", "--confirm", "redis"),
    "recover": ("recover", "galera", "--confirm", "keybuzz-galera"),
    "backup run": ("backup", "run", "postgres"),
    "backup verify": ("backup", "verify", "postgres"),
    "backup install": ("backup", "install"),
    "backup uninstall": ("backup", "uninstall"),
    "restore": ("restore", "postgres", "--confirm", "keybuzz-pg"),
    "exec": ("exec", "--limit", HOST, "--", "true"),
    "drift install": ("drift", "install"),
    "drift accept": ("drift", "accept", f"drift/{HOST}/x", "--reason", "the owner said so"),
    "drift uninstall": ("drift", "uninstall"),
    "health install": ("health", "install"),
    "health uninstall": ("health", "uninstall"),
    "hosts trust": ("hosts", "trust", HOST),
    "hosts forget": ("hosts", "forget", HOST, "--confirm", HOST),
    "secrets init": ("secrets", "init"),
    "secrets rotate": ("secrets", "rotate", "postgres-app", "--confirm", "postgres-app"),
    "apps remove-account": ("apps", "remove-account", "patroni", "bob", "--confirm", "bob"),
    "versions lock": ("versions", "lock"),
    "versions mirror": ("versions", "mirror", "--limit", HOST),
    "lab up": ("lab", "up", "--limit", HOST),
    "lab down": ("lab", "down"),
    "lab legacy": ("lab", "legacy", "redis"),
    "lab reset": ("lab", "reset", HOST, "--confirm", LAB),
    "lab replace": ("lab", "replace", HOST, "--confirm", LAB),
}
"""All others, and words that would change something at once if nobody held a lease."""
DESTROYS = {
    "hosts forget": (("hosts", "forget", HOST), HOST),
    "secrets rotate": (("secrets", "rotate", "postgres-app"), "postgres-app"),
    "apps remove-account": (("apps", "remove-account", "patroni", "bob"), "bob"),
    "lab down": (("lab", "down", "--wipe"), LAB),
    "lab reset": (("lab", "reset", HOST), LAB),
    "lab replace": (("lab", "replace", HOST), LAB),
}
"""What they take away, no other command brings back; and the name that must be typed."""
DELIBERATE = {"drill", "recover", "adopt", "restore"}
"""They take nothing away, and still nobody may start them by mistake."""
DESTRUCTIVE_WORD = re.compile(
    r"\b(?:delete|destroy|drop|erase|forget|purge|remove|replace|reset|rotate|wipe)\b"
)

RESTING = """
maintenance:
  - host: minio-02
    reason: a new disk is put in
    since: 2026-01-01T08:00:00Z
    until: 2999-01-01T08:00:00Z
"""
"""Another host is in maintenance, so that one can be put back into service."""


@dataclass(frozen=True)
class Place:
    """A site of the repository's inventory with its own state, as production and as a lab that never was up."""

    folder: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        config = self.folder / ("lab.config" if words[0] == "lab" else "site.config")
        argv = ["--config", str(config), *words]
        return subprocess.CompletedProcess(argv, *warm.call(argv, 180))

    def files(self) -> dict[str, bytes]:
        """Return everything that a verb could have written, but for what only says that one was called."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not {"leases", "journal.sqlite"} & set(path.parts)
        }

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let another process hold every lease of the site while the block runs."""
        site = load_inventory_site(read_configuration(self.folder / "site.config"))
        names = lease_names(site.servers)
        with holder(self.folder / "state" / "leases", *names):
            yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("verbs")
    for name in ("versions", "policies"):
        (folder / f"{name}.yaml").write_bytes((INVENTORY / f"{name}.yaml").read_bytes())
    with (folder / "policies.yaml").open("a") as policies:
        policies.write(RESTING)
    paths = f"paths:\n  state: {folder}/state\n  credentials: {folder}/credentials\n"
    paths += f"  builder_socket: {folder}/none.sock\n  known_hosts: {folder}/known_hosts\n"
    (folder / "site.yaml").write_text(paths)
    root = folder / "lab"
    (folder / "lab.yaml").write_text(
        f"lab:\n  name: {LAB}\n  root: {root}\n  cache: {root}/cache\n{paths}"
    )
    config = (ROOT / "nornir_config.yaml").read_text()
    for name in ("versions", "policies"):
        config = config.replace(f"inventory/{name}.yaml", f"{folder}/{name}.yaml")
    for name in ("site", "lab"):
        text = config.replace("overlay: inventory/lab.yaml", f"overlay: {folder}/{name}.yaml")
        text = text.replace("    connection:", "    bastion: 127.0.0.1:9 nobody\n    connection:")
        (folder / f"{name}.config").write_text(text.replace("inventory/", f"{INVENTORY}/"))
    made = Place(folder)
    assert made("secrets", "init").returncode == 0
    pinned = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvXRRtCxzwCKzJLmEUUMEOpbzLVGRNNkDzk2JPvZWGd"
    site = load_inventory_site(read_configuration(folder / "site.config"))
    (folder / "known_hosts").write_text(f"{site.server(HOST).address} {pinned}\n")
    journal = Journal(folder / "state" / "journal.sqlite")
    modules = tuple(module.name for module in all_modules() if module.name == "redis")
    number = journal.begin("run", ("kbz run redis --limit redis-01",), modules, 0.0, folder)
    cut = {HOST: HostRecord(HOST, Outcome.SKIPPED, 0, "")}
    journal.end(number, 1.0, int(ExitCode.INTERRUPTED), cut, "", "interrupted")
    return made


def test_each_verb_stands_in_one_list() -> None:
    assert not LOOKS & WORLD
    assert not set(CHANGES) & (LOOKS | WORLD)
    assert set(verbs()) == LOOKS | WORLD | set(CHANGES)
    assert set(DESTROYS) <= set(CHANGES)


@pytest.mark.parametrize("verb", CHANGES)
def test_a_verb_that_changes_something_refuses_while_another_process_holds_the_lease(
    place: Place, verb: str
) -> None:
    before = place.files()
    with place.held():
        done = place(*CHANGES[verb])
    assert done.returncode == ExitCode.REFUSED, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert re.search(
        r"the lease on [\w-]+ is held by \w+@\S+ \(pid \d+, `kbz run redis`\) for \d+ s", said
    )
    assert place.files() == before


@pytest.mark.parametrize("verb", DESTROYS)
@pytest.mark.parametrize("typed", [(), ("--confirm", "another"), ("--confirm", "")])
def test_a_destructive_verb_without_its_typed_name_is_refused(
    place: Place, verb: str, typed: tuple[str, ...]
) -> None:
    words, name = DESTROYS[verb]
    before = place.files()
    done = place(*words, *typed)
    assert done.returncode == ExitCode.REFUSED, done.stdout + done.stderr
    assert f"--confirm {name} types the name in a script" in done.stderr
    assert "nothing was changed" in done.stderr
    assert place.files() == before


def test_a_verb_whose_words_destroy_asks_for_a_name() -> None:
    """Its name and its options are looked at; what it destroys for certain stands in DESTROYS."""
    named = {
        words
        for words, command in verbs().items()
        if DESTRUCTIVE_WORD.search(" ".join((words.replace("-", " "), *_options(command))))
    }
    assert named == set(DESTROYS)
    asking = {
        words
        for words, command in verbs().items()
        if any("--confirm" in option.opts and not _is_flag(option) for option in command.params)
    }
    assert asking == set(DESTROYS) | DELIBERATE


def _is_flag(parameter: click.Parameter) -> bool:
    """Return whether it takes no name: `kbz run --confirm` asks between batches."""
    return isinstance(parameter, click.Option) and parameter.is_flag


def _options(command: click.Command) -> list[str]:
    return [parameter.name or "" for parameter in command.params]


def test_the_lease_is_free_again_when_its_holder_has_ended(place: Place) -> None:
    started = time.monotonic()
    with place.held():
        assert place("secrets", "init").returncode == ExitCode.REFUSED
    assert place("secrets", "init").returncode == ExitCode.GOOD
    assert time.monotonic() - started < 60
