"""One thread for each connection of a port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from proxysql import wire


def serve(address: str, session: Callable[[wire.Wire], None]) -> None:
    """Listen at `host:port` and give each connection a thread."""
    host, _, port = address.strip().rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=512)
    threading.Thread(target=_accept, args=(listener, session), daemon=True).start()


def _accept(listener: socket.socket, session: Callable[[wire.Wire], None]) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_one, args=(connection, session), daemon=True).start()


def _one(connection: socket.socket, session: Callable[[wire.Wire], None]) -> None:
    link = wire.Wire(connection)
    try:
        session(link)
    except wire.RefusedError as refused:
        with contextlib.suppress(wire.LostError):
            link.write(refused.packet())
    except (wire.LostError, OSError, IndexError, ValueError):
        pass
    finally:
        link.close()
