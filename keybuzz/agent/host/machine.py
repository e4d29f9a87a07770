"""Which machine this is: what it calls itself, the addresses of its interfaces, and a digest of its machine id.

The kernel's list of interface addresses counts, not what it lets a socket bind to: with ip_nonlocal_bind, or with a
wide prefix on lo, every address can be bound. An address on a loopback interface proves nothing either.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import struct

from keybuzz.agent.wire.sha256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINE_ID = "/etc/machine-id"
_NETLINK, _ROUTE = 16, 0
_GET_ADDRESSES, _NEW_ADDRESS, _DONE, _ERROR = 22, 20, 3, 2
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_LOCAL, _LABEL = 2, 3
"""Attributes of an address: the interface's own (not its peer's), and the interface's name."""
_FLAGS_OF = 0x8913  # SIOCGIFFLAGS
_UP, _LOOPBACK = 0x1, 0x8
_HEADER = struct.Struct("=IHHII")
_MESSAGE = struct.Struct("=BBBBi")
_ATTRIBUTE = struct.Struct("=HH")


def machine() -> dict[str, object]:
    """Return the part of the greeting that says which machine this is."""
    return {"name": os.uname().nodename, "addresses": addresses(), "id": machine_id()}


def addresses() -> list[str]:
    """Return the IPv4 addresses of the interfaces that are up and are no loopback."""
    asked = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        return sorted({address for name, address in _configured() if _counts(asked, name)})
    finally:
        asked.close()


def machine_id(path: str = MACHINE_ID) -> str:
    """Return a digest of the machine id, which is not for other machines to know; empty without one."""
    try:
        with open(path, "rb") as file:
            found = file.read(64).strip()
    except OSError:
        return ""
    return sha256(found).hexdigest()[:32] if found else ""


def _configured() -> Iterator[tuple[bytes, str]]:
    """Yield the interface (or the label on it) and one address, for each address of this network namespace."""
    link = _socket.socket(_NETLINK, _socket.SOCK_RAW, _ROUTE)
    try:
        body = _MESSAGE.pack(_socket.AF_INET, 0, 0, 0, 0)
        head = _HEADER.pack(_HEADER.size + len(body), _GET_ADDRESSES, _DUMP, 1, 0)
        link.send(head + body)
        while True:
            for kind, message in _messages(link.recv(1 << 16)):
                if kind in (_DONE, _ERROR):
                    return
                if kind == _NEW_ADDRESS:
                    found = dict(_attributes(message[_MESSAGE.size :]))
                    if len(found.get(_LOCAL, b"")) == 4:
                        name = found.get(_LABEL, b"").partition(b"\0")[0]
                        yield name, _socket.inet_ntoa(found[_LOCAL])
    finally:
        link.close()


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(max(length, _HEADER.size)) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(max(length, _ATTRIBUTE.size)) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _counts(asked: _socket.socket, name: bytes) -> bool:
    try:
        answer = fcntl.ioctl(asked.fileno(), _FLAGS_OF, struct.pack("16s24x", name))
    except OSError:  # no such interface: it has just gone
        return False
    (flags,) = struct.unpack_from("=H", answer, 16)
    return bool(flags & _UP) and not flags & _LOOPBACK
