"""Contracts: what each real image is and does, line by line, each with its upstream source and the test that holds it.

A contract lies next to the stand-in that keeps it: tasks/<module>/stand_in/<recipe>.yaml. Both sides are held
against it: the stand-in that the lab builds, and the containers that the modules describe.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import tasks
from keybuzz.site.files.problems import Problems, nearest, read_file
from keybuzz.site.files.yaml_tree import Tree, TreeReader, parse_fields

_LARGEST = 1 << 18
_BUILT = "tests/lab/lab/test_contracts.py"
_DESCRIBED = "tests/unit/tasks/test_contracts.py"


class Kind(StrEnum):
    """What a line is about, and so how it is held."""

    ENTRYPOINT = "entrypoint"
    COMMAND = "command"
    USER = "user"
    WORKING_DIRECTORY = "working-directory"
    STOP_SIGNAL = "stop-signal"
    PORTS = "ports"
    VOLUMES = "volumes"
    ENVIRONMENT = "environment"
    """NAME=value, as the image sets it."""
    SEARCH_PATH = "search-path"
    """How PATH begins."""
    PROGRAMS = "programs"
    ACCOUNTS = "accounts"
    """name:uid:gid."""
    NO_ACCOUNT = "no-account"
    """A uid without a line in /etc/passwd."""
    PATHS = "paths"
    """path uid:gid mode."""
    READS = "reads"
    """Variables that mean something to it; a container gives it no others."""
    ENDS_WITH = "ends-with"
    """Variables that end a container."""
    SETUP = "setup"
    """The first word of a command with which setup runs, and the script that it is."""
    LEAVES_ROOT_FOR = "leaves-root-for"
    """First words, as shell patterns, with which the entry point changes from root to the image's own user."""
    LISTENS = "listens"
    """Ports that its programs open by themselves."""
    BEHAVIOUR = "behaviour"
    """Anything else, in words, with a test of its own."""


_INSPECTED = (
    Kind.ENTRYPOINT,
    Kind.COMMAND,
    Kind.USER,
    Kind.WORKING_DIRECTORY,
    Kind.STOP_SIGNAL,
    Kind.PORTS,
    Kind.VOLUMES,
    Kind.ENVIRONMENT,
    Kind.SEARCH_PATH,
)
_HELD = {
    **dict.fromkeys(_INSPECTED, (f"{_BUILT}::test_docker_inspect_says_what_the_contract_says",)),
    Kind.PROGRAMS: (f"{_BUILT}::test_the_programs_are_there",),
    Kind.ACCOUNTS: (f"{_BUILT}::test_the_accounts_are_there",),
    Kind.NO_ACCOUNT: (f"{_BUILT}::test_a_user_without_an_account_has_none",),
    Kind.PATHS: (f"{_BUILT}::test_the_paths_have_their_owner_and_mode",),
    Kind.READS: (f"{_DESCRIBED}::test_a_container_gives_only_variables_that_its_image_reads",),
    Kind.ENDS_WITH: (
        f"{_DESCRIBED}::test_no_container_gives_a_variable_that_ends_it",
        f"{_BUILT}::test_a_deprecated_variable_ends_the_container",
    ),
    Kind.SETUP: (f"{_DESCRIBED}::test_a_command_satisfies_its_entry_point",),
    Kind.LEAVES_ROOT_FOR: (
        f"{_DESCRIBED}::test_no_service_stays_root_by_its_command",
        f"{_BUILT}::test_the_entry_point_leaves_root_for_its_own_programs_only",
    ),
    Kind.LISTENS: (f"{_DESCRIBED}::test_every_port_that_a_program_opens_is_explained",),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a contract."""

    kind: Kind
    identity: str
    """Unique in its contract: the kind, or a behaviour's own name."""
    words: tuple[str, ...]
    text: str
    source: str
    """Repository, commit and path upstream."""
    tests: tuple[str, ...]
    """The tests that hold it, as pytest names them."""


class Form(StrEnum):
    """What a stand-in is; the words are keys of a contract."""

    IMAGE = "image"
    PROGRAM = "program"
    """A file that kbz places, and no image."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the lab makes in the place of the real one."""

    form: Form
    stands_for: str
    """The frozen reference of an image, or the release of a program."""
    provenance: str
    """What it really is."""
    groups: tuple[str, ...]
    """Groups of groups.yaml whose servers need it."""
    debian: int = 12
    """The release of Debian below an image."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What one image is and does."""

    image: str
    """Its name in versions.yaml; of a program that is no image, under `binaries`."""
    path: Path
    made: Made
    lines: tuple[Line, ...]

    @property
    def recipe(self) -> str:
        """The folder of its stand-in, next to the contract."""
        return self.path.stem

    def words(self, kind: Kind) -> tuple[str, ...]:
        """Return what the line of a kind says; empty when the contract says nothing of it."""
        return next((line.words for line in self.lines if line.kind is kind), ())

    def says(self, kind: Kind) -> bool:
        """Return True when there is a line of this kind."""
        return any(line.kind is kind for line in self.lines)


def contracts() -> tuple[Contract, ...]:
    """Return every contract, in the order of their paths; InputError names each line that is wrong."""
    paths = sorted(Path(tasks.__path__[0]).glob("*/stand_in/*.yaml"))
    return tuple(read_contract(path) for path in paths)


def read_contract(path: Path) -> Contract:
    """Return one contract; InputError with file:line for every problem in it."""
    root = Path(tasks.__path__[0]).parent
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    content = read_file(path, _LARGEST)
    problems = Problems(name)
    found = _Reader(problems).contract(parse_fields(content, name), path)
    problems.raise_if_any()
    return found


_NOTHING = Made(Form.IMAGE, "", "", ())


class _Reader(TreeReader):
    def contract(self, tree: Tree, path: Path) -> Contract:
        top = self.fields(tree, "the file", ("image", "stand_in", "sources", "lines"), ("tests",))
        if not top:
            return Contract("", path, _NOTHING, ())
        entries = self.entries(top["sources"], "sources")
        sources = {key.text: self.text(value, key.text) for key, value in entries}
        tests = self.text(top["tests"], "tests") if "tests" in top else _BUILT
        lines: dict[str, Line] = {}
        for item in self.items(top["lines"], "lines"):
            line = self._line(item, sources, tests)
            if line is not None and lines.setdefault(line.identity, line) is not line:
                self.problems.add(item.line, f"{line.identity} is there twice", "keep one of them")
        made = self._made(top["stand_in"])
        return Contract(self.text(top["image"], "image"), path, made, tuple(lines.values()))

    def _made(self, tree: Tree) -> Made:
        """Return what stands in: an image with its Debian, or a program."""
        keys = {key.text for key, _ in self.entries(tree, "stand_in")}
        form = Form.PROGRAM if Form.PROGRAM in keys else Form.IMAGE
        more = ("debian",) if form is Form.IMAGE else ()
        found = self.fields(tree, "stand_in", (form, "is", "groups"), more)
        if not found:
            return _NOTHING
        return Made(
            form,
            self.text(found[form], form),
            self.text(found["is"], "is"),
            self.texts(found["groups"], "groups"),
            self.number(found["debian"], "debian", 12, 13) if "debian" in found else 12,
        )

    def _line(self, tree: Tree, sources: dict[str, str], tests: str) -> Line | None:
        found = self.fields(tree, "a line", ("kind", "source"), ("is", "id", "text", "test"))
        if not found:
            return None
        name = self.text(found["kind"], "kind")
        if name not in set(Kind):
            self.problems.add(found["kind"].line, f"kind {name} is unknown", nearest(name, Kind))
            return None
        source = self.text(found["source"], "source")
        if source not in sources:
            what = f"source {source} is not among the sources"
            self.problems.add(found["source"].line, what, nearest(source, sources))
            return None
        if Kind(name) is Kind.BEHAVIOUR:
            return self._behaviour(found, tree, sources[source], tests)
        if "is" not in found:
            self.problems.add(tree.line, f"{name} says nothing", "add is: [words]")
            return None
        words = self.texts(found["is"], "is")
        text = f"{name}: {', '.join(words) or 'none'}"
        return Line(Kind(name), name, words, text, sources[source], _HELD[Kind(name)])

    def _behaviour(
        self, found: dict[str, Tree], tree: Tree, source: str, tests: str
    ) -> Line | None:
        missing = [key for key in ("id", "text", "test") if key not in found]
        if missing:
            what = f"a behaviour has no {' and no '.join(missing)}"
            self.problems.add(tree.line, what, "name it, say it, and name the test that holds it")
            return None
        text, test = self.text(found["text"], "text"), self.text(found["test"], "test")
        held = test if "::" in test else f"{tests}::{test}"
        identity = self.text(found["id"], "id")
        return Line(Kind.BEHAVIOUR, identity, (), text, source, (held,))
