"""`kbz secrets rotate`: a new value for one credential, in the order that keeps the live cluster working.

1. the cluster must be whole and as described; 2. the new value is kept beside the store; 3. the cluster takes it,
described with the new value (and beside the old one, where it can take both), then who uses it takes it; 4. every
member proves it by a real login; 5. the store is switched; 6. a cluster that takes both drops the old one; 7. a look
at the cluster with the store as it is now finds nothing to do. Cut off at any point, the same command goes on: the
value that was begun with is the one that is used, and each step finds out by itself whether it is still to be done.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from keybuzz.engine.change.ends import ended_by
from keybuzz.engine.change.freeze import lift
from keybuzz.engine.change.requests import require_awake
from keybuzz.engine.change.rotation_proof import prove
from keybuzz.engine.change.run import RunRequest, conducted, with_error
from keybuzz.engine.look.judging import stopping
from keybuzz.engine.look.survey import Survey, survey
from keybuzz.engine.memory.claims import claimed
from keybuzz.engine.memory.outcomes import in_journal, remember, report_of
from keybuzz.engine.rotations import find_rotation, require_lifted
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import InputError, RefusedError, StepError, StoppedError, UsageError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import ExitCode, Outcome
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.applications.credentials import schema_with
from keybuzz.site.credentials.accounts import find
from keybuzz.site.credentials.pending import begin, forget, pending, switch
from keybuzz.site.credentials.schema import Credential
from keybuzz.site.credentials.store import hidden, load_credentials
from keybuzz.site.module import Description, Module, Rotation
from keybuzz.site.site import Site
from keybuzz.transport.link import hide_of

if TYPE_CHECKING:
    from nornir.core import Nornir


@dataclass(frozen=True, slots=True)
class RotateWords:
    """What was typed after `kbz secrets rotate`."""

    service: str
    wait: float
    """Seconds to wait for another run's lease."""
    timeout: float
    """Seconds for the changes."""
    keep_old: bool = False
    """Stop before the old value is dropped."""
    lifted: tuple[str, ...] = ()
    """Frozen modules that this rotation may change (FRZ-1)."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    """One rotation, found."""

    module: Module
    rotation: Rotation
    item: Credential
    request: RunRequest
    keep_old: bool


@dataclass
class _Progress:
    """How far a rotation came."""

    done: list[Report] = field(default_factory=list)
    """Of each part that changed hosts."""
    state: str = "the store still holds the old value"
    report: Report | None = None
    """Of the whole, once it came to its end."""


def rotate(workspace: Workspace, words: RotateWords) -> Report:
    """Rotate one credential; RefusedError before anything was changed when the cluster is not fit for it."""
    job = _job(workspace, words)
    modules, selected = job.request.modules, job.request.selected
    require_awake(workspace, selected, "a rotation needs every member")
    with (
        claimed(
            workspace, proposed("kbz", "secrets", "rotate", words.service), selected, words.wait
        ),
        in_journal(workspace, "rotate", modules) as number,
    ):
        return remember(workspace, number, _rotate(workspace, job))


def require_service(
    site: Site, service: str, lifted: Iterable[str], *, keep_old: bool = False
) -> None:
    """Raise UsageError or RefusedError for a rotation that could not begin with these words. Needs no secrets."""
    found = find_rotation(site, service)
    if keep_old and not found.rotation.keeps_old:
        raise UsageError(
            f"{service} has one value at a time, so that the old one cannot be kept",
            hint="docs/credentials.md says what its applications see",
        )
    require_lifted(found, lifted)


def _job(workspace: Workspace, words: RotateWords) -> _Job:
    found = find_rotation(workspace.site, words.service)
    module, rotation = found.module, found.rotation
    item = find(rotation.credential)
    if item is None:
        raise InputError(f"{rotation.credential} is not in the schema", where=words.service)
    chain = (_rotating(module, rotation), *found.followers)
    selected = frozenset(
        server.name for one in chain for server in workspace.site.members(one.group)
    )
    lifted = lift(words.lifted, words.reason, chain)
    require_service(workspace.site, words.service, lifted.modules, keep_old=words.keep_old)
    request = RunRequest(chain, selected, timeout=words.timeout, lifted=lifted)
    return _Job(module, rotation, item, request, words.keep_old)


def _rotating(module: Module, rotation: Rotation) -> Module:
    """Return the module as a rotation runs it: its own stages, and the logins among what each member is asked.

    Two passwords at once, or another one than the store's, are what a rotation passes through: its stages refuse what
    is wrong with the cluster, and not what a run refuses before the first of its own.
    """

    def describe(site: Site, server: Server) -> Description:
        found = module.describe(site, server)
        return replace(found, readings=(*found.readings, *rotation.logins(site, server)))

    return replace(
        module, next_stage=rotation.next_stage, describe=describe, foreign=lambda live: None
    )


def _rotate(workspace: Workspace, job: _Job) -> Report:
    """Rotate; once hosts were changed, whatever ends it is in a report that says where it stands."""
    progress = _Progress()
    error = ended_by(
        workspace.site,
        workspace.cuts,
        lambda: _steps(workspace, job, progress),
        proposed("kbz", "secrets", "rotate", job.rotation.service),
    )
    if error is None:
        assert progress.report is not None
        return progress.report
    if not progress.done:
        raise error
    last = replace(progress.done[-1], hosts=_together(job, progress.done))
    return _unfinished(with_error(last, error), job, progress.state)


def _steps(workspace: Workspace, job: _Job, progress: _Progress) -> None:
    """Take each step that is still to be done; `progress` tells at any time how far it came."""
    started = time.monotonic()
    store, item, done = workspace.site.settings.credentials, job.item, progress.done
    if pending(store, item) is None:
        _require_quiet(
            survey(workspace, job.request.modules, job.request.selected), job.rotation.ends
        )
    if begin(store, item) != workspace.site.secret(item.name):
        target = with_secret(workspace, begin(store, item))
        done.append(conducted(target, job.request))
        if done[-1].exit_code is not ExitCode.GOOD:
            progress.report = _unfinished(done[-1], job, progress.state)
            return
        _go_on(workspace)
        prove(target, job.module, job.rotation)
        switch(store, item)
    progress.state = "the store holds the new value"
    now = with_credentials(
        workspace, load_credentials(store, schema_with(workspace.site.applications))
    )
    if job.rotation.keeps_old and job.keep_old:
        progress.report = _with_both(now, job, done, time.monotonic() - started)
        return
    if job.rotation.keeps_old:
        progress.state = "the store holds the new value, the old one is good too"
        _go_on(workspace)
        done.append(conducted(now, job.request))
        if done[-1].exit_code is not ExitCode.GOOD:
            progress.report = _unfinished(done[-1], job, progress.state)
            return
    _go_on(workspace)
    after = survey(now, job.request.modules, job.request.selected)
    if after.plan.size or after.snapshot.unreachable:
        raise StepError(
            "the store was switched, and the cluster is not as it describes it",
            where=job.rotation.service,
            hint=f"{proposed('kbz', 'plan', job.module.name)}; the same command goes on from here",
        )
    forget(store, item)
    progress.report = _report(now, job, after, done, time.monotonic() - started)


def _go_on(workspace: Workspace) -> None:
    """Begin another step, unless the operator has asked to stop."""
    workspace.cuts.allow()
    if workspace.stop.is_set():
        raise StoppedError("stopped on request")


def _report(
    workspace: Workspace, job: _Job, after: Survey, done: list[Report], seconds: float
) -> Report:
    plan = done[0].plan if done else after.plan
    report = report_of(workspace, "rotate", after, _together(job, done), seconds, plan)
    return replace(report, findings=(*report.findings, *_other_consumers(job)))


def _together(job: _Job, done: list[Report]) -> dict[str, HostReport]:
    """Return each host's end: what was changed there in all."""
    hosts: dict[str, HostReport] = {}
    for host in sorted(job.request.selected):
        changed = sum(r.hosts[host].changed for r in done if host in r.hosts)
        hosts[host] = HostReport(host, Outcome.CHANGED if changed else Outcome.OK, changed)
    return hosts


def _with_both(workspace: Workspace, job: _Job, done: list[Report], seconds: float) -> Report:
    """Return the report of a rotation that stops where both values are good; what is left is no fault."""
    service = job.rotation.service
    both = Finding(
        "secrets.old",
        Level.WARN,
        f"the store holds the new value of {service}, and the cluster takes the old one too",
        hint=f"give applications the new value, then {proposed('kbz', 'secrets', 'rotate', service)} drops the old one",
    )
    found = survey(workspace, job.request.modules, job.request.selected)
    report = _report(workspace, job, found, done, seconds)
    return replace(report, findings=(*report.findings, both))


def _other_consumers(job: _Job) -> tuple[Finding, ...]:
    """Return a warning for each other group that needs the value: its own module brings it there."""
    reached = {module.group for module in job.request.modules}
    return tuple(
        Finding(
            "secrets.consumers",
            Level.WARN,
            f"{group} uses {job.item.name} too, and applications may",
            hint="run the modules of that group now; new connections with the old value are refused",
        )
        for group in job.item.consumers
        if group not in reached
    )


def _require_quiet(found: Survey, ends: tuple[str, ...]) -> None:
    """A rotation begins on a cluster that is whole and as described, so that all that it meets is its own doing."""
    module = found.modules[0].name
    for host, reason in sorted(found.snapshot.unreachable.items()):
        raise RefusedError(f"cannot be asked: {reason}", where=host, hint="bring it back first")
    if found.plan.size:
        what = (
            "1 resource differs" if found.plan.size == 1 else f"{found.plan.size} resources differ"
        )
        names = tuple(item.name for item in found.modules)
        raise RefusedError(
            f"{what} from the description; rotate only from a converged state",
            where=module,
            hint=f"{proposed('kbz', 'plan', *names)}, then {proposed('kbz', 'run', *names)}",
        )
    for finding in stopping(f for f in found.findings if f.check not in ends):
        raise RefusedError(
            f"{finding.check}: {finding.message}",
            where=finding.host or module,
            hint=finding.hint or proposed("kbz", "health", module),
        )


def _unfinished(done: Report, job: _Job, state: str) -> Report:
    again = proposed("kbz", "secrets", "rotate", job.rotation.service)
    hint = f"{state}; {again} goes on from here with the value that it began with"
    return replace(done, verb="rotate", error=f"{done.error}\n  → {hint}".lstrip())


def with_secret(workspace: Workspace, secret: Secret) -> Workspace:
    """Return the workspace over a site that has another value for one credential, and knows the one before."""
    former = {secret.name: workspace.site.secret(secret.name)}
    found = with_credentials(workspace, {**workspace.site.credentials, secret.name: secret})
    site = replace(found.site, former=former)
    found.nornir.config.user_defined["site"] = site
    return replace(found, site=site)


def with_credentials(workspace: Workspace, credentials: Mapping[str, Secret]) -> Workspace:
    """Return the workspace over other credentials; old and new values are masked in what hosts answer from now on."""
    site = replace(workspace.site, credentials=credentials)
    masked = (*hidden(workspace.site.credentials), *hidden(credentials))
    config = copy.copy(workspace.nornir.config)
    config.user_defined = {**config.user_defined, "site": site, "redactor": Redactor(masked)}
    for host in workspace.nornir.inventory.hosts.values():
        for connection in host.connections.values():
            # What is open stays open, and with it the hosts' leases.
            connection.connection.hide_by(hide_of(config.user_defined))
    return replace(workspace, site=site, nornir=_nornir(workspace.nornir, config))


def _nornir(nornir: Nornir, config: object) -> Nornir:
    found = copy.copy(nornir)
    found.config = config  # type: ignore[assignment]  # the same class; only its site differs
    return found
