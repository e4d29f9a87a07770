"""The interface that carries an address: found on the host, written as one option of a file."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import struct

from keybuzz.agent.guard import opener
from keybuzz.agent.kinds.host.files import ABSENT
from keybuzz.agent.runtime.atomic import replacing
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keybuzz.agent.kinds import Query, State
    from keybuzz.agent.runtime.context import Context

_LINE = re.compile(r"(?m)^([a-z-]+): (\S+)$")
_SIOCGIFADDR = 0x8915


def address_of(interface: str) -> str:
    """Return the IPv4 address that an interface carries, or ""."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(
                probe.fileno(), _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15])
            )
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def interface_of(address: str) -> str:
    """Return the interface that carries an address; AgentError when none does."""
    for _, name in socket.if_nameindex():
        if address_of(name) == address:
            return name
    raise AgentError(f"no interface carries {address}", "ip -brief address")


def read_interface_option(query: Query, context: Context) -> State:
    """Read which option the file sets, and which address the interface carries that it names."""
    del context
    interface_of(query["address"])
    try:
        found = _LINE.search(opener.text(query["name"], opener.SMALL))
    except FileNotFoundError:
        return ABSENT
    option, interface = found.groups() if found else ("", "")
    return {"present": True, "attributes": {"option": option, "address": address_of(interface)}}


def write_interface_option(order: Query, context: Context) -> None:
    """Write the one line."""
    del context
    path = order["name"]
    opener.make_folders(os.path.dirname(path))
    text = (
        f"# Managed by kbz: the interface that carries {order['address']}.\n"
        f"{order['option']}: {interface_of(order['address'])}\n"
    )
    with replacing(path, text.encode(), mode=0o600):
        pass
