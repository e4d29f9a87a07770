"""A plain Nornir object with our inventory, connections and runner (CARD-2)."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from keybuzz.engine.this_machine import Here, this_machine
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import InputError
from keybuzz.model.core.redact import Redactor
from keybuzz.site.credentials.store import hidden
from keybuzz.site.files.plugins import BOUNDED, RUNNERS, RunnerChoice
from keybuzz.site.load import Configuration
from keybuzz.site.nornir_inventory import TsvInventory
from keybuzz.site.site import Site
from keybuzz.transport.identity import Identities, identities
from keybuzz.transport.machine_pins import pins_file, read_pins
from keybuzz.transport.meeting import Meeting
from keybuzz.transport.ssh.pinning import read_text

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.plugins.runners import RunnerPlugin


def make_nornir(configuration: Configuration, site: Site, access: Access) -> Nornir:
    """Return what InitNornir would, with the site in `config.user_defined["site"]`.

    Next to it are `access`, which no session with a host goes beyond, the redactor that keeps the site's secrets out of
    what hosts answer, and what every host must prove before it is asked anything.

    InitNornir's own registration imports every plugin that is installed, netmiko with it; that
    would cost each command more time than the work on the hosts. Only our plugins are registered.
    """
    from nornir.core import Nornir
    from nornir.core.configuration import Config, LoggingConfig, SSHConfig

    # A failed task is an answer of ours; Nornir would print its traceback where logging is not configured.
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
    here = this_machine(site.servers, site.settings.lab)
    if here.local:
        # install-01 cannot log in to itself; it is managed like every other server (facts/02).
        inventory.hosts[here.local].data["connection"] = "kbz_local"
    return Nornir(
        inventory=inventory,
        config=Config(
            logging=LoggingConfig(enabled=False),
            ssh=SSHConfig(config_file="/dev/null"),
            user_defined={
                "site": site,
                "access": access,
                "redactor": Redactor(hidden(site.credentials)),
                "meeting": Meeting(identities_of(site, here)),
            },
        ),
        runner=_runner(configuration, site),
    )


def _runner(configuration: Configuration, site: Site) -> RunnerPlugin:
    """Return the runner; InputError when its package does not take these options.

    Only the one that was chosen is imported: Nornir's own register would import all that are installed.
    """
    choice: RunnerChoice = configuration.runner
    if choice.sharded is not None:
        from keybuzz.engine.shards.places import controller_of
        from keybuzz.engine.shards.runner import ShardedRunner

        return ShardedRunner(choice.sharded, controller_of(configuration, site))
    if choice.plugin == BOUNDED:
        from keybuzz.transport.runner import BoundedRunner

        return BoundedRunner(int(choice.options["num_workers"]))
    (entry, *_) = entry_points(group=RUNNERS, name=choice.plugin)
    try:
        return cast("RunnerPlugin", entry.load()(**choice.options))
    except (TypeError, ValueError, ImportError) as error:
        raise InputError(
            f"the runner {choice.plugin} does not start: {error}",
            where="nornir_config.yaml, runner",
            hint=f"correct its options, or write plugin: {BOUNDED} with num_workers",
        ) from None


def identities_of(site: Site, here: Here) -> Identities:
    """Return what the servers are known by: the inventory, and what was pinned of each machine."""
    read_text(
        site.settings.known_hosts
    )  # what cannot be used is refused here, and not once for each host
    pins = read_pins(pins_file(site.settings.known_hosts))
    servers = (
        (server.name, str(server.address), (server.fqdn, server.fqdn.partition(".")[0]))
        for server in site.servers
    )
    return identities(servers, pins, here.refused)


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
