"""`kbz versions mirror`: each frozen image is pulled once, by the builder, and handed to every host that needs it.

No container is touched. What `docker load` brings has no digest any more: such an image is compared by its id, which
is made of its content, with the builder's, which pulled exactly the digest.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from keybuzz.agent.kinds.docker.images import pull
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.agent.wire.docker import Docker
from keybuzz.engine.change.steps import StepResult, apply, results_of
from keybuzz.engine.events import ImageWork
from keybuzz.engine.images.images import save_archive
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import StepError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.host.docker import Image
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.module import Description, Module

VERB = "versions mirror"
_MODULE = "versions"


@dataclass
class _Work:
    """One call: what each host needs, and what became of it."""

    workspace: Workspace
    needs: Mapping[str, tuple[str, ...]]
    """Host to references, with digests where they count."""
    snapshot: Snapshot
    builder: Docker
    folder: Path
    results: list[StepResult] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Host and reference, where the tag is another image: it stays, a container may be made from it."""


def mirror(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Report:
    """Bring the images that the modules pull to the selected hosts; a host that has one is asked only.

    StepError when the builder can not pull or save one: what was handed out before stays, the same command goes on.
    """
    with (
        claimed(workspace, spoken(VERB, modules), selected),
        in_journal(workspace, VERB, modules) as number,
    ):
        return remember(workspace, number, _mirror(workspace, modules, selected))


def _mirror(workspace: Workspace, modules: tuple[Module, ...], selected: frozenset[str]) -> Report:
    started = time.monotonic()
    nornir = workspace.nornir.filter(filter_func=lambda host: host.name in selected)
    needs = {
        host: _pulled(description)
        for host, description in describe_all(nornir, modules).items()
        if _pulled(description)
    }
    images = {host: _asking(references) for host, references in needs.items()}
    snapshot = observe(workspace.nornir, images)
    settings = workspace.site.settings
    (settings.state / "images").mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(prefix="mirror-", dir=settings.state / "images") as folder:
        builder = Docker(str(settings.builder_socket))
        work = _Work(workspace, needs, snapshot, builder, Path(folder))
        for reference in sorted({item for references in needs.values() for item in references}):
            _bring(work, reference)
    return _report(work, modules, time.monotonic() - started)


def _pulled(description: HostDescription) -> tuple[str, ...]:
    found = [
        resource.reference
        for module in description.modules.values()
        for resource in module.resources
        if isinstance(resource, Image) and not resource.built
    ]
    return tuple(dict.fromkeys(found))


def _asking(references: Iterable[str]) -> HostDescription:
    """Return the question for a host: each reference, and the tag that it has after `docker load`."""
    names = dict.fromkeys(name for found in references for name in (found, _tagged(found)))
    return HostDescription({_MODULE: Description(tuple(Image(name) for name in names))}, ())


def _tagged(reference: str) -> str:
    return reference.partition("@")[0]


def _bring(work: _Work, reference: str) -> None:
    """Hand one image to the hosts that lack it; the builder is asked only when there is one."""
    lacking = [
        host
        for host, references in work.needs.items()
        if reference in references and host in work.snapshot.observations
        if not work.snapshot.observations[host].states[Image(reference).identity].present
    ]
    if not lacking:
        return
    identity = _on_builder(work, reference)
    tagged = Image(_tagged(reference), built=True)
    found = {
        host: work.snapshot.observations[host].states[tagged.identity].attributes.get("id")
        for host in lacking
    }
    work.others.extend((host, reference) for host in lacking if found[host] not in (None, identity))
    lacking = [host for host in lacking if found[host] is None]
    if not lacking:
        return
    archive = work.folder / "image.tar"
    try:
        work.workspace.listen(ImageWork(reference, f"goes to {len(lacking)} hosts"))
        save_archive(work.builder, tagged.reference, archive)
    except AgentError as error:
        raise StepError(error.what, where=reference, hint=error.hint) from error
    changes = {host: (Change(host, _MODULE, tagged, Action.CREATE),) for host in lacking}
    chosen = work.workspace.nornir.filter(filter_func=lambda host: host.name in changes)
    done = chosen.run(
        task=apply,
        changes=changes,
        archives={tagged.reference: archive},
        listen=work.workspace.listen,
        on_failed=True,
    )
    chosen.data.reset_failed_hosts()
    for host in lacking:
        work.results.extend(results_of(done[host][0], changes[host]))


def _on_builder(work: _Work, reference: str) -> str:
    """Return the image's id on the builder, which pulls it when it has not yet."""
    try:
        if (found := work.builder.image_id(reference)) is None:
            work.workspace.listen(ImageWork(reference, "is pulled, once"))
            pull(reference, work.builder)
            found = work.builder.image_id(reference)
    except AgentError as error:
        raise StepError(error.what, where=reference, hint=error.hint) from error
    if found is None:
        raise StepError("is not on the builder after its pull", where=reference)
    return found


def _report(work: _Work, modules: tuple[Module, ...], seconds: float) -> Report:
    hosts = {host: _ended(work, host) for host in sorted(work.needs)}
    pinned = sorted({item for found in work.needs.values() for item in found if "@" in item})
    moved = tuple(
        Finding(
            "versions.tag",
            Level.WARN,
            f"has another image under {_tagged(reference)}, which was left alone",
            host=host,
            hint="kbz run pulls the locked one by its digest",
        )
        for host, reference in work.others
    )
    findings = tuple(
        Finding(
            "versions.digest",
            Level.WARN,
            f"{reference} was handed out by tag and compared by its image id: docker load keeps no digest",
            hint="where hosts reach no registry, versions.no_digests in the overlay says why tags must do",
        )
        for reference in pinned
        if any(result.change.resource.name == _tagged(reference) for result in work.results)
    )
    names = tuple(module.name for module in modules)
    trips = work.workspace.round_trips()
    return Report(VERB, names, hosts, Plan({}), (*moved, *findings), (), seconds, round_trips=trips)


def _ended(work: _Work, host: str) -> HostReport:
    if host in work.snapshot.unreachable:
        return HostReport(host, Outcome.UNREACHABLE, what=work.snapshot.unreachable[host])
    mine = [result for result in work.results if result.change.host == host]
    changed = sum(result.outcome is Outcome.CHANGED for result in mine)
    for result in mine:
        if result.outcome is not Outcome.CHANGED:
            return HostReport(
                host, result.outcome, changed, what=f"{result.change.identity}: {result.what}"
            )
    return HostReport(host, Outcome.CHANGED if changed else Outcome.OK, changed)
