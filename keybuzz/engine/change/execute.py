"""One command on many hosts, with exit codes and both streams kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybuzz.engine.memory.claims import claimed_when_met
from keybuzz.engine.memory.deeds import in_history
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, UsageError, sentence_of
from keybuzz.model.core.outcome import ExitCode, Outcome, exit_code
from keybuzz.model.core.visible import in_one_line
from keybuzz.site.limit import parse_limit
from keybuzz.transport.kept import KEPT, share
from keybuzz.transport.link import commands, hide_of
from keybuzz.transport.meeting import HeldError

if TYPE_CHECKING:
    from nornir.core.task import Result, Task

    from keybuzz.transport.session import Execution

_SIGNALLED = 128
"""Added to a signal's number, as shells do: the agent tells them apart, a shell does not."""
_CUT_OFF = "it was cut off, and may have taken effect"


@dataclass(frozen=True, slots=True)
class HostExecution:
    """How the command ended on one host. `exit_code` is None when it never ended there, 128 + N for signal N."""

    host: str
    outcome: Outcome
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    what: str = ""
    left_out: int = 0
    """Bytes of output that were counted and not kept."""

    def __post_init__(self) -> None:
        in_one_line(self, "what")


def execute(task: Task, argv: tuple[str, ...], timeout: float, keep: int = KEPT) -> Result:
    """Nornir task: run a command; the result is keybuzz.transport.session.Execution."""
    from nornir.core.task import Result

    done = commands(task).execute(argv, timeout=timeout, keep=keep)
    return Result(host=task.host, result=done, failed=done.exit_code != 0)


def execute_everywhere(
    workspace: Workspace, limit: tuple[str, ...], command: tuple[str, ...], timeout: float
) -> tuple[HostExecution, ...]:
    """Run the command on the hosts of --limit, which must be given: no command runs on all by accident.

    The leases of their clusters are held: what a command does to a host is known only to its author.
    """
    chosen = _chosen(workspace, limit)
    with claimed_when_met(workspace, "kbz exec", chosen):
        return _execute(workspace, chosen, command, timeout)


def look_everywhere(
    workspace: Workspace, limit: tuple[str, ...], command: tuple[str, ...], timeout: float
) -> tuple[HostExecution, ...]:
    """Do the same beside whoever holds the leases: the operator says that the command only looks."""
    return _execute(workspace, _chosen(workspace, limit), command, timeout)


def _chosen(workspace: Workspace, limit: tuple[str, ...]) -> frozenset[str]:
    if not limit:
        raise UsageError("exec needs --limit", hint="--limit all runs it everywhere")
    site = workspace.site
    return parse_limit(limit, site.servers, site.catalogue, workspace.host_sets())


def _execute(
    workspace: Workspace, chosen: frozenset[str], command: tuple[str, ...], timeout: float
) -> tuple[HostExecution, ...]:
    argv = ("/bin/sh", "-c", command[0]) if len(command) == 1 else command
    nornir = workspace.nornir.filter(filter_func=lambda host: host.name in chosen)
    line = str(hide_of(nornir.config.user_defined)(workspace.command))
    with in_history(workspace.journal.path, "exec", line, workspace.site.root) as deed:
        followed = _Followed(dict.fromkeys(sorted(chosen)))
        try:
            results = nornir.run(
                task=followed.execute, argv=argv, timeout=timeout, keep=share(len(chosen))
            )
        except BaseException:
            deed.hosts.update({item.host: _record(item) for item in followed.cut_off()})
            raise
        ended = tuple(_result(host, results[host][0]) for host in sorted(results))
        deed.ended({item.host: _record(item) for item in ended}, int(worst(ended)))
    workspace.journal.trouble = deed.trouble
    return ended


@dataclass(frozen=True, slots=True)
class _Followed:
    """What became of the command on each host so far; None before it began there."""

    ended: dict[str, HostExecution | None]

    def execute(self, task: Task, argv: tuple[str, ...], timeout: float, keep: int) -> Result:
        """Nornir task: `execute`, followed."""
        from nornir.core.task import Result

        host = task.host.name
        self.ended[host] = HostExecution(host, Outcome.UNKNOWN, what=_CUT_OFF)
        try:
            result = execute(task, argv, timeout, keep)
        except Exception as error:
            lost = isinstance(error, ContactError) and error.inside_step
            if not lost:  # the cut itself loses the contact with those at work
                self.ended[host] = _result(host, Result(host=task.host, exception=error))
            raise
        self.ended[host] = _result(host, result)
        return result

    def cut_off(self) -> tuple[HostExecution, ...]:
        """Return how each host ended when the command was cut off everywhere."""
        return tuple(
            item or HostExecution(host, Outcome.SKIPPED, what="it was not begun")
            for host, item in tuple(self.ended.items())
        )


def _record(item: HostExecution) -> HostRecord:
    said = f"exit {item.exit_code}" if item.exit_code is not None else ""
    return HostRecord(item.host, item.outcome, 0, item.what or said)


def _result(host: str, result: Result) -> HostExecution:
    error = result.exception
    if isinstance(error, HeldError):
        return HostExecution(host, Outcome.REFUSED, what=error.sentence)
    if isinstance(error, ContactError):
        return HostExecution(host, Outcome.UNREACHABLE, what=error.sentence)
    if error is not None:
        return HostExecution(host, Outcome.FAILED, what=sentence_of(error))
    done: Execution = result.result
    words = ["ran out of its time and was ended"] if done.timed_out else []
    words += [f"{done.left_out} more bytes of output were not kept"] if done.left_out else []
    what = "; ".join(words)
    code = done.exit_code if done.exit_code >= 0 else _SIGNALLED - done.exit_code
    outcome = Outcome.OK if done.exit_code == 0 and not done.timed_out else Outcome.FAILED
    return HostExecution(host, outcome, code, done.stdout, done.stderr, what, done.left_out)


def worst(results: tuple[HostExecution, ...]) -> ExitCode:
    """Return the exit code of all hosts together."""
    return exit_code(result.outcome for result in results)
