"""Whatever a module asks a host in a look is a question that a session of a look answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from keybuzz.agent.guard import access
from keybuzz.agent.guard.access import LookOnlyError
from keybuzz.agent.guard.looks import Guard
from keybuzz.engine.catalogue import all_modules
from keybuzz.model.core.access import Access
from keybuzz.model.core.reading import Command, ContainerCommand, Reading, SocketQuestion
from keybuzz.site.module import Module
from tasks.galera.service.readings import MysqlQuery
from tasks.patroni.service.readings import PostgresLogin
from tasks.redis.service.readings import RedisQuery
from tests.unit.support.site_values import memory_site

Told = tuple[Any, ...]


def readings(module: Module) -> Iterator[Reading]:
    site = memory_site()
    for server in site.members(module.group)[:3]:
        yield from module.describe(site, server).readings
        for rotation in module.rotations:
            if not rotation.refused:
                yield from rotation.logins(site, server)
        if module.inside is not None:
            yield from module.inside.ask(site, server)
    for entrance in module.entrances:
        yield entrance.ask(site, "10.0.0.10")


def told(reading: Reading) -> Iterator[Told]:
    """Yield what the agent tells its guard when it answers the reading."""
    match reading:
        case Command():
            yield "os.posix_spawn", reading.argv[0], list(reading.argv), {}
        case ContainerCommand():
            yield "kbz.container", list(reading.argv), b""
        case SocketQuestion():
            yield "kbz.socket", reading.question
        case RedisQuery():
            yield from (("kbz.redis", *words) for words in reading.commands)
        case MysqlQuery():
            yield from (("kbz.mysql", statement) for statement in reading.statements)
        case PostgresLogin() if reading.statement:
            yield "kbz.postgres", f"BEGIN READ ONLY; {reading.statement}; COMMIT"


@pytest.mark.parametrize("module", all_modules(), ids=lambda module: module.name)
def test_every_question_of_a_module_is_let_through(module: Module) -> None:
    guard = Guard(access.LOOK)
    for reading in readings(module):
        if reading.needs is Access.LOOK:
            for event, *arguments in told(reading):
                guard(event, tuple(arguments))


def test_there_are_such_questions() -> None:
    kinds = {event for m in all_modules() for r in readings(m) for event, *_ in told(r)}
    assert len(kinds) == 6
    with pytest.raises(LookOnlyError):
        Guard(access.LOOK)("kbz.redis", ("FLUSHALL",))
