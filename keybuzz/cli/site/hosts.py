"""`kbz hosts`: which hosts answer, and which host keys and machines are trusted.

Nothing else ever writes the file of pinned keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keybuzz.cli.support.common import columns
from keybuzz.cli.support.context import enter_lab, holding, limit_option, pass_inventory_site
from keybuzz.cli.support.default_group import default_group
from keybuzz.cli.support.offers import host_words
from keybuzz.cli.support.output import document_format, show_document
from keybuzz.cli.support.typed_name import ask_typed, at_terminal, confirm_option, require_typed
from keybuzz.model.core.errors import KbzError, RefusedError, UsageError
from keybuzz.model.core.proposed import proposed

if TYPE_CHECKING:
    from keybuzz.model.inventory.server import Server
    from keybuzz.site.site import Site
    from keybuzz.transport.ssh.pinning import ShownKey


@click.group(cls=default_group("list"))
def hosts() -> None:
    """Reach hosts, and pin and forget their keys and machines: a host whose key is not pinned is refused.

    `kbz hosts` is short for `kbz hosts list`.
    """


@hosts.command("list")
@document_format
@pass_inventory_site
def list_hosts(site: Site, form: str) -> None:
    """Show which key and which machine is pinned for each server. Asks no host."""
    from keybuzz.cli.site.machines import trusted, trusted_document, trusted_text

    rows = trusted(site)
    show_document(form, text=lambda: trusted_text(rows), document=lambda: trusted_document(rows))


@hosts.command()
@limit_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=22,
    show_default=True,
    help="The TCP port to connect to, from this machine.",
)
@document_format
def ping(limit: tuple[str, ...], port: int, form: str) -> int:
    """Show which hosts accept a TCP connection. Needs no login, no pinned key and no credentials.

    Exit 4 when one does not.
    """
    from keybuzz.cli.site.pinging import asked
    from keybuzz.report.screen.ping import ping_document, ping_text

    found = asked(limit, port)
    show_document(
        form,
        text=lambda: ping_text(found, columns()),
        document=lambda: ping_document(found),
    )
    return int(found.exit_code)


@hosts.command()
@click.argument("name", required=False, shell_complete=host_words)
@click.option(
    "--fingerprint", metavar="SHA256:…", help="Pin the key only if it has this fingerprint."
)
@limit_option
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --limit: pin each host whose key is in this file, which came another way than over the network.",
)
@pass_inventory_site
def trust(
    site: Site,
    name: str | None,
    fingerprint: str | None,
    limit: tuple[str, ...],
    source: Path | None,
) -> int:
    """Pin the key that a host shows now, after it was compared with the host's own console.

    The machine behind it is pinned too, by its machine id and by the name that it calls itself.

    With --limit and --from the keys of many hosts are compared with a file, host by host: a known_hosts file, or lines
    with a name or an address and a SHA256 fingerprint, as a provider's console shows. Only what is the same is pinned.
    """
    if (name is None) == (not limit) or bool(limit) != (source is not None):
        raise UsageError(
            "name one host, or give --limit and --from FILE",
            hint="kbz hosts trust --limit all --from known_hosts",
        )
    enter_lab(site)
    if source is not None:
        from keybuzz.cli.site.trusting import trust_from
        from keybuzz.site.limit import parse_limit

        chosen = parse_limit(limit, site.servers, site.catalogue)
        servers = tuple(server for server in site.servers if server.name in chosen)
        with holding("hosts trust", site.settings.state, site.root, servers, site.sources):
            return trust_from(site, servers, source)
    server = site.server(str(name))
    with holding("hosts trust", site.settings.state, site.root, [server], site.sources):
        _trust(site, server, fingerprint)
    return 0


def _trust(site: Site, server: Server, fingerprint: str | None) -> None:
    from keybuzz.cli.site.machines import pin_machine
    from keybuzz.transport.ssh.known_hosts import pinned_keys
    from keybuzz.transport.ssh.pinning import ask_key, read_text, rewrite, with_key

    path = site.settings.known_hosts
    text = read_text(path)
    key = ask_key(server.name, str(server.address))
    pinned = pinned_keys(text, str(server.address), 22)
    if key.blob in pinned.revoked:
        raise RefusedError(
            f"the host shows {key.fingerprint}, which {path} revokes; nothing was pinned",
            where=server.name,
            hint="give the host a new key; a revoked one stays refused, whatever else vouches for it",
        )
    if pinned.accepts(key.blob):
        click.echo(f"{server.name}: {key.fingerprint} is pinned already")
        pin_machine(site, server, lambda: _confirm(server, key, fingerprint))
        return
    if pinned.accepted:
        raise RefusedError(
            f"another key is pinned, and the host shows {key.fingerprint}",
            where=server.name,
            hint=f"if the host was rebuilt: {proposed('kbz', 'hosts', 'forget', server.name)}, then trust it again",
        )
    _confirm(server, key, fingerprint)
    rewrite(path, lambda now: with_key(now, str(server.address), key))
    click.echo(f"{server.name}: {key.fingerprint} is pinned in {path}")
    try:
        pin_machine(site, server, lambda: None)  # the operator has just typed the name
    except KbzError:
        rewrite(path, lambda now: now.replace(with_key("", str(server.address), key), "", 1))
        raise


@hosts.command()
@click.argument("name", shell_complete=host_words)
@confirm_option
@pass_inventory_site
def forget(site: Site, name: str, confirm: str | None) -> None:
    """Remove the pinned keys and the machine of a host, such as one that was rebuilt. The host's name must be typed.

    Plain, bracketed, hashed and multi-name lines are understood; of a line with other hosts only the name goes.
    NAME may be the address of a server whose row is gone, or the name that its machine called itself.
    """
    from keybuzz.cli.site.machines import known_or_gone
    from keybuzz.transport.machine_pins import forget_machine, pins_file, read_pins
    from keybuzz.transport.ssh.forgetting import Forgotten, forgotten
    from keybuzz.transport.ssh.pinning import read_text, rewrite

    path = site.settings.known_hosts
    machines = pins_file(path)
    gone = known_or_gone(site, name, read_pins(machines))

    def without(text: str) -> Forgotten:
        return forgotten(text, gone.address, gone.names)

    found = without(read_text(path))
    if found.patterns:
        raise RefusedError(
            f"line {found.patterns[0]} pins a key for {gone.name} by a pattern, and for other hosts too",
            where=str(path),
            hint="edit that line by hand: nothing was forgotten",
        )
    if not found.found and gone.address not in read_pins(machines):
        click.echo(f"{gone.name}: no key is pinned")
        return
    require_typed(gone.name, confirm, f"the pinned keys of {gone.name} would be forgotten")
    servers = [server for server in site.servers if server.name == gone.name]
    with holding("hosts forget", site.settings.state, site.root, servers, site.sources):
        rewrite(path, lambda now: without(now).text)
        forget_machine(machines, gone.address)
    click.echo(f"{gone.name}: its keys and its machine are forgotten")


def _confirm(server: Server, key: ShownKey, fingerprint: str | None) -> None:
    if fingerprint == key.fingerprint:
        return
    if fingerprint is not None:
        raise RefusedError(
            f"the host shows {key.fingerprint}, not {fingerprint}",
            where=server.name,
            hint="another machine may be answering at its address; nothing was pinned",
        )
    click.echo(f"{server.name} at {server.address} shows {key.kind} {key.fingerprint}", err=True)
    if not at_terminal():
        raise RefusedError(
            "a key is pinned only after it was compared",
            where=server.name,
            hint=proposed("kbz", "hosts", "trust", server.name, "--fingerprint", key.fingerprint),
        )
    if ask_typed("Type the host's name to pin this key") != server.name:
        raise RefusedError("the name was not typed; nothing was pinned", where=server.name)
