"""`kbz secrets rotate`: a new value for one credential, in the order that keeps the live cluster working.

1. the cluster must be whole and as described; 2. the new value is kept beside the store; 3. the cluster takes it,
described with the new value; 4. every member proves it by a real login; 5. the store is switched; 6. a look at the
cluster with the store as it is now finds nothing to do. Cut off at any point, the same command goes on: the value
that was begun with is the one that is used, and each step finds out by itself whether it is still to be done.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.describe import HostDescription
from keybuzz.engine.events import GateHeld, GateWaiting
from keybuzz.engine.lock import leases
from keybuzz.engine.observe import observe
from keybuzz.engine.outcomes import in_journal, remember, report_of
from keybuzz.engine.run import RunRequest, conducted
from keybuzz.engine.survey import Survey, survey
from keybuzz.engine.workspace import Workspace
from keybuzz.model.errors import InputError, RefusedError, StepError, StoppedError, UsageError
from keybuzz.model.finding import Finding, Level
from keybuzz.model.outcome import ExitCode
from keybuzz.model.redact import Redactor
from keybuzz.model.report import Report
from keybuzz.model.secret import Secret
from keybuzz.model.server import Server
from keybuzz.site.credential_pending import begin, pending, switch
from keybuzz.site.credential_schema import Credential, find
from keybuzz.site.credentials import hidden, load_credentials
from keybuzz.site.module import Description, Module, Rotation
from keybuzz.site.problems import nearest
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir

_PROOF_TIMEOUT = 60.0
"""Seconds until every member must accept the new value: a replica gets it with the stream."""
_POLL = 0.5


def rotate(workspace: Workspace, service: str, wait: float, timeout: float) -> Report:
    """Rotate one credential; RefusedError before anything was changed when the cluster is not fit for it."""
    module, rotation = _choose(service)
    item = find(rotation.credential)
    if item is None:
        raise InputError(f"{rotation.credential} is not in the schema", where=service)
    selected = frozenset(server.name for server in workspace.site.members(module.group))
    folder = workspace.site.settings.state / "leases"
    with (
        leases(folder, workspace.lease_names(selected), workspace.command, wait, workspace.stop),
        in_journal(workspace, "rotate", (module,)) as number,
    ):
        request = RunRequest((_rotating(module, rotation),), selected, timeout=timeout)
        return remember(workspace, number, _rotate(workspace, request, rotation, item))


def require_service(service: str) -> None:
    """Raise UsageError when nothing of that name can be rotated."""
    _choose(service)


def _choose(service: str) -> tuple[Module, Rotation]:
    known = {
        found.service: (module, found) for module in all_modules() for found in module.rotations
    }
    if service not in known:
        raise UsageError(f"there is no rotation {service}", hint=nearest(service, known))
    module, rotation = known[service]
    if rotation.refused:
        raise RefusedError(
            f"{service} is not rotated by kbz yet: {rotation.refused}",
            where=service,
            hint="nothing was changed; docs/credentials.md says what was seen",
        )
    return module, rotation


def _rotating(module: Module, rotation: Rotation) -> Module:
    """Return the module as a rotation runs it: its own stages, and the logins among what each member is asked."""

    def describe(site: Site, server: Server) -> Description:
        found = module.describe(site, server)
        return replace(found, readings=(*found.readings, *rotation.logins(site, server)))

    return replace(module, next_stage=rotation.next_stage, describe=describe)


def _rotate(
    workspace: Workspace, request: RunRequest, rotation: Rotation, item: Credential
) -> Report:
    started = time.monotonic()
    store = workspace.site.settings.credentials
    if pending(store, item) is None:
        _require_quiet(survey(workspace, request.modules, request.selected))
    target = with_secret(workspace, begin(store, item))
    done = replace(conducted(target, request), verb="rotate")
    if done.exit_code is not ExitCode.GOOD:
        return _unfinished(done, rotation)
    _prove(target, request, rotation)
    switch(store, item)
    now = with_credentials(workspace, load_credentials(store))
    after = survey(now, request.modules, request.selected)
    if after.plan.size or after.snapshot.unreachable:
        raise StepError(
            "the store was switched, and the cluster is not as it describes it",
            where=rotation.service,
            hint=f"kbz plan {request.modules[0].name}",
        )
    seconds = time.monotonic() - started
    report = report_of(now, "rotate", after, dict(done.hosts), seconds, done.plan)
    return replace(report, findings=(*report.findings, *_other_consumers(request, item)))


def _other_consumers(request: RunRequest, item: Credential) -> tuple[Finding, ...]:
    """Return a warning for each other group that needs the value: its own module brings it there."""
    return tuple(
        Finding(
            "secrets.consumers",
            Level.WARN,
            f"{group} uses {item.name} too, and applications may",
            hint="run the modules of that group now; new connections with the old value are refused",
        )
        for group in item.consumers
        if group != request.modules[0].group
    )


def _require_quiet(found: Survey) -> None:
    """A rotation begins on a cluster that is whole and as described, so that all that it meets is its own doing."""
    module = found.modules[0].name
    for host, reason in sorted(found.snapshot.unreachable.items()):
        raise RefusedError(f"can not be asked: {reason}", where=host, hint="bring it back first")
    if found.plan.size:
        raise RefusedError(
            f"{found.plan.size} things are not as described; a rotation would not know its own changes",
            where=module,
            hint=f"kbz plan {module}, then kbz run {module}",
        )
    for finding in found.findings:
        if finding.level >= Level.UNKNOWN:
            raise RefusedError(
                f"{finding.check}: {finding.message}",
                where=finding.host or module,
                hint=finding.hint or f"kbz health {module}",
            )


def _unfinished(done: Report, rotation: Rotation) -> Report:
    hint = (
        f"the store still holds the old value; kbz secrets rotate {rotation.service} goes on from here"
        " with the value that it began with"
    )
    return replace(done, error=f"{done.error}\n  → {hint}".lstrip())


def _prove(workspace: Workspace, request: RunRequest, rotation: Rotation) -> None:
    """Wait until every member accepts a real login with the new value; StepError with the last reason."""
    deadline = time.monotonic() + _PROOF_TIMEOUT
    started = time.monotonic()
    told = ""
    while reason := _not_proven(workspace, request, rotation):
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


def _not_proven(workspace: Workspace, request: RunRequest, rotation: Rotation) -> str | None:
    site = workspace.site
    logins = {host: rotation.logins(site, site.server(host)) for host in request.selected}
    described = {
        host: HostDescription({rotation.service: Description((), readings)}, ())
        for host, readings in logins.items()
    }
    snapshot = observe(workspace.nornir, described)
    for host, reason in sorted(snapshot.unreachable.items()):
        return f"{host}: {reason}"
    for host, observation in sorted(snapshot.observations.items()):
        for answer in observation.answers.values():
            if not answer.known:
                return f"{host}: {answer.name}: {answer.problem}"
            if not answer.value["accepted"]:
                return f"{host}: {answer.name}: {answer.value['reason']}"
    return None


def with_secret(workspace: Workspace, secret: Secret) -> Workspace:
    """Return the workspace over a site that has another value for one credential."""
    return with_credentials(workspace, {**workspace.site.credentials, secret.name: secret})


def with_credentials(workspace: Workspace, credentials: Mapping[str, Secret]) -> Workspace:
    """Return the workspace over other credentials; old and new values are masked in what hosts answer from now on."""
    site = replace(workspace.site, credentials=credentials)
    masked = (*hidden(workspace.site.credentials), *hidden(credentials))
    config = copy.copy(workspace.nornir.config)
    config.user_defined = {**config.user_defined, "site": site, "redactor": Redactor(masked)}
    for host in workspace.nornir.inventory.hosts.values():
        # A session masks what it knew when it opened.
        host.close_connections()
    return replace(workspace, site=site, nornir=_nornir(workspace.nornir, config))


def _nornir(nornir: Nornir, config: object) -> Nornir:
    found = copy.copy(nornir)
    found.config = config  # type: ignore[assignment]  # the same class; only its site differs
    return found
