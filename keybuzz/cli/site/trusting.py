"""`kbz hosts trust --limit … --from FILE`: many keys, each compared with a file; pins only what is the same."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from keybuzz.model.core.errors import ContactError, InputError, KbzError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.folding import by_reason
from keybuzz.report.screen.hosts import ranges

if TYPE_CHECKING:
    from pathlib import Path

    from keybuzz.model.inventory.server import Server
    from keybuzz.site.site import Site
    from keybuzz.transport.ssh.pinning import ShownKey
    from keybuzz.transport.ssh.vouched import KeyFile

_AT_ONCE = 16
PINNED, ALREADY = "pinned", "pinned already"


@dataclass(frozen=True, slots=True)
class Trusted:
    """How the comparison of one host ended: pinned, or why not."""

    host: str
    word: str
    code: ExitCode = ExitCode.GOOD


_LARGEST = 4 << 20
"""Bytes of a file of keys."""


def trust_from(site: Site, servers: tuple[Server, ...], path: Path) -> int:
    """Ask each server for its key, compare it with the file, and pin what is the same; say how each ended."""
    from keybuzz.site.files.problems import read_file
    from keybuzz.transport.ssh.vouched import KeyFile

    known = KeyFile(read_file(path, _LARGEST).decode("utf-8", "replace"))
    if known.empty:
        raise InputError(
            "no line is of known_hosts, or has a SHA256 fingerprint",
            where=str(path),
            hint="ssh-keygen -l -f KEY.pub prints one; a line is NAME SHA256:…",
        )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ended = tuple(pool.map(lambda server: _compared(site, server, known), servers))
    _say(ended)
    codes = {item.code for item in ended}
    return int(
        next(
            (code for code in (ExitCode.REFUSED, ExitCode.UNREACHABLE) if code in codes),
            ExitCode.GOOD,
        )
    )


def _compared(site: Site, server: Server, known: KeyFile) -> Trusted:
    from keybuzz.transport.ssh.known_hosts import pinned_keys
    from keybuzz.transport.ssh.pinning import ask_key, read_text
    from keybuzz.transport.ssh.vouched import Vouched

    address = str(server.address)
    try:
        key = ask_key(server.name, address)
    except ContactError as error:
        return Trusted(server.name, error.sentence, ExitCode.UNREACHABLE)
    said = known.says(key, address, (server.name, server.fqdn))
    if said is not Vouched.SAME:
        word = f"shows {key.fingerprint}, {said.value}: not pinned"
        return Trusted(server.name, word, ExitCode.REFUSED)
    pinned = pinned_keys(read_text(site.settings.known_hosts), address, 22)
    if pinned.accepts(key.blob):
        return Trusted(server.name, ALREADY)
    if pinned.accepted or key.blob in pinned.revoked:
        word = "another key is pinned, or this one is revoked: kbz hosts forget comes first"
        return Trusted(server.name, word, ExitCode.REFUSED)
    return _pinned(site, server, key)


def _pinned(site: Site, server: Server, key: ShownKey) -> Trusted:
    from keybuzz.transport.ssh.pinning import rewrite, with_key

    try:
        rewrite(site.settings.known_hosts, lambda now: with_key(now, str(server.address), key))
    except KbzError as error:
        return Trusted(server.name, error.sentence, error.code)
    return Trusted(server.name, PINNED)


def _say(ended: Iterable[Trusted]) -> None:
    """Say each ending once, with its hosts: what is wrong comes last, where it is seen."""
    every = sorted(ended, key=lambda item: (item.code is not ExitCode.GOOD, item.word != ALREADY))
    for word, hosts in by_reason((item.host, item.word) for item in every).items():
        click.echo(
            f"{word}: {ranges(hosts)}" if word in (PINNED, ALREADY) else f"{ranges(hosts)}: {word}"
        )
    good = sum(item.code is ExitCode.GOOD for item in every)
    click.echo(f"{good} of {len(every)} hosts have a pinned key that is in the file")
