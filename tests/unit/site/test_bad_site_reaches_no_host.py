"""Every damaged site is refused by `kbz run` as a process, with its place and what to do, and no host has been asked.

The tables of damages are those of the tests of each reader. All ways to hosts lead through one bastion, which counts.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keybuzz.model.core.outcome import ExitCode
from tests.support import warm
from tests.unit.engine.images import test_versions
from tests.unit.policy import test_policies_file
from tests.unit.site import (
    test_credentials,
    test_groups,
    test_limit,
    test_load,
    test_settings,
    test_tsv,
)
from tests.unit.support.inventory_files import GROUPS, INVENTORY, SERVERS, with_cell
from tests.unit.support.site_values import configuration_text, planted_configuration

RUN = ("run", "base", "--all")
VERBS = (
    ("plan", "base"),
    RUN,
    ("drift", "base"),
    ("health", "base"),
    ("exec", "--limit", "all", "--", "true"),
    ("restart", "redis"),
    ("recover", "galera", "--confirm", "x"),
    ("drill", "redis", "--confirm", "redis"),
    ("secrets", "stray"),
    ("hosts", "trust", "db-master-01"),
)


@dataclass(frozen=True, slots=True)
class Bastion:
    """Listens where every connection of the site must pass; nobody gets further."""

    listener: socket.socket
    visits: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """What the site calls it."""
        return f"127.0.0.1:{self.listener.getsockname()[1]} root"

    def answer(self) -> None:
        """Note and hang up, until the listener closes."""
        with contextlib.suppress(OSError):
            while True:
                visitor, address = self.listener.accept()
                self.visits.append(str(address))
                visitor.close()


@pytest.fixture(scope="module")
def bastion() -> Iterator[Bastion]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Bastion(listener)
        thread = threading.Thread(target=made.answer)
        thread.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@dataclass(frozen=True, slots=True)
class Place:
    """A whole good site in a folder, to be damaged."""

    folder: Path
    bastion: Bastion

    def configure(self, text: str) -> None:
        """Write nornir_config.yaml, whose hosts are behind the bastion."""
        way = f'kbz_ssh, bastion: "{self.bastion.place}"'
        text = text.replace("kbz_local", way)
        (self.folder / "nornir_config.yaml").write_text(text, encoding="utf-8")

    def put(self, original: Path, content: bytes) -> None:
        """Put another content in the place of a file of the repository's inventory."""
        (self.folder / original.name).write_bytes(content)
        text = configuration_text(self.folder).replace(
            str(original), str(self.folder / original.name)
        )
        self.configure(text)

    def state(self) -> list[str]:
        """Return the names of what commands have left on this machine."""
        return sorted(path.name for path in (self.folder / "state").rglob("*"))

    def kbz(self, *words: str) -> tuple[int, str]:
        """Run a command as an operator does; return its exit code and what it said."""
        argv = ("--config", "nornir_config.yaml", *words)
        code, stdout, stderr = warm.call(argv, 120, self.folder)
        return code, stdout + stderr


@pytest.fixture
def place(tmp_path: Path, bastion: Bastion) -> Place:
    planted_configuration(tmp_path)
    made = Place(tmp_path, bastion)
    made.configure(configuration_text(tmp_path))
    bastion.visits.clear()
    return made


def cases(test: object, of: int = 0) -> list[tuple[str, ...]]:
    """Return the table of a parametrized test; `of` counts its decorators from below."""
    found: list[tuple[str, ...]] = test.pytestmark[of].args[1]  # type: ignore[attr-defined]
    return found


def refused(place: Place, file: str, *what: str, words: tuple[str, ...] = RUN) -> None:
    """Run the verb; it must name the file's line, say what to do, and have asked nobody and written nothing."""
    code, said = place.kbz(*words)
    assert code == ExitCode.FAILED, said
    assert said.startswith("kbz: "), said
    assert re.search(rf"{re.escape(file)}:\d+: ", said), said
    assert "→ " in said
    for text in what:
        assert text in said
    assert "Traceback" not in said
    assert place.bastion.visits == []
    assert set(place.state()) <= {"digest.key"}


def test_a_good_site_does_reach_the_bastion(place: Place) -> None:
    """Otherwise all others would prove nothing."""
    code, said = place.kbz("exec", "--looks", "--limit", "db-master-01", "--", "true")
    assert len(place.bastion.visits) == 1, said
    assert code == ExitCode.UNREACHABLE


@pytest.mark.parametrize(("column", "text", "what"), test_tsv.BAD_CELLS)
def test_a_bad_cell_of_servers(place: Place, column: str, text: str, what: str) -> None:
    place.put(SERVERS, with_cell("db-slave-01", column, text))
    refused(place, "servers.tsv", what)


@pytest.mark.parametrize(
    ("content", "what"), [case[1:] for case in test_tsv.BAD_FILES], ids=lambda value: ""
)
def test_a_bad_file_of_servers(place: Place, content: bytes, what: str) -> None:
    place.put(SERVERS, content)
    refused(place, "servers.tsv")


@pytest.mark.parametrize(("old", "new", "line", "what"), test_groups.BAD)
def test_bad_groups(place: Place, old: str, new: str, line: int, what: str) -> None:
    place.put(GROUPS, test_groups.CONTENT.replace(old, new, 1).encode())
    refused(place, "groups.yaml", f"groups.yaml:{line}: ", what)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"), cases(test_load.test_what_is_wrong_has_its_line)
)
def test_a_bad_configuration(place: Place, old: str, new: str, line: int, what: str) -> None:
    place.configure(configuration_text(place.folder).replace(old, new))
    refused(place, "nornir_config.yaml", f"nornir_config.yaml:{line}: ", what)


@pytest.mark.parametrize(
    ("extra", "line", "what"), cases(test_settings.test_what_is_wrong_in_the_file_has_its_line)
)
def test_bad_settings(place: Place, extra: str, line: int, what: str) -> None:
    place.put(INVENTORY / "site.yaml", (test_settings.PATHS + extra).encode())
    refused(place, "site.yaml", f"site.yaml:{line}: ", what)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"), cases(test_policies_file.test_what_is_wrong_has_its_line)
)
def test_bad_policies(place: Place, old: str, new: str, line: int, what: str) -> None:
    text = test_policies_file.WAIVER.replace(old, new)
    place.put(INVENTORY / "policies.yaml", text.encode())
    refused(place, "policies.yaml", f"policies.yaml:{line}: ", what)


@pytest.mark.parametrize("tag", cases(test_versions.test_a_tag_that_moves_is_refused))
def test_a_version_that_moves(place: Place, tag: str) -> None:
    place.put(INVENTORY / "versions.yaml", test_versions.one(f"redis:{tag}").encode())
    refused(place, "versions.yaml", "VER-1")


@pytest.mark.parametrize(
    ("text", "line"), cases(test_versions.test_another_shape_is_named_with_its_line)
)
def test_bad_versions(place: Place, text: str, line: int) -> None:
    place.put(INVENTORY / "versions.yaml", text.encode())
    refused(place, "versions.yaml", f"versions.yaml:{line}: ")


@pytest.mark.parametrize(
    ("line", "what"), cases(test_credentials.test_a_line_that_is_not_data_is_named)
)
def test_a_bad_line_of_the_store(place: Place, line: str, what: str) -> None:
    store = place.folder / "credentials" / "postgres.env"
    store.write_text(f"{test_credentials.GOOD}\n{line}\n")
    refused(place, "postgres.env", what)


@pytest.mark.parametrize("mode", cases(test_credentials.test_a_file_that_others_may_use_is_refused))
def test_a_store_that_others_may_use(place: Place, mode: int) -> None:
    (place.folder / "credentials" / "postgres.env").chmod(mode)
    refused(place, "postgres.env", "SEC-1")


@pytest.mark.parametrize(
    ("term", "what"),
    cases(test_limit.test_a_term_that_chooses_nobody_is_a_usage_error),
)
def test_a_bad_limit(place: Place, term: str, what: str) -> None:
    code, said = place.kbz(*RUN, "--limit", term)
    assert code == ExitCode.USAGE, said
    assert said.startswith("kbz: --limit")
    assert "→ " in said
    assert place.bastion.visits == []


DAMAGES: dict[str, Callable[[Place], None]] = {
    "servers.tsv": lambda place: place.put(SERVERS, with_cell("db-slave-01", "ROLE", "k8s")),
    "groups.yaml": lambda place: place.put(GROUPS, b"groups: 3\n"),
    "site.yaml": lambda place: place.put(INVENTORY / "site.yaml", b"paths: 3\n"),
    "policies.yaml": lambda place: place.put(INVENTORY / "policies.yaml", b"freeze: 3\n"),
    "versions.yaml": lambda place: place.put(INVENTORY / "versions.yaml", b"images: 3\n"),
    "postgres.env": lambda place: (place.folder / "credentials/postgres.env").chmod(0o644),
}


@pytest.mark.parametrize(
    ("words", "file"),
    [(words, tuple(DAMAGES)[n % len(DAMAGES)]) for n, words in enumerate(VERBS)],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else value,
)
def test_every_verb_that_goes_to_hosts_stops_at_a_bad_file(
    place: Place, words: tuple[str, ...], file: str
) -> None:
    DAMAGES[file](place)
    refused(place, file, words=words)
