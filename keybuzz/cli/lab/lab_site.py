"""What the verbs of `kbz lab` need from the site: no credentials, and nothing of production."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from keybuzz.cli.support.context import holding
from keybuzz.model.core.errors import RefusedError, UsageError
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

if TYPE_CHECKING:
    from keybuzz.lab.network.balancer import Balancer
    from keybuzz.site.sources import Sources

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class LabSite:
    """The lab's settings, and the servers that it can run."""

    settings: LabSettings
    servers: tuple[Server, ...]
    catalogue: GroupCatalogue
    overlay: Path
    state: Path
    """Where the leases and the journal are."""
    versions: Path
    """versions.yaml."""
    sources: Sources
    """The files that this was read from."""

    def changing(self, verb: str, servers: Iterable[Server]) -> AbstractContextManager[None]:
        """Hold the leases of these servers' clusters, and keep the verb in the journal."""
        return holding(verb, self.state, self.overlay.parent, servers, self.sources)

    def chosen(self, terms: Sequence[str]) -> tuple[Server, ...]:
        """Return the servers that `--limit` terms choose, in inventory order."""
        from keybuzz.site.limit import parse_limit

        names = parse_limit(terms, self.servers, self.catalogue)
        return tuple(server for server in self.servers if server.name in names)

    def balancers(self) -> tuple[Balancer, ...]:
        """Return the provider's load balancers, as groups.yaml says where they lead."""
        from keybuzz.lab.network.balancer import balancers

        return balancers(self.catalogue, self.servers)

    def binaries(self) -> dict[str, str]:
        """Return the SHA-256 of each program of versions.yaml; empty where it has none yet."""
        from keybuzz.site.versions import parse_binaries

        found = parse_binaries(self.versions.read_bytes(), str(self.versions))
        return {name: binary.digest for name, binary in found.items()}

    def server(self, name: str) -> Server:
        """Return the one server of that name, alias or address."""
        found = self.chosen([name])
        if len(found) != 1:
            raise UsageError(
                f"{name} names {len(found)} servers",
                hint="name one server: this works on one at a time",
            )
        return found[0]


def read_lab_site(config: str) -> LabSite:
    """Read what nornir_config.yaml says of the lab; refused when its site is not one."""
    from keybuzz.lab.supply.upstream import remembered
    from keybuzz.site.files.tsv import read_servers
    from keybuzz.site.groups import load_groups
    from keybuzz.site.load import read_configuration
    from keybuzz.site.settings import load_settings

    configuration = read_configuration(Path(config))
    root = configuration.path.resolve().parent
    sources = configuration.sources()
    settings = load_settings(root, configuration.site, configuration.overlay)
    if settings.lab is None or configuration.overlay is None:
        raise RefusedError(
            "this site is production, not a lab",
            where=config,
            hint="user_defined.overlay: inventory/lab.yaml makes it the lab",
        )
    catalogue = load_groups(configuration.groups)
    servers = read_servers(configuration.servers, catalogue)
    return LabSite(
        remembered(settings.lab),
        servers,
        catalogue,
        configuration.overlay,
        settings.state,
        configuration.versions,
        sources,
    )


def pass_lab(function: Callable[Concatenate[LabSite, P], R]) -> Callable[P, R]:
    """Give a command the lab's site as its first argument."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(read_lab_site(click.get_current_context().find_root().obj), *args, **kwargs)

    return wrapped


def say(host: str, sentence: str) -> None:
    """Print one line of progress."""
    click.echo(f"{host:<16} {sentence}" if host else sentence)
