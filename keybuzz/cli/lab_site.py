"""What the verbs of `kbz lab` need from the site."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address
from pathlib import Path

import click

from keybuzz.model.errors import UsageError
from keybuzz.model.lab import LabSettings
from keybuzz.model.server import Server


@dataclass(frozen=True, slots=True)
class LabSite:
    """What this command needs from the site."""

    settings: LabSettings
    servers: tuple[Server, ...]
    overlay: Path


def site_of_lab() -> LabSite:
    """Return the lab's settings and all servers. The one place that knows where they come from."""
    with Path("inventory/servers.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    servers = tuple(
        Server(
            name=row["HOSTNAME"],
            address=IPv4Address(row["IP_PRIVEE"]),
            public_address=IPv4Address(row["IP_PUBLIQUE"]),
            fqdn=row["FQDN"],
            environment=row["ENV"],
            user=row["USER_SSH"],
            pool=row["POOL"],
            role=row["ROLE"],
            subrole=row["SUBROLE"],
            stack=row["DOCKER_STACK"],
            core=row["CORE"] == "yes",
            notes=row["NOTES"],
            line=number,
        )
        for number, row in enumerate(rows, start=2)
    )
    settings = LabSettings("kbz-lab", Path("/var/lib/kbz-lab"), Path("/var/cache/kbz-lab"))
    return LabSite(settings, servers, Path("inventory/lab.yaml"))


def select(servers: tuple[Server, ...], patterns: tuple[str, ...]) -> tuple[Server, ...]:
    """Return the servers whose name matches a pattern, in inventory order; all without patterns.

    A pattern that matches nothing is an error: it is a typo.
    """
    for pattern in patterns:
        if not any(fnmatchcase(server.name, pattern) for server in servers):
            raise UsageError(f"no server matches {pattern!r}", hint="names are in servers.tsv")
    if not patterns:
        return servers
    return tuple(
        server for server in servers if any(fnmatchcase(server.name, word) for word in patterns)
    )


def say(host: str, sentence: str) -> None:
    """Print one line of progress."""
    click.echo(f"{host:<16} {sentence}" if host else sentence)
