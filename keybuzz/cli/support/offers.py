"""What a shell is offered where a host, a group, a module or an id is to be typed; verbs and options come by click.

A shell asks at every press of the key: nothing heavy is imported, and a site that cannot be read offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from keybuzz.cli.support.place import configuration

if TYPE_CHECKING:
    from keybuzz.site.module import Module

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
SETS = ("@failed", "@drifted", "@unhealthy")


def _quietly(words: Callable[[click.Context], Iterable[tuple[str, str]]]) -> Offer:
    """Return what click asks for; a shell's line is no place for an error."""

    def offer(
        context: click.Context, parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        del parameter
        head, term = _parted(begun)
        try:
            known = list(words(context))
        except Exception:  # whatever is wrong with the site: the verb itself will say it
            return []
        return [
            CompletionItem(head + word, help=text) for word, text in known if word.startswith(term)
        ]

    return offer


def _parted(begun: str) -> tuple[str, str]:
    """Part what is typed into what stays, up to the last comma and `!`, and the term that is begun."""
    place = max(begun.rfind(","), begun.rfind("!")) + 1
    return begun[:place], begun[place:]


def _terms(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.site.files.tsv import read_servers
    from keybuzz.site.groups import load_groups
    from keybuzz.site.limit import COLUMNS
    from keybuzz.site.load import read_configuration

    found = read_configuration(_configuration(context))
    catalogue = load_groups(found.groups)
    for group in catalogue.groups:
        for name in (group.name, *group.aliases):
            yield name, group.title
    servers = read_servers(found.servers, catalogue)
    for server in servers:
        yield server.name, f"{server.role}/{server.subrole}"
    yield from ((word, "hosts of the last run") for word in SETS)
    yield from ((f"{column}=", "a column of servers.tsv") for column in COLUMNS)
    for column, read in COLUMNS.items():
        for value in sorted({read(server) for server in servers} - {""}):
            yield f"{column}={value}", "servers with it"


def _hosts(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.site.files.tsv import read_servers
    from keybuzz.site.groups import load_groups
    from keybuzz.site.load import read_configuration

    found = read_configuration(_configuration(context))
    for server in read_servers(found.servers, load_groups(found.groups)):
        yield server.name, f"{server.role}/{server.subrole}"


def _configuration(context: click.Context) -> Path:
    # While a line is completed the group's function has not run, so its object is not there.
    return Path(configuration(context.find_root().params.get("config")))


def _modules(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the folders of tasks/, without importing one (a test proves that their names are these)."""
    del context
    import tasks

    for entry in iter_modules(tasks.__path__):
        if entry.ispkg:
            yield entry.name.replace("_", "-"), "module"
    yield "all", "every module"


def _single_modules(context: click.Context) -> Iterator[tuple[str, str]]:
    yield from (found for found in _modules(context) if found[0] != "all")


def module_names() -> frozenset[str]:
    """Return what can be named as a module."""
    return frozenset(name for name, _ in _modules(click.Context(click.Command(""))))


def _ids(context: click.Context) -> Iterator[tuple[str, str]]:
    del context
    from keybuzz.cli.look.explain import DOCS
    from keybuzz.model.core.outcome import ExitCode
    from keybuzz.report.explain import requirements
    from keybuzz.report.runbooks import read_runbooks

    for name, section in read_runbooks(DOCS / "runbooks").items():
        yield name, section.means
    yield from requirements((DOCS / "requirements.md").read_text(encoding="utf-8")).items()
    for code in ExitCode:
        yield str(int(code)), "exit code"


def _applications(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.site.applications.parse import load_applications
    from keybuzz.site.load import read_configuration

    found = read_configuration(_configuration(context))
    for item in load_applications(found.applications).items:
        yield item.name, item.title


def _modules_and_hosts(context: click.Context) -> Iterator[tuple[str, str]]:
    yield from _modules(context)
    yield from _hosts(context)


def _verbs(context: click.Context) -> Iterator[tuple[str, str]]:
    root = context.find_root()
    command = root.command
    for word in context.params.get("words") or ():
        found = command.get_command(root, word) if isinstance(command, click.Group) else None
        if found is None:
            return
        command = found
    if isinstance(command, click.Group):
        yield from ((name, "verb") for name in command.list_commands(root))


def _whole(context: click.Context, has: Callable[[Module], bool]) -> Iterator[tuple[str, str]]:
    """Yield the modules that have something; they are loaded for it."""
    del context
    from keybuzz.engine.catalogue import all_modules

    yield from ((module.name, module.title) for module in all_modules() if has(module))


def _drills(context: click.Context) -> Iterator[tuple[str, str]]:
    del context
    from keybuzz.engine.catalogue import all_modules

    yield "restore", "restore the newest backup into a scratch place"
    for module in all_modules():
        if module.drills:
            yield module.name, module.title
        yield from ((drill.name, module.title) for drill in module.drills if drill.name)


def _led(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.engine.catalogue import all_modules

    del context
    for module in all_modules():
        if module.switchover is not None:
            yield module.fronts or module.name, "its lead can be handed over"


def _archives(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.engine.catalogue import all_modules

    del context
    for module in all_modules():
        for archive in module.archives:
            yield archive.service, f"backups of {archive.service}"


def _rotations(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield what can be rotated; what is always refused is not offered."""
    from keybuzz.engine.catalogue import settled
    from keybuzz.engine.rotations import offered
    from keybuzz.site.load import load_inventory_site, read_configuration

    site = settled(load_inventory_site(read_configuration(_configuration(context))))
    for item in offered(site):
        yield item.rotation.service, item.rotation.credential


def _images(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.site.files.problems import read_file
    from keybuzz.site.load import read_configuration
    from keybuzz.site.versions import parse_versions

    path = read_configuration(_configuration(context)).versions
    for name, version in parse_versions(read_file(path, 1 << 18), str(path)).items():
        yield name, version.reference


def _rules(context: click.Context) -> Iterator[tuple[str, str]]:
    del context
    from keybuzz.policy.registry import ids

    yield from ((name, "rule") for name in ids())


limit_words = _quietly(_terms)
verb_words = _quietly(_verbs)
recovery_words = _quietly(
    lambda context: _whole(context, lambda module: module.recovery is not None)
)
drill_words = _quietly(_drills)
switchover_words = _quietly(_led)
rotation_words = _quietly(_rotations)
archive_words = _quietly(_archives)
image_words = _quietly(_images)
rule_words = _quietly(_rules)
host_words = _quietly(_hosts)
module_words = _quietly(_modules)
one_module_words = _quietly(_single_modules)
id_words = _quietly(_ids)
application_words = _quietly(_applications)
module_or_host_words = _quietly(_modules_and_hosts)
