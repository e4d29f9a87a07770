"""What a bundle asks each host beside its state: the versions of its programs, and the ends of its logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybuzz.engine.look.observe import Questions, observation, replied
from keybuzz.model.core.errors import ContactError, sentence_of
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.host.docker import Container
from keybuzz.model.host.programs import LogEnd, Programs
from keybuzz.model.host.system import SystemdUnit
from keybuzz.site.module import Description
from keybuzz.transport.replies import share

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task

_PROGRAMS = "bundle.programs"
_LOG = "bundle.log."
_SPREAD = 16
"""Bytes of a reply for each byte of a stream: there are two of them, and JSON writes a byte as up to six."""


@dataclass(frozen=True, slots=True)
class Log:
    """The end of one stream of a log."""

    name: str
    """Of the container or unit, with the stream."""
    text: str
    note: str = ""
    """Why there is none, or that it is cut."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one host answered."""

    programs: Mapping[str, str]
    """Versions by program; empty where the host did not say."""
    logs: tuple[Log, ...]


def readings(descriptions: Iterable[Description], lines: int, hosts: int) -> tuple[Reading, ...]:
    """Return what one host is asked, of so many that are asked at once: their answers share the room."""
    logs = [
        (resource.name, isinstance(resource, SystemdUnit))
        for found in descriptions
        for resource in found.resources
        if isinstance(resource, Container | SystemdUnit)
    ]
    most = share(hosts).size // (_SPREAD * max(1, len(logs)))
    return (
        Programs(_PROGRAMS),
        *(LogEnd(f"{_LOG}{name}", name, unit, lines, most) for name, unit in dict.fromkeys(logs)),
    )


def told(answers: Mapping[str, Answer]) -> Told:
    """Return what the answers of a host say."""
    programs = answers.get(_PROGRAMS)
    known = programs is not None and programs.known
    logs = (log for name, answer in answers.items() for log in _logs(name, answer))
    return Told(programs.value if programs is not None and known else {}, tuple(logs))


def _logs(name: str, answer: Answer) -> Iterator[Log]:
    if not name.startswith(_LOG):
        return
    name = name.removeprefix(_LOG)
    if not answer.known:
        yield Log(name, "", answer.problem)
        return
    for stream in ("stdout", "stderr"):
        text, cut = answer.value[stream], answer.value[f"{stream}_cut"]
        if text:
            note = "earlier lines are left out: they had no room" if cut else ""
            yield Log(f"{name}.{stream}", text, note)
        elif cut:
            yield Log(f"{name}.{stream}", "", "its last line alone had no room")


def ask_all(
    nornir: Nornir, wanted: Mapping[str, tuple[Reading, ...]]
) -> tuple[dict[str, Told], dict[str, str]]:
    """Ask all these hosts at once; return what each told, and why others did not: one ends nothing."""
    chosen = nornir.filter(filter_func=lambda host: host.name in wanted)
    chosen.data.reset_failed_hosts()
    heard: dict[str, Told] = {}
    silent: dict[str, str] = {}
    for host, results in chosen.run(task=_ask, wanted=wanted, on_failed=True).items():
        error = results[0].exception
        if error is None:
            heard[host] = told(results[0].result)
        elif isinstance(error, ContactError):
            silent[host] = error.sentence
        else:
            silent[host] = sentence_of(error)
    chosen.data.reset_failed_hosts()
    return heard, silent


def _ask(task: Task, wanted: Mapping[str, tuple[Reading, ...]]) -> Result:
    """Nornir task: the result is the host's answers by the names of the readings."""
    from nornir.core.task import Result

    mine = Questions((), wanted[task.host.name])
    reply, between = replied(task, mine, share(len(wanted)))
    return Result(host=task.host, result=observation(mine, reply, between).answers)
