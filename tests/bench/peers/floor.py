# mypy: ignore-errors
"""The floor: libssh2 (ssh2-python) and nothing else, in one thread or in more. It runs in the peers' environment."""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from ssh2.knownhost import (
    LIBSSH2_KNOWNHOST_KEY_ED25519,
    LIBSSH2_KNOWNHOST_KEYENC_RAW,
    LIBSSH2_KNOWNHOST_TYPE_PLAIN,
)
from ssh2.session import LIBSSH2_HOSTKEY_TYPE_ED25519, Session

MASK = LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | LIBSSH2_KNOWNHOST_KEY_ED25519
threads, command, key, known_hosts, *addresses = sys.argv[1:]
stdin = sys.stdin.buffer.read() if not sys.stdin.isatty() else b""
"""What each host is given as standard input, such as a tar archive."""


def ask(address: str) -> tuple[int, bytes]:
    """Connect, check the host key, log in, run the command, return its exit code and output."""
    with socket.create_connection((address, 22)) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session()
        session.handshake(connected)
        shown, kind = session.hostkey()
        assert kind == LIBSSH2_HOSTKEY_TYPE_ED25519
        pinned = session.knownhost_init()
        pinned.readfile(known_hosts)
        pinned.checkp(address.encode(), 22, shown, MASK)
        session.userauth_publickey_fromfile("root", key)
        channel = session.open_session()
        channel.execute(command.replace("ADDRESS", address))
        for start in range(0, len(stdin), 30000):
            channel.write(stdin[start : start + 30000])
        channel.send_eof()
        output = b""
        size, piece = channel.read()
        while size > 0:
            output += piece
            size, piece = channel.read()
        channel.close()
        channel.wait_closed()
        code = channel.get_exit_status()
        session.disconnect()
        return code, output


with ThreadPoolExecutor(int(threads)) as pool:
    for address, (code, output) in zip(addresses, pool.map(ask, addresses), strict=True):
        print(address, code, output.decode().strip())
        assert code == 0
