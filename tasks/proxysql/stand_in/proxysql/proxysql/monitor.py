"""The Galera monitor: asks each node, and says which hostgroups it is in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from proxysql import wire
from proxysql.placing import Groups, Node, Place, Placing, Row
from proxysql.store import Store

_CHECK = (
    "SELECT (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='WSREP_LOCAL_STATE'),"
    "@@read_only,(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='WSREP_LOCAL_RECV_QUEUE'),"
    "@@wsrep_desync,@@wsrep_reject_queries,@@wsrep_sst_donor_rejects_queries,"
    "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='WSREP_CLUSTER_STATUS')"
)


@dataclass
class Watched:
    """One node: how often it was silent, and what of it failed."""

    missed: int = 0
    good: bool = False
    """Its newest check found it Synced in a primary component."""
    connection: wire.Wire | None = field(default=None, repr=False)
    failures: list[float] = field(default_factory=list)
    """When connections of sessions to it came to an error, within the last second."""
    shunned_until: float = 0.0


class Monitor:
    """Keeps runtime_mysql_servers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._nodes: dict[Node, Watched] = {}
        self._now = threading.Event()
        self._lock = threading.RLock()
        self._placing = Placing()
        self.loaded()

    def start(self) -> None:
        """Check for ever, in the background."""
        threading.Thread(target=self._run, daemon=True).start()

    def loaded(self) -> None:
        """Servers were loaded: the rows hold until each node's next check."""
        with self._lock:
            found = self._store.rows(
                "SELECT hostgroup_id, hostname, port, weight, UPPER(status) FROM loaded_mysql_servers"
            )
            rows: dict[Place, Row] = {
                (int(group), (str(h), int(p))): Row(int(weight), str(status))
                for group, h, p, weight, status in found
            }
            nodes = dict.fromkeys(node for _, node in rows)
            self._nodes = {node: Watched(connection=self._kept(*node)) for node in nodes}
            self._placing.load(rows, self._groups(), time.monotonic())
            self._write()

    def _kept(self, host: str, port: int) -> wire.Wire | None:
        old = self._nodes.get((host, port))
        return old.connection if old else None

    def check_now(self) -> None:
        """MySQL variables were loaded: the next check starts at once."""
        self._now.set()

    def writer(self, hostgroup: int) -> Node | None:
        """Return the node that new connections of a hostgroup go to."""
        rows = self._store.rows(
            "SELECT hostname, port FROM runtime_mysql_servers WHERE hostgroup_id=? AND status='ONLINE'"
            " ORDER BY weight DESC, hostname DESC, port DESC",
            hostgroup,
        )
        found = (str(rows[0][0]), int(rows[0][1])) if rows else None
        watched = self._nodes.get(found) if found else None
        return None if watched and time.monotonic() < watched.shunned_until else found

    def has(self, hostgroup: int, node: Node | None) -> bool:
        """Return whether a node is in a hostgroup, whether it serves there or not."""
        return node is not None and bool(
            self._store.rows(
                "SELECT 1 FROM runtime_mysql_servers WHERE hostgroup_id=? AND hostname=? AND port=?",
                hostgroup,
                *node,
            )
        )

    def most(self, node: Node) -> int:
        """Return how many connections to a node may be open."""
        return int(
            self._store.value(
                "SELECT max_connections FROM loaded_mysql_servers WHERE hostname=? AND port=?",
                *node,
            )
            or 1000
        )

    def failed(self, node: Node) -> None:
        """Count a connection that a node refused (1040 and such): so many in a second, and it is shunned."""
        with self._lock:
            watched, now = self._nodes.get(node), time.monotonic()
            if watched is None:
                return
            watched.failures = [*(at for at in watched.failures if now - at < 1), now]
            if len(watched.failures) >= self._store.number("mysql-shun_on_failures"):
                watched.shunned_until = now + self._store.number("mysql-shun_recovery_time_sec")

    def _run(self) -> None:
        while True:
            enabled = self._store.runtime_variable("mysql-monitor_enabled") == "true"
            with self._lock:
                # Switched off: what runs stays where it is, whatever becomes of the nodes.
                nodes = list(self._nodes.items()) if enabled else []
            threads = [
                threading.Thread(target=self._check, args=item, daemon=True) for item in nodes
            ]
            for thread in threads:
                thread.start()
            self._now.wait(self._store.number("mysql-monitor_galera_healthcheck_interval") / 1000)
            self._now.clear()
            for thread in threads:
                thread.join(5)

    def _check(self, node: Node, watched: Watched) -> None:
        started, error, found = time.time(), None, None
        pooled = watched.connection is not None
        try:
            found = self._ask(node, watched)
        except (OSError, wire.LostError, wire.RefusedError, ValueError, IndexError) as problem:
            watched.connection = None
            error = f"timeout or error in creating new connection: {problem}"
            if pooled:
                error = "timeout check" if isinstance(problem, wire.LateError) else f"{problem}"
        limit = self._store.number("mysql-monitor_galera_healthcheck_max_timeout_count")
        if found is not None:
            watched.missed, role = 0, self._judge(found)
        else:
            watched.missed += 1
            # What begins so counts as a timeout, of which there must be several in a row (facts/08).
            counts = str(error).startswith("timeout")
            role = "offline" if not counts or watched.missed >= limit else ""
        self._log(node, started, found, error)
        with self._lock:
            watched.good = role in ("writer", "reader")
            if self._nodes.get(node) is watched:
                self._place(node, role)

    def _place(self, node: Node, role: str) -> None:
        groups = self._groups()
        if groups is None or not role:
            return
        if role == "writer":
            self._placing.serves(node, groups)
        elif role == "reader":
            self._placing.reads(node, groups)
        else:
            sound = tuple(other for other, watched in self._nodes.items() if watched.good)
            self._placing.away(node, groups, sound)
        self._write()

    def _groups(self) -> Groups | None:
        found = self._store.rows(
            "SELECT writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup,"
            " max_writers, writer_is_also_reader FROM runtime_mysql_galera_hostgroups"
        )
        return Groups(*(int(value) for value in found[0])) if found else None

    def _ask(self, node: Node, watched: Watched) -> list[str | None]:
        seconds = self._store.number("mysql-monitor_galera_healthcheck_timeout") / 1000
        if watched.connection is None:
            user = self._store.runtime_variable("mysql-monitor_username")
            password = self._store.runtime_variable("mysql-monitor_password")
            watched.connection = wire.connect(node, user, password, seconds)
        return wire.query(watched.connection, _CHECK)[0]

    def _judge(self, found: list[str | None]) -> str:
        state, read_only, queue, desync, reject, donor, status = found
        serves = state == "4" or (state == "2" and donor == "0")
        if status != "Primary" or desync == "1" or not serves or reject != "NONE":
            return "offline"
        if read_only == "1":
            behind = self._store.value(
                "SELECT max_transactions_behind FROM runtime_mysql_galera_hostgroups"
            )
            return "offline" if int(queue or 0) > int(behind or 0) else "reader"
        return "writer"

    def _log(
        self, node: Node, started: float, found: list[str | None] | None, error: str | None
    ) -> None:
        if found is None:
            values = ("NO", "YES", 0, 0, "YES", "YES", "YES", "DISABLED")
        else:
            yes = ["YES" if value in ("1", "ON") else "NO" for value in found]
            primary = "YES" if found[6] == "Primary" else "NO"
            refuses = "NO" if found[4] == "NONE" else "YES"
            values = (primary, yes[1], found[2], found[0], yes[3], refuses, yes[5], "DISABLED")
        took = int((time.time() - started) * 1e6) if error is None else 0
        self._store.rows(
            "INSERT INTO monitor.mysql_server_galera_log VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            *node,
            int(started * 1e6),
            took,
            *values,
            error,
        )
        self._store.rows(
            "DELETE FROM monitor.mysql_server_galera_log WHERE hostname=? AND port=? AND time_start_us NOT IN (SELECT"
            " time_start_us FROM monitor.mysql_server_galera_log WHERE hostname=? AND port=? ORDER BY 1 DESC LIMIT 100)",
            *node,
            *node,
        )

    def _write(self) -> None:
        """Write runtime_mysql_servers again, in one step for its readers."""
        with self._store.lock:
            self._store.rows("DELETE FROM runtime_mysql_servers")
            for (group, node), row in self._placing.rows.items():
                self._store.rows(
                    "INSERT INTO runtime_mysql_servers SELECT ?,hostname,port,gtid_port,?,?,compression,max_connections,"
                    "max_replication_lag,use_ssl,max_latency_ms,comment FROM loaded_mysql_servers"
                    " WHERE hostname=? AND port=? LIMIT 1",
                    group,
                    row.status,
                    row.weight,
                    *node,
                )
            rows = self._store.rows(
                "SELECT hostgroup_id, hostname, port, weight FROM runtime_mysql_servers ORDER BY 1,2,3"
            )
            self._store.write_checksum("mysql_servers", rows)
