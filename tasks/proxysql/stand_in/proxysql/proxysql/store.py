"""The three layers of the configuration in SQLite: memory (main), disk, and what runs."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

from proxysql import schema

Rows = list[tuple[Any, ...]]


class Store:
    """All layers behind one lock. What runs is a copy of memory, made by LOAD."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self.virgin = not path.exists()
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._base.execute("ATTACH DATABASE ? AS disk", (str(path),))
        for name in ("monitor", "stats"):
            self._base.execute(f"ATTACH DATABASE ':memory:' AS {name}")
        for table, columns in schema.TABLES.items():
            for place in ("main.", "main.runtime_", "main.loaded_", "disk."):
                if place == "disk." and not self.virgin:
                    continue
                self._base.execute(f"CREATE TABLE {place}{table} {columns}")
        self._base.execute(f"CREATE TABLE main.runtime_checksums_values {schema.CHECKSUMS}")
        self._base.execute(f"CREATE TABLE stats.stats_mysql_connection_pool {schema.POOL}")
        self._base.execute(f"CREATE TABLE monitor.mysql_server_galera_log {schema.GALERA_LOG}")
        self._fixed: dict[str, str] = {}

    def boot(self, found: dict[str, Any]) -> None:
        """Take the configuration from disk, or on the very first boot from the file."""
        if self.virgin:
            values = dict(schema.DEFAULTS)
            for section in ("admin", "mysql"):
                for name, value in found.get(f"{section}_variables", {}).items():
                    full = f"{section}-{name}"
                    if full not in values:
                        print(f"[WARNING] Unknown variable {full}", file=sys.stderr)
                    elif '"' in str(value):
                        print(f"[ERROR] SQLITE error in {full}: {value}", file=sys.stderr)
                    else:
                        values[full] = str(value)
            self._base.executemany("INSERT INTO global_variables VALUES (?,?)", values.items())
            for table in schema.TABLES:
                for row in found.get(table, []):
                    self._from_file(table, row)
            for group in schema.GROUPS:
                self._copy(group, "main.", "disk.")
            self._variables("mysql", "main.", "disk.")
            self._variables("admin", "main.", "disk.")
        else:
            for group in schema.GROUPS:
                self._copy(group, "disk.", "main.")
            self._variables("mysql", "disk.", "main.")
            self._variables("admin", "disk.", "main.")
        for name in schema.FIXED:
            self._fixed[name] = self.value(
                "SELECT variable_value FROM main.global_variables WHERE variable_name=?", name
            )
        for group in (*schema.GROUPS, "MYSQL VARIABLES", "ADMIN VARIABLES"):
            self.load(group)

    def _from_file(self, table: str, row: dict[str, Any]) -> None:
        names = {"address": "hostname", "hostgroup": "hostgroup_id"}
        row = {names.get(name, name): value for name, value in row.items()}
        if table == "mysql_galera_hostgroups":
            row["active"] = 1
        if table == "mysql_users" and "'" in str(row.get("password", "")):
            print(f"[ERROR] SQLITE error in mysql_users: {row}", file=sys.stderr)
            return
        marks = ",".join("?" * len(row))
        try:
            self._base.execute(
                f"INSERT OR REPLACE INTO main.{table} ({','.join(row)}) VALUES ({marks})",
                list(row.values()),
            )
        except sqlite3.Error as error:
            print(f"[ERROR] SQLITE error: {error}", file=sys.stderr)

    def value(self, statement: str, *values: Any) -> str:
        """Return the first column of the first row as a text; empty when there is none."""
        with self.lock:
            row = self._base.execute(statement, values).fetchone()
        return "" if row is None else str(row[0])

    def rows(self, statement: str, *values: Any) -> Rows:
        """Return all rows."""
        with self.lock:
            return self._base.execute(statement, values).fetchall()

    def cursor(self, statement: str) -> sqlite3.Cursor:
        """Run a client's statement; the caller holds the lock."""
        return self._base.execute(statement)

    def set_read_only(self, value: bool) -> None:
        """Refuse or take writes through the admin port: at once, and in no other layer."""
        with self.lock:
            self._base.execute(
                "UPDATE main.runtime_global_variables SET variable_value=? WHERE variable_name='admin-read_only'",
                ("true" if value else "false",),
            )

    def runtime_variable(self, name: str) -> str:
        """Return the value that is at work."""
        return self.value(
            "SELECT variable_value FROM main.runtime_global_variables WHERE variable_name=?", name
        )

    def number(self, name: str) -> int:
        """Return a runtime variable as a number."""
        return int(self.runtime_variable(name))

    def load(self, group: str) -> None:
        """Memory to runtime."""
        with self.lock:
            if group in schema.GROUPS:
                self._copy(group, "main.", "main.loaded_")
                if group != "MYSQL SERVERS":
                    self._copy(group, "main.", "main.runtime_")
                else:
                    for table in schema.GROUPS[group][1:]:
                        self._replace(table, "main.", "main.runtime_")
                if group == "MYSQL USERS":
                    self._split_users()
                self._checksum(schema.GROUPS[group][0], "main.loaded_")
            else:
                kind = group.split()[0].lower()
                self._correct(kind)
                self._variables(kind, "main.", "main.runtime_")
                self._checksum(f"{kind}_variables", "main.runtime_")

    def save(self, group: str) -> None:
        """Memory to disk."""
        with self.lock:
            if group in schema.GROUPS:
                self._copy(group, "main.", "disk.")
            else:
                self._variables(group.split()[0].lower(), "main.", "disk.")

    def restore(self, group: str) -> None:
        """Disk to memory."""
        with self.lock:
            if group in schema.GROUPS:
                self._copy(group, "disk.", "main.")
            else:
                self._variables(group.split()[0].lower(), "disk.", "main.")

    def _copy(self, group: str, source: str, target: str) -> None:
        for table in schema.GROUPS[group]:
            self._replace(table, source, target)

    def _replace(self, table: str, source: str, target: str) -> None:
        self._base.execute(f"DELETE FROM {target}{table}")
        where = " WHERE active=1" if target == "main.runtime_" and table in schema.ACTIVE else ""
        self._base.execute(f"INSERT INTO {target}{table} SELECT * FROM {source}{table}{where}")

    def _split_users(self) -> None:
        self._base.execute("UPDATE main.runtime_mysql_users SET backend=0 WHERE frontend=1")
        self._base.execute(
            "INSERT INTO main.runtime_mysql_users SELECT username,password,active,use_ssl,default_hostgroup,default_schema,"
            "schema_locked,transaction_persistent,fast_forward,1,0,max_connections,attributes,comment"
            " FROM main.loaded_mysql_users WHERE active=1"
        )

    def _variables(self, kind: str, source: str, target: str) -> None:
        like = f"{kind}-%"
        self._base.execute(
            f"DELETE FROM {target}global_variables WHERE variable_name LIKE ?", (like,)
        )
        self._base.execute(
            f"INSERT INTO {target}global_variables SELECT * FROM {source}global_variables WHERE variable_name LIKE ?",
            (like,),
        )

    def _correct(self, kind: str) -> None:
        """Drop what is unknown, and put running or default values in the place of impossible ones."""
        for name, value in self.rows(
            "SELECT * FROM main.global_variables WHERE variable_name LIKE ?", f"{kind}-%"
        ):
            good = value
            if name not in schema.DEFAULTS:
                self._base.execute(
                    "DELETE FROM main.global_variables WHERE variable_name=?", (name,)
                )
                continue
            if name in self._fixed:
                good = self._fixed[name]
            elif name in schema.RANGES:
                low, high = schema.RANGES[name]
                if not str(value).isdigit() or not low <= int(value) <= high:
                    good = self.runtime_variable(name) or schema.DEFAULTS[name]
            elif name == "admin-admin_credentials" and not value:
                good = self.runtime_variable(name)
            if good != value:
                self._base.execute(
                    "UPDATE main.global_variables SET variable_value=? WHERE variable_name=?",
                    (good, name),
                )

    def _checksum(self, name: str, place: str) -> None:
        if name.endswith("_variables"):
            kind = name.split("_")[0]
            found = self.rows(
                f"SELECT * FROM {place}global_variables WHERE variable_name LIKE ? AND variable_name NOT IN "
                "('admin-mysql_ifaces','mysql-interfaces') ORDER BY 1",
                f"{kind}-%",
            )
        else:
            found = self.rows(f"SELECT * FROM {place}{name} ORDER BY 1,2,3")
        if name == "proxysql_servers" and not found:
            self.write_checksum(name, found, "0x0")
            return
        self.write_checksum("mysql_servers_v2" if name == "mysql_servers" else name, found)

    def write_checksum(self, name: str, found: Rows, fixed: str = "") -> None:
        """Keep the checksum of some rows; the version counts the loads."""
        digest = fixed or "0x" + hashlib.sha256(repr(found).encode()).hexdigest()[:16].upper()
        with self.lock:
            self._base.execute(
                "INSERT INTO main.runtime_checksums_values VALUES (?,1,?,?) ON CONFLICT(name) DO UPDATE SET "
                "version=version+1, epoch=excluded.epoch, checksum=excluded.checksum",
                (name, int(time.time()), digest),
            )
