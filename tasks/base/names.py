"""What /etc/hosts of a server says of the others: programs believe it before any name server. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.live import Live
from keybuzz.model.core.proposed import on_host
from keybuzz.model.inventory.server import Server
from tasks.base.system import READING

CHECK = "base.hosts.file"
_MOST = 3
"""Wrong lines that are told; more are counted."""


def hosts_file(host: str, live: Live) -> Finding:
    """Judge whether a name of a server leads to its address, or is not there."""
    answer = live.hosts[host].answer(READING)
    if not answer.known:
        return unknown(CHECK, answer.problem, host)
    wrong = list(_wrong(host, answer.value["names"], live.members))
    if not wrong and answer.value["names_cut"]:
        return unknown(CHECK, "/etc/hosts is too long to be read whole", host)
    if not wrong:
        return Finding(CHECK, Level.OK, "names no server wrongly", host)
    told = ", ".join(f"{name} is {said} there, and {right}" for name, said, right in wrong[:_MOST])
    more = f"; {len(wrong) - _MOST} more" if len(wrong) > _MOST else ""
    text = f"/etc/hosts leads programs elsewhere: {told} in servers.tsv{more}"
    return Finding(CHECK, Level.WARN, text, host, _way_out(host, *wrong[0][:2]))


def _wrong(
    host: str, lines: Iterable[tuple[str, list[str]]], servers: Iterable[Server]
) -> Iterable[tuple[str, str, str]]:
    """Yield name, the address there, and the described one. Of a name the first line counts."""
    described = {
        name.lower(): server for server in servers for name in (server.name, server.fqdn) if name
    }
    seen: set[tuple[str, bool]] = set()
    for said, names in lines:
        for name in names:
            server = described.get(name.lower())
            first = (name.lower(), ":" in said)
            if server is None or first in seen:
                continue
            seen.add(first)
            if said != str(server.address) and not (server.name == host and _own(said, server)):
                yield name, said, str(server.address)


def _own(said: str, server: Server) -> bool:
    """Return whether a server may call itself by this: systems write it at their installation."""
    try:
        address = ip_address(said)
    except ValueError:
        return False
    return address.is_loopback or address == server.public_address


def _way_out(host: str, name: str, said: str) -> str:
    """Return the command that takes this name from the lines of this address; a line without a name goes."""
    try:
        ip_address(said)
    except ValueError:
        return on_host(host, "grep", "-nw", name, "/etc/hosts")
    line = rf"/^\s*{re.escape(said)}"
    gone = rf"{line}\s/s/\s{re.escape(name)}(\s|$)/\1/g; {line}\s*(#|$)/d"
    return on_host(host, "sed", "-E", "-i", gone, "/etc/hosts")
