"""What a shell is offered where a host, a group, a module or an id is to be typed; verbs and options come by click.

A shell asks at every press of the key: nothing heavy is imported, and a site that cannot be read offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from pkgutil import iter_modules

import click
from click.shell_completion import CompletionItem

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

    configuration = read_configuration(_configuration(context))
    catalogue = load_groups(configuration.groups)
    for group in catalogue.groups:
        for name in (group.name, *group.aliases):
            yield name, group.title
    for server in read_servers(configuration.servers, catalogue):
        yield server.name, f"{server.role}/{server.subrole}"
    yield from ((word, "hosts of the last run") for word in SETS)
    yield from ((f"{column}=", "a column of servers.tsv") for column in COLUMNS)


def _hosts(context: click.Context) -> Iterator[tuple[str, str]]:
    from keybuzz.site.files.tsv import read_servers
    from keybuzz.site.groups import load_groups
    from keybuzz.site.load import read_configuration

    configuration = read_configuration(_configuration(context))
    for server in read_servers(configuration.servers, load_groups(configuration.groups)):
        yield server.name, f"{server.role}/{server.subrole}"


def _configuration(context: click.Context) -> Path:
    # While a line is completed the group's function has not run, so its object is not there.
    return Path(str(context.find_root().params.get("config") or "nornir_config.yaml"))


def _modules(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the folders of tasks/, without importing one (a test proves that their names are these)."""
    del context
    import tasks

    for entry in iter_modules(tasks.__path__):
        if entry.ispkg:
            yield entry.name.replace("_", "-"), "module"
    yield "all", "every module"


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

    configuration = read_configuration(_configuration(context))
    for item in load_applications(configuration.applications).items:
        yield item.name, item.title


def _modules_and_hosts(context: click.Context) -> Iterator[tuple[str, str]]:
    yield from _modules(context)
    yield from _hosts(context)


limit_words = _quietly(_terms)
host_words = _quietly(_hosts)
module_words = _quietly(_modules)
id_words = _quietly(_ids)
application_words = _quietly(_applications)
module_or_host_words = _quietly(_modules_and_hosts)
