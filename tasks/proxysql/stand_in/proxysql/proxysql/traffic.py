"""The traffic port: a login against mysql_users, then each statement on a connection to the writer."""

from __future__ import annotations

import re
import threading
import time

from proxysql import wire
from proxysql.listener import Door
from proxysql.monitor import Monitor, Node
from proxysql.store import Store

_LOCAL = re.compile(rb"\s*SET\s+(AUTOCOMMIT|NAMES)\b", re.IGNORECASE)
"""Needs no backend: it is said to the next one first."""
_NOT_READY = (1047, 1053)
"""WSREP has not yet prepared the node, and it is shutting down."""
_QUIT, _INIT, _QUERY, _PING = 1, 2, 3, 14


def listen(address: str, store: Store, monitor: Monitor, counts: Counts) -> Door:
    """Serve applications at one address."""
    return Door(address, lambda connection: Session(connection, store, monitor, counts).run())


class Counts:
    """Sessions of each user, and connections to each node."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sessions: set[Session] = set()
        self._used: dict[object, int] = {}

    def take(self, what: object, most: int) -> bool:
        """Count one more, unless there are as many as there may be."""
        with self._lock:
            if self._used.get(what, 0) >= most:
                return False
            self._used[what] = self._used.get(what, 0) + 1
            return True

    def give(self, what: object) -> None:
        """Count one less."""
        with self._lock:
            self._used[what] -= 1

    def in_use(self, hostgroup: int, node: Node) -> int:
        """Return how many sessions keep a connection to a node that no other session may have."""
        found = tuple(self.sessions)
        return sum(item.keeps((hostgroup, node)) for item in found)

    def open_to(self, node: Node) -> int:
        """Return how many connections to a node are open."""
        with self._lock:
            return self._used.get(node, 0)


class Session:
    """One application; its backend is the writer, and stays while a transaction is open."""

    def __init__(self, link: wire.Wire, store: Store, monitor: Monitor, counts: Counts) -> None:
        self._link, self._store, self._monitor, self._counts = link, store, monitor, counts
        self._client = wire.Client(link, store.runtime_variable("mysql-server_version"))
        self._password, self._hostgroup = self._let_in()
        self._database = self._client.database
        self._settings: dict[str, bytes] = {}
        self._backend: wire.Wire | None = None
        self._node: Node | None = None
        self._busy = self._working = False
        self._sticky, self._sticky_until = 0, 0.0
        if not counts.take(self._client.user, self._most):
            what = f"User '{self._client.user}' has exceeded the 'max_user_connections' resource"
            raise wire.RefusedError(1226, f"{what} (current value: {self._most})", "42000")
        link.write(wire.ok())

    def _let_in(self) -> tuple[str, int]:
        rows = self._store.rows(
            "SELECT password, default_hostgroup, max_connections FROM runtime_mysql_users WHERE username=? AND frontend=1",
            self._client.user,
        )
        if not rows or not self._client.knows(str(rows[0][0])):
            raise self._client.denied
        self._most = int(rows[0][2])
        return str(rows[0][0]), int(rows[0][1])

    def run(self) -> None:
        """Answer until the client leaves."""
        self._counts.sessions.add(self)
        try:
            while (packet := self._link.read())[0] != _QUIT:
                self._link.sequence = 1
                if packet[0] == _PING:
                    self._link.write(wire.ok())
                elif packet[0] in (_QUERY, _INIT):
                    self._forward(packet)
                else:
                    self._link.write(
                        wire.RefusedError(
                            1295, "ProxySQL's stand-in does not know this command"
                        ).packet()
                    )
        finally:
            self._counts.sessions.discard(self)
            self._drop()
            self._counts.give(self._client.user)

    def keeps(self, place: tuple[int, Node]) -> bool:
        """Return whether its connection is one to that node of that hostgroup, and no other session may have it."""
        return (self._hostgroup, self._node) == place and (self._working or self._kept)

    @property
    def _kept(self) -> bool:
        """In a transaction, or after a number that the server gave: for a few statements, or some seconds."""
        sticky = self._sticky > 0 and time.monotonic() < self._sticky_until
        return self._backend is not None and (self._busy or sticky)

    def _forward(self, packet: bytes) -> None:
        if self._backend is None and _LOCAL.match(packet[1:]):
            self._remember(packet)
            self._link.write(wire.ok())
            return
        self._working = True
        try:
            good = self._answered(packet)
        except wire.RefusedError as refused:
            self._link.write(refused.packet())
            return
        except (wire.LostError, OSError):
            self._drop()
            self._link.write(
                wire.RefusedError(2013, "Lost connection to MySQL server during query").packet()
            )
            return
        finally:
            self._working = False
        if good:
            self._remember(packet)

    def _answered(self, packet: bytes) -> bool:
        """Hand a statement to the backend and its answer on; say whether it is a good one.

        A node that is not ready or stops counts as one that refuses, and its connection is dropped: the statement is
        tried once more where no transaction and no such number holds the session to it.
        """
        for last in (False, True):
            backend = self._ready()
            held = self._kept
            backend.sequence = 0
            backend.write(packet)
            head = backend.read()
            if not _not_ready(head):
                return self._relay(backend, head)
            if self._node is not None:
                self._monitor.failed(self._node)
            self._drop()
            if held or last:
                self._link.write(head)
                break
        return False

    def _remember(self, packet: bytes) -> None:
        if packet[0] == _INIT:
            self._database = packet[1:].decode()
        elif match := re.match(rb"\s*SET\s+(?:SESSION\s+)?(\w+)", packet[1:], re.IGNORECASE):
            self._settings[match[1].decode().lower()] = packet

    def _ready(self) -> wire.Wire:
        """Return the backend; a new one when the writer has moved and no transaction is open."""
        self._sticky = max(0, self._sticky - 1)
        if self._kept and not self._monitor.has(self._hostgroup, self._node):
            raise wire.LostError("its row is in this hostgroup no more")
        if self._backend is not None and (
            self._kept or self._monitor.writer(self._hostgroup) == self._node
        ):
            return self._backend
        self._drop()
        limit = self._store.number("mysql-connect_timeout_server_max")
        until = time.monotonic() + limit / 1000
        while time.monotonic() < until:
            node = self._monitor.writer(self._hostgroup)
            if node is not None and (found := self._within(node)) is not None:
                self._backend, self._node = found, node
                return found
            time.sleep(0.05)
        group = self._hostgroup
        raise wire.RefusedError(
            9001, f"Max connect timeout reached while reaching hostgroup {group} after {limit}ms"
        )

    def _within(self, node: Node) -> wire.Wire | None:
        """Return a connection to a node, unless as many are open as its row allows: then the session waits."""
        if not self._counts.take(node, self._monitor.most(node)):
            return None
        found = None
        try:
            found = self._open(node)
        finally:
            if found is None:
                self._counts.give(node)
        return found

    def _open(self, node: Node) -> wire.Wire | None:
        try:
            found = wire.connect(
                node,
                self._client.user,
                self._password,
                self._store.number("mysql-connect_timeout_server") / 1000,
                database=self._database,
                charset=self._client.charset,
                abilities=self._client.abilities,
            )
            for setting in self._settings.values():
                found.sequence = 0
                found.write(setting)
                found.read()
            found.socket.settimeout(self._store.number("mysql-default_query_timeout") / 1000)
        except (OSError, wire.LostError):
            return None
        except wire.RefusedError as refused:
            if refused.number in (1040, *_NOT_READY):
                self._monitor.failed(node)
                return None
            raise
        return found

    def _relay(self, backend: wire.Wire, packet: bytes) -> bool:
        """Send the whole answer on, of which this is the first packet; say whether it is a good one."""
        while True:
            self._link.write(packet)
            if packet[0] == 0xFF:
                return False
            status = _status(packet) if packet[0] == 0 else self._rows(backend, packet)
            if status is None:
                return False
            self._busy = bool(status & wire.IN_TRANSACTION)
            if packet[0] == 0 and _insert_id(packet):
                self._sticky = self._store.number("mysql-auto_increment_delay_multiplex") + 1
                wait = self._store.number("mysql-auto_increment_delay_multiplex_timeout_ms")
                self._sticky_until = time.monotonic() + wait / 1000
            if not status & wire.MORE:
                return True
            packet = backend.read()

    def _rows(self, backend: wire.Wire, head: bytes) -> int | None:
        del head
        ends = 0
        while True:
            packet = backend.read()
            self._link.write(packet)
            if packet[0] == 0xFF and ends:
                return None
            if packet[0] == 0xFE and len(packet) < 9:
                ends += 1
                if ends == 2:
                    return int.from_bytes(packet[3:5], "little")

    def _drop(self) -> None:
        if self._backend is not None:
            self._backend.close()
            self._counts.give(self._node)
        self._backend, self._node, self._busy, self._sticky = None, None, False, 0


def _not_ready(packet: bytes) -> bool:
    return packet[:1] == b"\xff" and int.from_bytes(packet[1:3], "little") in _NOT_READY


def _insert_id(packet: bytes) -> bool:
    """Return whether an OK packet names a number that the server gave to a row."""
    place = 2 + {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(packet[1], 0)
    return packet[place] != 0


def _status(packet: bytes) -> int:
    """Return the status flags of an OK packet, behind two numbers with lengths of their own."""
    place = 1
    for _ in range(2):
        place += 1 + {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(packet[place], 0)
    return int.from_bytes(packet[place : place + 2], "little")
