"""One thread for each connection of a port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from proxysql import wire


class Door:
    """One address that is listened at; PROXYSQL PAUSE closes it, and sessions that are open go on."""

    def __init__(self, address: str, session: Callable[[wire.Wire], None]) -> None:
        host, _, port = address.strip().rpartition(":")
        self._place, self._session = (host, int(port)), session
        self._listener: socket.socket | None = None
        self.open()

    @property
    def closed(self) -> bool:
        """True while new connections are refused."""
        return self._listener is None

    def open(self) -> None:
        """Listen."""
        self._listener = socket.create_server(self._place, backlog=512)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Refuse new connections."""
        if self._listener is not None:
            # close() alone does not wake the thread that accepts, which would take one more connection.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_one, args=(connection, self._session), daemon=True).start()


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
