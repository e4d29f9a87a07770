"""servers.tsv as a Nornir inventory (plugin `kbz_tsv`), for any Nornir script (CARD-1, CARD-2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.group import GroupCatalogue
from keybuzz.model.inventory.server import Server
from keybuzz.site.files.problems import nearest, shown
from keybuzz.site.files.tsv import read_servers
from keybuzz.site.groups import load_groups

if TYPE_CHECKING:
    from nornir.core.inventory import ConnectionOptions, Defaults, Group, Host, Inventory

CONNECTIONS = ("kbz_ssh", "kbz_netmiko", "kbz_local")
"""Our connection plugins that bring the agent: one of them is the site's."""
PLUGINS = (*CONNECTIONS, "kbz_ssh_shell")
"""All of ours; each host has options for each of them."""
SSH_OPTIONS = ("key_filename", "known_hosts", "port", "bastion", "python")
"""Keys of the `ssh` option; all but the port become extras of the connection plugins."""
_WHERE = "nornir_config.yaml, inventory.options"


class TsvInventory:
    """Nornir inventory plugin over servers.tsv and groups.yaml.

    A host is named as in servers.tsv and reached at its private address. Its groups are the closed
    groups that select it, in the order of groups.yaml. Its data: `server` (the typed row), `role`,
    `subrole`, `stack`, `pool`, `region`; and `connection`, a default of all hosts: the plugin to use.
    """

    def __init__(
        self,
        path: str,
        groups: str,
        connection: str = "kbz_ssh",
        ssh: Mapping[str, object] | None = None,
    ) -> None:
        _known(connection, CONNECTIONS, "connection")
        for key in ssh or {}:
            _known(key, SSH_OPTIONS, "key of ssh")
        self._path = Path(path)
        self._groups = Path(groups)
        self._connection = connection
        self._ssh = dict(ssh or {})
        self._port = _port(self._ssh.pop("port", None))

    def load(self) -> Inventory:
        """Read both files; InputError with file:line when one of them is wrong."""
        catalogue = load_groups(self._groups)
        return self.build(read_servers(self._path, catalogue), catalogue)

    def build(self, servers: tuple[Server, ...], catalogue: GroupCatalogue) -> Inventory:
        """Return the inventory of servers that have been read already."""
        from nornir.core import inventory as nornir

        defaults = nornir.Defaults(data={"connection": self._connection})
        groups = nornir.Groups()
        for group in catalogue.groups:
            groups[group.name] = nornir.Group(name=group.name, defaults=defaults)
        hosts = nornir.Hosts()
        for server in servers:
            hosts[server.name] = self._host(server, groups, defaults)
        return nornir.Inventory(hosts=hosts, groups=groups, defaults=defaults)

    def _host(self, server: Server, groups: Mapping[str, Group], defaults: Defaults) -> Host:
        from nornir.core.inventory import Host, ParentGroups

        return Host(
            name=server.name,
            hostname=str(server.address),
            port=self._port,
            username=server.user,
            groups=ParentGroups(groups[name] for name in server.groups),
            data={
                "server": server,
                "role": server.role,
                "subrole": server.subrole,
                "stack": server.stack,
                "pool": server.pool,
                "region": server.region,
            },
            connection_options={name: self._options(server) for name in PLUGINS},
            defaults=defaults,
        )

    def _options(self, server: Server) -> ConnectionOptions:
        """Return options of one host's own: Nornir writes into them when a connection opens."""
        from nornir.core.inventory import ConnectionOptions

        return ConnectionOptions(port=self._port, extras={"name": server.name, **self._ssh})


def _known(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise InputError(
            f"{shown(str(word))} is no {what}", where=_WHERE, hint=nearest(str(word), words)
        )


def _port(value: object) -> int | None:
    """Return the SSH port, or None when it is left to the connection plugin."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
        return value
    hint = "write a whole number from 1 to 65535, without quotes"
    raise InputError(f"ssh.port is {shown(str(value))}", where=_WHERE, hint=hint)
