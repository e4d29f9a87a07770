"""Every container that a module describes obeys the contract of its image, and every line of a contract is held."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.lab.supply.artefacts import programs
from keybuzz.lab.supply.contract import Contract, Kind, Line, contracts, read_contract
from keybuzz.lab.supply.stand_ins import stand_ins
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import Directory, File
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from tasks.k3s import values as k3s
from tests.unit.support.site_values import memory_site

ROOT = Path(__file__).parents[3]
CONTRACTS = contracts()
LINES = [(contract, line) for contract in CONTRACTS for line in contract.lines]
OURS = "KBZ_"
"""Variables that only files of kbz inside a container read."""


@dataclass(frozen=True)
class Described:
    """One container that a module describes on one server."""

    server: Server
    container: Container
    resources: tuple[Resource, ...]
    contract: Contract

    def __str__(self) -> str:
        return f"{self.container.container} on {self.server.name}"

    def source(self, bind: Bind) -> Resource | None:
        """Return the file or directory that is mounted, as it is described; None for a path of another module."""
        kinds = (File, Directory)
        return next(
            (r for r in self.resources if isinstance(r, kinds) and r.path == bind.source), None
        )

    def mounted_files(self) -> Iterator[File]:
        """Yield each described file that is mounted, alone or in a directory."""
        for bind in self.container.binds:
            for resource in self.resources:
                if isinstance(resource, File) and f"{resource.path}/".startswith(f"{bind.source}/"):
                    yield resource


@lru_cache(maxsize=1)
def descriptions() -> tuple[tuple[Server, Description], ...]:
    site = memory_site()
    return tuple(
        (server, module.describe(site, server))
        for module in all_modules()
        for server in site.members(module.group)
    )


@lru_cache(maxsize=1)
def described() -> tuple[Described, ...]:
    """Return every container of the real inventory whose image is one of versions.yaml."""
    names = {version.reference: name for name, version in memory_site().versions.items()}
    known = {contract.image: contract for contract in CONTRACTS}
    return tuple(
        Described(server, resource, found.resources, known[names[resource.image]])
        for server, found in descriptions()
        for resource in found.resources
        if isinstance(resource, Container) and resource.image in names
    )


def having(kind: Kind) -> list[Described]:
    found = [one for one in described() if one.contract.says(kind)]
    assert found, kind
    return found


def held_by(line: Line) -> list[str]:
    """Return the tests of a line that are not there."""
    missing = []
    for test in line.tests:
        path, _, name = test.partition("::")
        tree = (
            ast.parse((ROOT / path).read_text(encoding="utf-8"))
            if (ROOT / path).is_file()
            else None
        )
        names = (
            {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            if tree
            else set()
        )
        if name.rpartition("::")[2] not in names:
            missing.append(test)
    return missing


@pytest.mark.parametrize(
    ("contract", "line"), LINES, ids=[f"{c.recipe}-{n.identity}" for c, n in LINES]
)
def test_a_line_has_a_source_and_is_held_by_a_test(contract: Contract, line: Line) -> None:
    assert line.source
    assert line.tests
    assert held_by(line) == [], contract.path


def test_a_line_without_its_test_would_be_seen() -> None:
    line = CONTRACTS[0].lines[0]
    path = line.tests[0].partition("::")[0]
    assert held_by(replace(line, tests=(f"{path}::test_that_nobody_wrote",)))
    assert held_by(replace(line, tests=("tests/unit/no_such_file.py::test_it",)))


def test_every_stand_in_has_a_contract_and_every_contract_a_stand_in() -> None:
    recipes = {stand_in.recipe for stand_in in stand_ins()} | {
        program.name for program in programs()
    }
    assert {contract.recipe for contract in CONTRACTS} == recipes


def test_every_container_has_a_contract_or_is_built_by_kbz() -> None:
    with_contract = {(one.server.name, one.container.container) for one in described()}
    for server, found in descriptions():
        built = {r.reference for r in found.resources if isinstance(r, Image) and r.built}
        for resource in found.resources:
            if isinstance(resource, Container) and resource.image not in built:
                assert (server.name, resource.container) in with_contract


def test_a_command_satisfies_its_entry_point() -> None:
    """B1: setup runs before exactly one first word. A script of ours may be another one, when it runs setup itself."""
    for one in having(Kind.SETUP):
        first, setup = one.contract.words(Kind.SETUP)
        words = one.container.command or one.contract.words(Kind.COMMAND)
        if words[0] == first:
            continue
        scripts = [one.source(bind) for bind in one.container.binds if bind.target in words]
        texts = [script.text.masked() for script in scripts if isinstance(script, File)]
        lines = [line.strip() for text in texts for line in text.splitlines()]
        assert any(setup in line and not line.startswith("#") for line in lines), one
        assert words[-1] == first, one


def test_a_container_gives_only_variables_that_its_image_reads() -> None:
    for one in having(Kind.READS):
        given = {name for name, _ in one.container.environment if not name.startswith(OURS)}
        assert given <= set(one.contract.words(Kind.READS)), one


def test_no_container_gives_a_variable_that_ends_it() -> None:
    for one in having(Kind.ENDS_WITH):
        given = {name for name, _ in one.container.environment}
        assert not given & set(one.contract.words(Kind.ENDS_WITH)), one


def uid_of(one: Described) -> tuple[int, int]:
    """Return user and group of what a container runs at last; the entry point may leave root for it."""
    accounts = {
        name: (int(uid), int(gid))
        for name, uid, gid in (item.split(":") for item in one.contract.words(Kind.ACCOUNTS))
    }
    user = one.container.user or next(iter(one.contract.words(Kind.USER)), "")
    if not user and one.contract.says(Kind.LEAVES_ROOT_FOR):
        return next(iter(accounts.values()))
    name, _, group = user.partition(":")
    if name in accounts:
        return accounts[name]
    return int(name or 0), int(group or 0)


def test_no_service_stays_root_by_its_command() -> None:
    for one in having(Kind.LEAVES_ROOT_FOR):
        first = (one.container.command or one.contract.words(Kind.COMMAND))[0]
        patterns = one.contract.words(Kind.LEAVES_ROOT_FOR)
        by_itself = any(fnmatchcase(first, pattern) for pattern in patterns)
        assert one.container.user or by_itself, one


def test_the_user_of_a_container_can_read_every_file_that_is_mounted() -> None:
    seen = 0
    for one in described():
        uid, gid = uid_of(one)
        for file in one.mounted_files():
            seen += 1
            readable = (
                uid == 0
                or (file.owner == uid and file.mode & 0o400)
                or (file.group == gid and file.mode & 0o040)
                or file.mode & 0o004
            )
            assert readable, f"{one}: {file.path}"
        for bind in one.container.binds:
            source = one.source(bind)
            if isinstance(source, Directory) and not bind.read_only:
                writable = uid == 0 or (source.owner == uid and source.mode & 0o200)
                assert writable, f"{one}: {source.path}"
    assert seen > 10


def test_a_container_that_waits_for_its_clients_is_stopped_by_another_signal() -> None:
    """PgBouncer 1.23 would outlast every patience on TERM; INT lets transactions end, and waits for no client."""
    found = [one.container for one in described() if one.contract.recipe == "pgbouncer"]
    assert found
    for container in found:
        assert (container.stop_signal, container.stop_timeout >= 30) == ("SIGINT", True)


def test_postgresql_gets_shared_memory_for_parallel_queries() -> None:
    found = [
        resource
        for server, description in descriptions()
        for resource in description.resources
        if isinstance(resource, Container) and resource.container == "patroni"
    ]
    assert found
    assert all(container.shared_memory >= 256 << 20 for container in found)


def test_every_port_that_a_program_opens_is_explained() -> None:
    [contract] = [contract for contract in CONTRACTS if contract.image == "k3s"]
    opened = {int(port) for port in contract.words(Kind.LISTENS)}
    assert opened <= set(k3s.PORTS)


def test_a_wrong_contract_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "image: x\nstand_in: {program: x 1, is: x, groups: [x], debian: 12}\n"
        "sources: {a: b}\nlines:\n"
        "  - {kind: user, is: [], source: c}\n"
        "  - {kind: uesr, is: [], source: a}\n"
        "  - {kind: behaviour, source: a}\n"
        "  - {kind: ports, source: a}\n"
        "  - {kind: user, is: ['1'], source: a}\n"
        "  - {kind: user, is: ['2'], source: a}\n"
    )
    with pytest.raises(InputError) as caught:
        read_contract(path)
    told = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in told] == ["2", "5", "6", "7", "8", "10"]
    assert "debian" in told[0]
    assert "did you mean user" in told[2]
