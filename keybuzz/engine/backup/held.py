"""Which services have an archive, where it lies, and what backups are in it."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.engine.backup.work import execution
from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.look.asking import Question, ask_each
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import ContactError, RefusedError, StepError, UsageError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.core.visible import one_line
from keybuzz.model.inventory.server import Server
from keybuzz.site.backups.archive import Archive, Copy, DamagedListError
from keybuzz.site.files.problems import nearest
from keybuzz.site.module import Module
from keybuzz.site.site import Site

_ASK_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """One service's archive, and the host that it lies on."""

    module: Module
    archive: Archive
    host: str


def archives() -> dict[str, tuple[Module, Archive]]:
    """Return the archive of each service that has one."""
    return {
        archive.service: (module, archive)
        for module in all_modules()
        for archive in module.archives
    }


ALL = "all"
"""In the place of a service: each that the site has."""


def services_of(workspace: Workspace, service: str) -> tuple[str, ...]:
    """Return the service, or each that the site has an archive of."""
    if service != ALL:
        return (service,)
    site = workspace.site
    return tuple(name for name, (_, archive) in archives().items() if archive.ask(site))


def find(workspace: Workspace, service: str) -> Held:
    """Return a service's archive; UsageError for a service that has none."""
    known = archives()
    if service not in known:
        raise UsageError(f"there are no backups of {service}", hint=nearest(service, known))
    module, archive = known[service]
    hosts = sorted(server.name for server in workspace.site.members(module.group))
    if len(hosts) != 1 or not archive.ask(workspace.site):
        raise RefusedError(
            f"this site has no place for backups of {service}",
            where=service,
            hint=proposed("kbz", "inventory", "--limit", module.group),
        )
    workspace.present(frozenset(hosts))
    return Held(module, archive, hosts[0])


def copies_of(workspace: Workspace, held: Held) -> tuple[Copy, ...]:
    """Return the backups of a service, the oldest first; ContactError when its host does not say."""
    return copies_from(workspace, held, answers_of(workspace, held))


def answers_of(workspace: Workspace, held: Held) -> dict[str, Answer]:
    """Return what the host of the backups says of them, and of the cluster."""
    answers: dict[str, Answer] = {}
    for number, reading in enumerate(held.archive.ask(workspace.site)):
        found = ask_each(workspace.nornir, (held.host,), _question(held, number), _ASK_TIMEOUT)
        answers[reading.name] = found[held.host]
    return answers


def copies_to_use(workspace: Workspace, held: Held) -> tuple[Copy, ...]:
    """Return the backups for a verb that works on their host: a damaged list is made again first.

    On the worst day there is nothing to take a backup of. Lost is what was noted: verifications and restores.
    """
    answers, site = answers_of(workspace, held), workspace.site
    try:
        return held.archive.copies(site, answers)
    except DamagedListError as error:
        if held.archive.relist is None:
            raise ContactError(str(error), where=held.host) from None
    except ValueError as error:
        raise ContactError(str(error), where=held.host) from None
    done = execution(workspace, held.host, held.archive.relist(site))
    if done.exit_code != 0 or done.timed_out:
        said = one_line(done.stderr.strip() or done.stdout.strip())
        raise StepError(f"the list of the backups cannot be made again: {said}", where=held.host)
    return copies_of(workspace, held)


def copies_from(workspace: Workspace, held: Held, answers: dict[str, Answer]) -> tuple[Copy, ...]:
    """Return the backups that the answers tell of; ContactError when they do not."""
    try:
        return held.archive.copies(workspace.site, answers)
    except ValueError as error:
        raise ContactError(str(error), where=held.host) from None


def listed_before(workspace: Workspace, held: Held, answers: dict[str, Answer]) -> frozenset[str]:
    """Return the ids that the answers tell of; none where the list is damaged: the next backup makes it again."""
    try:
        return frozenset(copy.id for copy in held.archive.copies(workspace.site, answers))
    except DamagedListError:
        return frozenset()
    except ValueError as error:
        raise ContactError(str(error), where=held.host) from None


def _question(held: Held, number: int) -> Question:
    def ask(site: Site, server: Server) -> Reading:
        del server
        return held.archive.ask(site)[number]

    return ask
