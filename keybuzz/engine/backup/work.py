"""Runs the programs of a backup on its host, one after the other, each with its deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from keybuzz.engine.backup.flow import flowing
from keybuzz.engine.backup.report import Worked
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError, StoppedError
from keybuzz.model.core.reading import Answer
from keybuzz.model.core.visible import one_line
from keybuzz.site.backups.archive import Work
from keybuzz.transport.link import session

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task

    from keybuzz.transport.session import Execution

Ask = Callable[[], Mapping[str, Answer]]

_LAST_WORDS = 3
"""Lines of a program's output that are told when it failed."""


def work_through(
    workspace: Workspace, host: str, works: Iterable[Work], ask: Ask = dict
) -> Iterator[Worked]:
    """Run each program; after the first needed one that fails only those that tidy up are run.

    `ask` gives the answers that a program which may be unfit by now is judged by.

    What loses the contact is raised, and StoppedError before the next program when the operator asked to stop.
    """
    ordered = tuple(works)
    tidying = [work for work in ordered if work.tidies]
    try:
        yield from _until_one_fails(workspace, host, [w for w in ordered if not w.tidies], ask)
    except Exception:  # a second Ctrl-C cuts the contact, and waits for nothing
        for work in tidying:
            with suppress(KbzError):
                execution(workspace, host, work)
        raise
    for work in tidying:
        yield _worked(workspace, host, work)


def require_going_on(workspace: Workspace) -> None:
    """Raise StoppedError when the operator asked to stop."""
    if workspace.stop.is_set():
        raise StoppedError("stopped on request", hint="the same command begins again")


def _until_one_fails(
    workspace: Workspace, host: str, works: Iterable[Work], ask: Ask
) -> Iterator[Worked]:
    for number, work in enumerate(works):
        if number:
            require_going_on(workspace)
        why = work.unfit(ask()) if work.unfit else ""
        worked = Worked(work.name, False, 0.0, why, 1) if why else _worked(workspace, host, work)
        yield worked
        if not worked.good and work.needed:
            return


def _worked(workspace: Workspace, host: str, work: Work) -> Worked:
    started = time.monotonic()
    done = execution(workspace, host, work)
    good = done.exit_code == 0 and not done.timed_out
    said = "" if good else _last_words(done)
    code = None if done.timed_out else done.exit_code
    return Worked(work.name, good, time.monotonic() - started, said, code)


def execution(workspace: Workspace, host: str, work: Work) -> Execution:
    """Run one program and return how it ended; the error of the contact when that is lost."""
    chosen = workspace.nornir.filter(filter_func=lambda one: one.name == host)
    chosen.data.reset_failed_hosts()
    found = chosen.run(task=_run, work=work, everyone=workspace.nornir, on_failed=True)[host][0]
    chosen.data.reset_failed_hosts()
    if found.exception is not None:
        raise found.exception
    done: Execution = found.result
    return done


def _run(task: Task, work: Work, everyone: Nornir) -> Result:
    from nornir.core.task import Result

    opened = session(task)
    if work.of is not None:
        with flowing(everyone, work.of, work.seconds) as flow:
            done = opened.execute(work.argv, timeout=work.seconds, upload=flow.pieces())
            done = flow.finish(done)
    elif work.brings is not None:
        done = opened.execute(work.argv, timeout=work.seconds, upload=work.brings())
    else:
        done = opened.execute(work.argv, work.stdin, timeout=work.seconds)
    return Result(host=task.host, result=done)


def _last_words(done: Execution) -> str:
    if done.timed_out:
        return "it ran out of its time and was ended"
    lines = [
        line for line in (*done.stdout.splitlines(), *done.stderr.splitlines()) if line.strip()
    ]
    return one_line(" | ".join(lines[-_LAST_WORDS:])) or f"exit {done.exit_code}"
