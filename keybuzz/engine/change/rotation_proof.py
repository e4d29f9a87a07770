"""The proof of a rotation: every member of the cluster accepts the new value by a real login."""

from __future__ import annotations

import time

from keybuzz.engine.events import GateHeld, GateWaiting
from keybuzz.engine.look.describe import HostDescription
from keybuzz.engine.look.observe import observe
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import StepError, StoppedError
from keybuzz.model.host.login import refusal
from keybuzz.site.module import Description, Module, Rotation

_TIMEOUT = 60.0
"""Seconds until every member must accept the new value: a replica gets it with the stream."""
_POLL = 0.5


def prove(workspace: Workspace, module: Module, rotation: Rotation) -> None:
    """Wait until every member accepts a real login with the new value; StepError with the last reason."""
    deadline = time.monotonic() + _TIMEOUT
    started = time.monotonic()
    told = ""
    while reason := _not_proven(workspace, module, rotation):
        if time.monotonic() > deadline:
            raise StepError(
                f"the new value is not accepted: {reason}",
                where=rotation.service,
                hint="the store still holds the old value; the same command goes on from here",
            )
        if reason != told:
            workspace.listen(GateWaiting("a real login on every member", reason))
            told = reason
        if workspace.stop.wait(_POLL):
            raise StoppedError("stopped on request", hint="the same command goes on from here")
    workspace.listen(GateHeld("a real login on every member", time.monotonic() - started))


def _not_proven(workspace: Workspace, module: Module, rotation: Rotation) -> str | None:
    site = workspace.site
    described = {
        server.name: HostDescription(
            {rotation.service: Description((), rotation.logins(site, server))}, ()
        )
        for server in site.members(module.group)
    }
    snapshot = observe(workspace.nornir, described, Access.CHANGE)
    for host, reason in sorted(snapshot.unreachable.items()):
        return f"{host}: {reason}"
    for host, observation in sorted(snapshot.observations.items()):
        for answer in observation.answers.values():
            if reason := refusal(answer):
                return f"{host}: {answer.name}: {reason}"
    return None
