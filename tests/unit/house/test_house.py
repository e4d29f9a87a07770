"""The rooms of the house (design.md): who may import whom, how long a file may be, what a module must have."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import pytest

import keybuzz.model
import tasks
from keybuzz.agent import kinds, parts
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.engine.catalogue import all_modules, choose, named_only
from keybuzz.model.core.errors import UsageError
from keybuzz.model.core.resource import Resource
from keybuzz.site.module import Module

ROOT = Path(__file__).parents[3]
FLOORS = {
    "cli": 4,
    "engine": 3,
    "report": 3,
    "lab": 3,
    "site": 2,
    "policy": 2,
    "transport": 2,
    "agent": 1,
    "model": 1,
}
"""A room imports itself and lower floors. Rooms of one floor do not know each other, but for these:"""
BESIDE = {("report", "engine"), ("policy", "site")}
"""A report shows the engine's events, and a policy judges the site; never the other way round."""
SHARED = re.compile(r"tasks\.\w+\.service(\.\w+)?")
"""What a module lets others use: how its service is reached, and what can be asked of it; all else is its own."""
LONGEST = 400
FULLEST = 16
"""Files of one room: what a reader sees at one glance."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import in one file."""

    path: Path
    module: str

    @property
    def room(self) -> str:
        """The room of keybuzz, or `tasks.<module>`, that the file is in."""
        return room_of(".".join(self.path.relative_to(ROOT).with_suffix("").parts))

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)} imports {self.module}"


def room_of(module: str) -> str:
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "keybuzz" else ".".join(module.split(".")[:2])


def sources(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def imports(path: Path) -> Iterator[Import]:
    """Yield every import of a file, those for type checkers and inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(path, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield Import(path, node.module)
            if node.module in ("keybuzz", "tasks"):
                yield from (Import(path, f"{node.module}.{alias.name}") for alias in node.names)


def ours(found: Import) -> bool:
    return found.module.split(".")[0] in ("keybuzz", "tasks") and found.module not in (
        "keybuzz",
        "tasks",
    )


def allowed(room: str, other: str) -> bool:
    """Return whether a room of keybuzz may import another one."""
    if room == other or (room, other) in BESIDE:
        return True
    return other in FLOORS and FLOORS[other] < FLOORS[room] and room != "agent"


def test_the_page_about_the_house_says_the_same() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\d) \|", page, flags=re.MULTILINE)
    assert {room: int(floor) for room, floor in rows} == FLOORS


def test_every_room_has_a_floor() -> None:
    rooms = {path.parent.name for path in ROOT.glob("keybuzz/*/__init__.py")}
    assert rooms <= set(FLOORS)
    assert {"cli", "engine", "report", "lab", "site", "transport", "agent", "model"} <= rooms


def test_imports_point_one_way() -> None:
    wrong = [
        str(found)
        for path in sources("keybuzz")
        if path != ROOT / "keybuzz" / "__init__.py"
        for found in imports(path)
        if ours(found) and not allowed(found.room, room_of(found.module))
    ]
    assert wrong == []


def test_the_rule_would_see_a_wrong_import() -> None:
    assert not allowed("model", "site")
    assert not allowed("model", "agent")
    assert not allowed("agent", "model")
    assert not allowed("site", "engine")
    assert not allowed("engine", "report")
    assert not allowed("transport", "site")
    assert not allowed("report", "cli")
    assert allowed("cli", "lab")
    assert allowed("engine", "agent")
    written = Import(ROOT / "keybuzz/model/x.py", "keybuzz.site.y")
    assert written.room == "model"
    assert room_of(written.module) == "site"


def test_the_engine_finds_modules_only_by_their_folder() -> None:
    """`tasks` may be looked through; no module of it has a name in the code of keybuzz."""
    named = [
        str(f) for p in sources("keybuzz") for f in imports(p) if f.module.startswith("tasks.")
    ]
    assert named == []


def test_tasks_are_descriptions_over_model_and_site() -> None:
    wrong = []
    for path in sources("tasks"):
        if "agent" in path.parts:
            continue  # it runs on hosts: test_the_agent_is_standard_library_only
        for found in imports(path):
            own = found.module.startswith(f"tasks.{path.relative_to(ROOT / 'tasks').parts[0]}")
            own |= bool(SHARED.fullmatch(found.module))
            surface = path.name == "__init__.py" and found.module == "keybuzz.engine.tasks"
            known = room_of(found.module) in ("model", "site")
            known |= room_of(found.module) == "policy" and "policy" in path.parts
            if ours(found) and not (own or known or surface):
                wrong.append(str(found))
    assert wrong == []


def agent_sources() -> list[Path]:
    """Return every file that is sent to hosts: the agent's own, and the modules' parts of it."""
    parts = (ROOT / "tasks" / name / "agent" for name in tasks.with_agent())
    return [*sources("keybuzz/agent"), *(path for part in parts for path in part.rglob("*.py"))]


def test_the_agent_is_standard_library_only() -> None:
    finds_modules = f"{ROOT / 'keybuzz/agent/parts.py'}"
    wrong = []
    for path in agent_sources():
        own = ".".join(path.relative_to(ROOT).parts[:3]) if "tasks" in path.parts else "tasks"
        for found in imports(path):
            ours = found.module.startswith("keybuzz.agent")
            module = found.module.startswith(f"{own}.") or found.module == own
            if module and own == "tasks":
                module = str(path) == finds_modules and found.module == "tasks"
            if not (ours or module or found.module.split(".")[0] in sys.stdlib_module_names):
                wrong.append(str(found))
    assert wrong == []


def test_the_model_does_no_input_and_no_output() -> None:
    pure = {
        "subprocess",
        "socket",
        "os",
        "threading",
        "time",
        "sqlite3",
        "urllib",
        "http",
        "random",
    }
    wrong = [
        str(found)
        for path in (*sources("keybuzz/model"), *ROOT.glob("tasks/*/service/**/*.py"))
        for found in imports(path)
        if found.module.split(".")[0] in pure
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["keybuzz", "tasks", "tests"])
def test_no_file_is_longer_than_a_reader_can_hold(folder: str) -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources(folder)}
    assert {str(path): length for path, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("folder", ["keybuzz", "tasks", "tests", "scripts"])
def test_no_room_has_more_files_than_a_reader_sees_at_once(folder: str) -> None:
    rooms = Counter(p.parent.relative_to(ROOT) for p in sources(folder) if p.name != "__init__.py")
    assert {str(room): files for room, files in rooms.items() if files > FULLEST} == {}


def test_every_folder_of_tasks_is_a_module_with_its_own_name_and_number() -> None:
    folders = [entry.name for entry in iter_modules(tasks.__path__) if entry.ispkg]
    found = {name: import_module(f"tasks.{name}").MODULE for name in folders}
    assert found
    for name, module in found.items():
        assert isinstance(module, Module)
        assert module.name == name.replace("_", "-")
    numbers = [(module.number, module.step) for module in found.values()]
    assert len(numbers) == len(set(numbers))


def test_every_module_gives_scripts_its_three_tasks() -> None:
    for module in all_modules():
        package = import_module(f"tasks.{module.name.replace('-', '_')}")
        for name in ("check", "plan", "converge"):
            task = getattr(package, name)
            assert task.__name__ == name
            assert module.name in task.__doc__


def test_what_a_module_requires_comes_before_it() -> None:
    modules = {module.name: module for module in all_modules()}
    for module in modules.values():
        for name in module.requires:
            required = modules[name]
            assert (required.number, required.step) < (module.number, module.step)


def test_modules_are_chosen_with_what_they_require_in_the_owners_order() -> None:
    assert [m.name for m in choose(["patroni"])] == ["base", "patroni"]
    assert [m.name for m in choose(["patroni", "base"])] == ["base", "patroni"]
    assert [m.name for m in named_only(["patroni"])] == ["patroni"]
    on_request = frozenset(m.name for m in all_modules() if m.on_request)
    of_all = tuple(m for m in all_modules() if not m.on_request)
    assert choose(["all"]) == of_all == named_only(["all"])
    assert choose(["all"], on_request) == all_modules() == named_only(["all"], on_request)
    with pytest.raises(UsageError, match="did you mean patroni"):
        choose(["patrony"])


KINDS = {*kinds._MODULES, *parts.table(parts.KINDS)}


def resource_classes() -> set[type[Resource]]:
    """Return every concrete resource of the model, and of the modules."""
    for entry in walk_packages(keybuzz.model.__path__, "keybuzz.model."):
        import_module(entry.name)
    assert all_modules()
    found: set[type[Resource]] = set()
    waiting = [Resource]
    while waiting:
        for child in waiting.pop().__subclasses__():
            waiting.append(child)
            # A dataclass with slots is made twice; the first form of it is nobody's.
            mine = getattr(sys.modules[child.__module__], child.__name__) is child
            ours = child.__module__.startswith(("keybuzz.model.", "tasks."))
            if mine and ours and not isabstract(child):
                found.add(child)
    return found


def test_the_agent_knows_every_kind_of_the_model_and_no_other() -> None:
    classes = resource_classes()
    of_model = [resource.kind for resource in classes]
    assert len(of_model) == len(set(of_model))
    assert set(of_model) == KINDS
    assert len(KINDS) == len(kinds._MODULES) + len(parts.table(parts.KINDS))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_can_be_read_and_written(kind: str) -> None:
    word = kind.replace("-", "_")
    assert kinds.reader(kind).__name__ == f"read_{word}"
    assert kinds.writer(kind).__name__ == f"write_{word}"


def test_a_kind_that_the_agent_does_not_know_is_an_answer() -> None:
    with pytest.raises(AgentError, match="does not know resources of kind dragon"):
        kinds.reader("dragon")
