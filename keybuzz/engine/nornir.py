"""A plain Nornir object with our inventory, connections and runner (CARD-2)."""

from __future__ import annotations

import logging
import socket
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from keybuzz.model.core.redact import Redactor
from keybuzz.site.credentials.store import hidden
from keybuzz.site.load import Configuration
from keybuzz.site.nornir_inventory import TsvInventory
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core import Nornir


def make_nornir(configuration: Configuration, site: Site) -> Nornir:
    """Return what InitNornir would, with the site in `config.user_defined["site"]`.

    Beside it stands the redactor that keeps the site's secrets out of what hosts answer.

    InitNornir's own registration imports every plugin that is installed, netmiko with it; that
    would cost each command more time than the work on the hosts. Only our plugins are registered.
    """
    from nornir.core import Nornir
    from nornir.core.configuration import Config, LoggingConfig, SSHConfig

    from keybuzz.transport.runner import BoundedRunner

    # A failed task is an answer of ours; Nornir would print its traceback where nobody configured logging.
    logging.getLogger("nornir").addHandler(logging.NullHandler())
    _register_plugins()
    inventory = TsvInventory(
        str(configuration.servers),
        str(configuration.groups),
        configuration.connection,
        {
            "key_filename": str(site.settings.key_filename),
            "known_hosts": str(site.settings.known_hosts),
            "bastion": configuration.bastion,
        },
    ).build(site.servers, site.catalogue)
    for server in site.servers:
        if is_this_machine(server.address):
            # install-01 can not log in to itself; it is managed like every other server (facts/02).
            inventory.hosts[server.name].data["connection"] = "kbz_local"
    return Nornir(
        inventory=inventory,
        config=Config(
            logging=LoggingConfig(enabled=False),
            ssh=SSHConfig(config_file="/dev/null"),
            user_defined={"site": site, "redactor": Redactor(hidden(site.credentials))},
        ),
        runner=BoundedRunner(num_workers=configuration.workers),
    )


def is_this_machine(address: IPv4Address) -> bool:
    """Say whether one of our interfaces has this address: only then a socket can be bound to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _register_plugins() -> None:
    from nornir.core.plugins.connections import ConnectionPluginRegister

    from keybuzz.transport.local import LocalLink
    from keybuzz.transport.ssh.link import SshLink, SshShellLink
    from keybuzz.transport.ssh.netmiko import NetmikoLink

    for name, plugin in (
        ("kbz_ssh", SshLink),
        ("kbz_ssh_shell", SshShellLink),
        ("kbz_netmiko", NetmikoLink),
        ("kbz_local", LocalLink),
    ):
        if name not in ConnectionPluginRegister.available:
            ConnectionPluginRegister.register(name, plugin)
