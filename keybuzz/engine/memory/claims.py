"""The leases of a command that changes hosts: in its own state folder, and on each host that it may change.

The lease of the state folder keeps two runs of one controller apart, that of the hosts the runs of any two controllers.
A host's lease is held by the agent there and ends with the connection: nothing is left that anyone has to remove.
It costs no round trip: it is taken in the first frame of the connection, and given back without an answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from keybuzz.engine.catalogue import all_modules, entries_before
from keybuzz.engine.memory.lock import lease_names, leases
from keybuzz.engine.memory.who import this_caller
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError, StepError, StoppedError
from keybuzz.site.module import Module
from keybuzz.site.sources import changed_since
from keybuzz.transport.link import hide_of, session
from keybuzz.transport.machine_pins import pins_file, read_pins, write_pins
from keybuzz.transport.meeting import Claim, HeldError, Meeting, give_back, meeting_in

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from nornir.core.task import Result, Task

    from keybuzz.transport.session import Session

_POLL = 0.5
"""Seconds between looks at a lease that another controller holds."""
_SETTLE = 2.0
"""Seconds in which one of two controllers that begin at once lets go of what it holds, and a command that has just
ended of what it held."""


@contextmanager
def claimed(
    workspace: Workspace, verb: str, selected: frozenset[str], wait: float = 0.0
) -> Iterator[None]:
    """Hold the leases of the clusters that these hosts are members of, here and on every member that answers.

    The entries before those clusters are held too: a run leads them elsewhere, and another must not restart one then.
    No host is touched for a command that could not be remembered. RefusedError that says who holds a lease, after
    `wait` seconds. All are taken at once; where another controller holds
    one, all are given back and taken in the order of their names, so that of two controllers one always gets all.
    """
    workspace.journal.require_room()
    deadline = time.monotonic() + wait
    selected = selected | _entries(workspace, selected)
    names = set(workspace.lease_names(selected))
    held = {s.name for s in workspace.site.servers if names & set(lease_names([s]))}
    members = sorted(held & set(workspace.nornir.inventory.hosts))
    with _leases_here(workspace, selected, wait), _claim(workspace, verb) as meeting:
        try:
            try:
                _take_at_once(workspace, meeting, members)
            except HeldError:
                _take_in_order(workspace, meeting, members, deadline)
            _require_read(workspace, selected)  # this may have waited for another controller
            _pin(workspace, meeting)
            yield
        finally:
            _give_back(workspace, members)


@contextmanager
def claimed_when_met(workspace: Workspace, verb: str, selected: frozenset[str]) -> Iterator[None]:
    """Hold the leases here, and each host's lease for as long as something is done there.

    For verbs that do one thing on each host, whatever the others do.
    """
    with _leases_here(workspace, selected, 0.0), _claim(workspace, verb) as meeting:
        try:
            yield
            _pin(workspace, meeting)
        finally:
            _give_back(workspace, sorted(selected))


def _entries(workspace: Workspace, selected: frozenset[str]) -> frozenset[str]:
    """Return the hosts of the entries before the clusters of these hosts."""
    site = workspace.site
    fronts = entries_before(all_modules(), site, selected)
    return frozenset(server.name for front in fronts for server in site.members(front.group))


def spoken(verb: str, modules: Iterable[Module]) -> str:
    """Return the command in a few words, for a controller that finds the lease held."""
    return " ".join(["kbz", verb, *(module.name for module in modules)])


def meeting_of(workspace: Workspace) -> Meeting:
    """Return the terms on which the command's connections are made."""
    return meeting_in(workspace.nornir.config.user_defined)


@contextmanager
def _leases_here(workspace: Workspace, selected: frozenset[str], wait: float) -> Iterator[None]:
    folder = workspace.site.settings.state / "leases"
    names = workspace.lease_names(selected)
    # What follows `--` of exec may hold a secret that the store does not know.
    command = str(hide_of(workspace.nornir.config.user_defined)(workspace.command))
    with leases(folder, names, command, wait, workspace.stop):
        _require_read(workspace, selected)
        yield


def _require_read(workspace: Workspace, selected: frozenset[str]) -> None:
    """Raise RefusedError when the site, or what is pinned of these hosts, is not what was read any more."""
    workspace.site.sources.require_same()
    meeting = meeting_of(workspace)
    file = pins_file(workspace.site.settings.known_hosts)
    pins, own = read_pins(file), meeting.new_pins()
    for name in sorted(selected & set(meeting.identities.known)):
        known = meeting.identities.known[name]
        if known.address not in own and pins.get(known.address) != known.pin:
            raise changed_since(file)


@contextmanager
def _claim(workspace: Workspace, verb: str) -> Iterator[Meeting]:
    meeting = meeting_of(workspace)
    who = this_caller()
    meeting.claim = Claim(who.person, who.host, verb, workspace.clock())
    try:
        yield meeting
    finally:
        meeting.claim = None


def _take_at_once(workspace: Workspace, meeting: Meeting, members: list[str]) -> None:
    """Connect to all members and take their leases with that; HeldError when one of them is held."""
    for error in _connect(workspace, members):
        if isinstance(error, HeldError):
            raise error
    for name in members:
        _meet(workspace, meeting, name)


def _take_in_order(
    workspace: Workspace, meeting: Meeting, members: list[str], deadline: float
) -> None:
    """Let go of all, then wait for one after the other: the one that holds the first gets the rest."""
    _give_back(workspace, members)
    claim, meeting.claim = meeting.claim, None
    try:
        _connect(workspace, members)
    finally:
        meeting.claim = claim
    settled = max(deadline, time.monotonic() + _SETTLE)
    for name in members:
        _wait_for(workspace, meeting, name, settled)


def _connect(workspace: Workspace, members: list[str]) -> tuple[BaseException, ...]:
    """Open the sessions of all members at once; return what went wrong, which the survey tells of."""
    chosen = workspace.nornir.filter(filter_func=lambda host: host.name in members)
    chosen.data.reset_failed_hosts()
    opened = chosen.run(task=_open, on_failed=True)
    chosen.data.reset_failed_hosts()
    errors = (results[0].exception for results in opened.values())
    return tuple(error for error in errors if error is not None)


def _open(task: Task) -> Result:
    from nornir.core.task import Result

    session(task)
    return Result(host=task.host)


def _meet(workspace: Workspace, meeting: Meeting, name: str) -> None:
    """Hold the lease of one connected host; one that fails otherwise is asked again, and told of, by the survey."""
    host = workspace.nornir.inventory.hosts[name]
    if link := _link(host):
        try:
            meeting.meet(name, host.connections[link].connection)
        except HeldError:
            raise
        except (ContactError, StepError):
            host.close_connection(link)


def _wait_for(workspace: Workspace, meeting: Meeting, name: str, deadline: float) -> None:
    """Hold the lease of one host as soon as it is free; RefusedError at the deadline."""
    while True:
        try:
            _meet(workspace, meeting, name)
        except HeldError as held:
            if time.monotonic() >= deadline:
                raise RefusedError(held.what, where=held.where, hint=held.hint) from None
            if workspace.stop.wait(_POLL):
                raise StoppedError(
                    f"stopped on request, while it waited for the lease of {name}; nothing was changed"
                ) from None
        else:
            return


def _give_back(workspace: Workspace, members: Iterable[str]) -> None:
    for name in members:
        host = workspace.nornir.inventory.hosts[name]
        if link := _link(host):
            opened: Session = host.connections[link].connection
            with suppress(ContactError):  # an agent that is gone holds nothing
                give_back(opened)


def _link(host: Host) -> str:
    """Return the plugin of the host's open session; empty without one."""
    link = str(host["connection"])
    return link if link in host.connections else ""


def _pin(workspace: Workspace, meeting: Meeting) -> None:
    """Pin the machines that are changed for the first time: their host keys are pinned, so they are the right ones."""
    write_pins(pins_file(workspace.site.settings.known_hosts), meeting.new_pins())
