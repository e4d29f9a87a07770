"""`kbz versions mirror`: each frozen image comes from one place and is handed to every host that needs it.

That place is the builder, which pulls it once, or a host that holds it (`--from`): a registry may no longer have it.
No container is touched. What `docker load` brings has no digest any more: such an image is compared by its id, which
is made of its content, with the one at its source, and gets a tag that stands for the digest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from keybuzz.agent.wire.docker import Docker
from keybuzz.engine.change.steps import StepResult
from keybuzz.engine.events import ImageWork
from keybuzz.engine.images.members import deliver
from keybuzz.engine.images.sources import BuilderSource, HostSource, Source
from keybuzz.engine.look.describe import HostDescription, describe_all
from keybuzz.engine.look.observe import Snapshot, observe
from keybuzz.engine.memory.claims import claimed, spoken
from keybuzz.engine.memory.outcomes import in_journal, remember
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import NothingToDoError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Plan
from keybuzz.model.host.docker import Image
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.site.files.private import private_subfolder
from keybuzz.site.module import Description, Module
from keybuzz.site.parameters.own import NO_DIGESTS
from keybuzz.site.site import Site

VERB = "versions mirror"
_MODULE = "versions"


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """What was asked for."""

    modules: tuple[Module, ...]
    selected: frozenset[str]
    names: tuple[str, ...] = ()
    """Images of versions.yaml; empty for all that the hosts pull."""
    host: str = ""
    """Where they come from; empty for the builder."""
    record: Callable[[Mapping[str, str]], object] = lambda digests: None
    """Told the digest of each image that has none in versions.yaml, by its name there."""


@dataclass
class _Work:
    """One call: what each host needs, and what became of it."""

    workspace: Workspace
    needs: Mapping[str, tuple[str, ...]]
    """Host to references, with digests where they count."""
    snapshot: Snapshot
    source: Source
    folder: Path
    results: list[StepResult] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Host and reference, where the tag is another image: it stays, a container may be made from it."""


def mirror(workspace: Workspace, request: MirrorRequest) -> Report:
    """Bring the images that the modules pull to the selected hosts; a host that has one is asked only.

    StepError when the source cannot give one: what was handed out before stays, the same command goes on.
    """
    modules = request.modules
    hosts = request.selected | ({request.host} if request.host else set())
    with (
        claimed(workspace, spoken(VERB, modules), hosts),
        in_journal(workspace, VERB, modules) as number,
    ):
        return remember(workspace, number, _mirror(workspace, request))


def _mirror(workspace: Workspace, request: MirrorRequest) -> Report:
    started = time.monotonic()
    nornir = workspace.nornir.filter(filter_func=lambda host: host.name in request.selected)
    chosen = {workspace.site.image(name) for name in request.names}
    needs = {
        host: pulled
        for host, description in describe_all(nornir, request.modules).items()
        if (pulled := tuple(r for r in _pulled(description) if not chosen or r in chosen))
    }
    if not needs:
        raise NothingToDoError(
            f"no image of versions.yaml that is pulled belongs on {', '.join(sorted(request.selected))}",
            hint="kbz versions check lists the images; those that kbz builds are built by kbz run",
        )
    wanted = sorted({item for references in needs.values() for item in references})
    images = {host: _asking(references) for host, references in needs.items()}
    if request.host:
        images[request.host] = _asking(wanted)
    snapshot = observe(workspace.nornir, images)
    settings = workspace.site.settings
    images_folder = private_subfolder(settings.state / "images")
    with TemporaryDirectory(prefix="mirror-", dir=images_folder) as folder:
        source = _source(workspace, request.host, snapshot)
        work = _Work(workspace, needs, snapshot, source, Path(folder))
        for reference in wanted:
            _bring(work, reference)
    request.record(_new_digests(workspace.site, source, wanted))
    return _report(work, request.modules, time.monotonic() - started)


def _source(workspace: Workspace, host: str, snapshot: Snapshot) -> Source:
    if host:
        return HostSource(host, snapshot, workspace.nornir)
    docker = Docker(str(workspace.site.settings.builder_socket))
    return BuilderSource(docker, workspace.listen)


def _new_digests(site: Site, source: Source, wanted: Iterable[str]) -> dict[str, str]:
    """Return the digests that the source knows and versions.yaml does not, where this site compares digests."""
    if NO_DIGESTS.of(site) != "none":
        return {}
    names = {v.reference: v.name for v in site.versions.values() if not v.digest}
    found = {names[item]: source.digest(item) for item in wanted if item in names}
    return {name: digest for name, digest in found.items() if digest}


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
    """Hand one image to the hosts that lack it; the source is asked only when there is one."""
    lacking = [
        host
        for host, references in work.needs.items()
        if reference in references and host in work.snapshot.observations
        if not work.snapshot.observations[host].states[Image(reference).identity].present
    ]
    if not lacking:
        return
    identity = work.source.identity(reference)
    tagged = Image(_tagged(reference))
    found = {
        host: work.snapshot.observations[host].states[tagged.identity].attributes.get("id")
        for host in lacking
    }
    work.others.extend((host, reference) for host in lacking if found[host] not in (None, identity))
    archive = work.folder / "image.tar"
    work.workspace.listen(ImageWork(reference, f"goes to {len(lacking)} hosts"))
    work.source.save(reference, archive)
    changes = {host: Change(host, _MODULE, Image(reference), Action.CREATE) for host in lacking}
    nornir, listen = work.workspace.nornir, work.workspace.listen
    work.results.extend(deliver(nornir, changes, reference, identity, archive, listen))


def _report(work: _Work, modules: tuple[Module, ...], seconds: float) -> Report:
    hosts = {host: _ended(work, host) for host in sorted(work.needs)}
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
    names = tuple(module.name for module in modules)
    trips = work.workspace.round_trips()
    return Report(VERB, names, hosts, Plan({}), moved, (), seconds, round_trips=trips)


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
