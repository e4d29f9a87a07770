"""Resources of ProxySQL: what is in its three layers, written through its admin port and never by its file.

proxysql.cnf counts only while there is no proxysql.db (facts/08). So memory, disk and runtime are compared, each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keybuzz.model.core.resource import Attributes, Json, Resource
from keybuzz.model.core.secret import DigestKey, Secret
from tasks.galera.service.resources import MysqlAccess

Cell = str | Secret
Row = tuple[tuple[str, Cell], ...]
"""Columns and their values, as ProxySQL answers them."""
LAYERS = ("memory", "disk", "runtime")
NULL = "(null)"
"""A cell without a value."""
RAISED = "10000000"
"""The largest weight: of a node that is raised above the others while one of them is interrupted."""
PLACED = "(galera)"
"""A hostgroup that the Galera monitor moves a node to and fro: any of its group is as described."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the nodes of one Galera cluster go when they are loaded: no moment has two writers (facts/08)."""

    column: str
    writer: str
    """Hostgroup of the node that takes writes."""
    others: tuple[str, ...]
    """Hostgroups of each other node."""
    away: str
    """Hostgroup of nodes that serve no client."""

    def order(self) -> Json:
        """Return the agent's part of a query."""
        return {
            "column": self.column,
            "writer": self.writer,
            "others": list(self.others),
            "groups": [self.writer, *self.others, self.away],
        }


@dataclass(frozen=True, slots=True)
class ProxysqlTable:
    """The rows of one table. A row that is not here must not be there, unless `own` says whose rows are ours."""

    table: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    placed: Placement | None = None
    """Where the monitor places its rows while it runs: each row is one node, without that column."""
    own: str = ""
    """Column by whose values rows are ours: a row with another value there is left alone. Empty: all rows are ours."""
    left: tuple[str, ...] = ()
    """Columns that are not compared at runtime, where ProxySQL itself sets them."""


@dataclass(frozen=True, slots=True)
class ProxysqlNoUser(Resource):
    """A user that must be in none of the layers."""

    kind: ClassVar[str] = "proxysql-no-user"
    access: MysqlAccess
    user: str

    @property
    def name(self) -> str:
        return self.user

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"there": False}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order()}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class ProxysqlTables(Resource):
    """Tables that one LOAD brings to runtime, such as `MYSQL SERVERS`."""

    kind: ClassVar[str] = "proxysql-tables"
    access: MysqlAccess
    group: str
    tables: tuple[ProxysqlTable, ...]

    @property
    def name(self) -> str:
        return self.group

    def wanted(self, key: DigestKey) -> Attributes:
        return {layer: self._texts(key, layer) for layer in LAYERS}

    def _texts(self, key: DigestKey, layer: str) -> tuple[str, ...]:
        found = {
            " ".join(
                (
                    table.table,
                    *([f"{table.placed.column}={PLACED}"] if table.placed else ()),
                    *(
                        f"{column}={_shown(value, key)}"
                        for column, value in row
                        if column not in left
                    ),
                ),
            )
            for table in self.tables
            for left in [table.left if layer == "runtime" else ()]
            for row in table.rows
        }
        return tuple(sorted(found))

    def query(self) -> Json:
        tables = [
            {
                "table": table.table,
                "columns": list(table.columns),
                "secret": sorted(
                    {c for row in table.rows for c, v in row if isinstance(v, Secret)}
                ),
                "left": list(table.left),
                "placed": table.placed.order() if table.placed else None,
                **_whose(table),
            }
            for table in self.tables
        ]
        return {
            "kind": self.kind,
            "name": self.name,
            "access": self.access.order(),
            "tables": tables,
        }

    def order(self) -> Json:
        rows = [
            {"table": table.table, "values": {c: _clear(v) for c, v in row}}
            for table in self.tables
            for row in table.rows
        ]
        return {**self.query(), "rows": rows}


@dataclass(frozen=True, slots=True)
class ProxysqlVariables(Resource):
    """Variables of one kind: `mysql` or `admin`. All others stay as they are."""

    kind: ClassVar[str] = "proxysql-variables"
    access: MysqlAccess
    group: str
    values: Row

    @property
    def name(self) -> str:
        return self.group

    def wanted(self, key: DigestKey) -> Attributes:
        found = tuple(sorted(f"{name}={_shown(value, key)}" for name, value in self.values))
        return dict.fromkeys(LAYERS, found)

    def query(self) -> Json:
        return {
            "kind": self.kind,
            "name": self.name,
            "access": self.access.order(),
            "names": [name for name, _ in self.values],
            "secret": [name for name, value in self.values if isinstance(value, Secret)],
        }

    def order(self) -> Json:
        return {**self.query(), "values": {name: _clear(value) for name, value in self.values}}


@dataclass(frozen=True, slots=True)
class ProxysqlStartup(Resource):
    """Variables that only a start reads, such as mysql-interfaces: the next start reads what is on disk."""

    kind: ClassVar[str] = "proxysql-startup"
    access: MysqlAccess
    container: str
    values: Row
    stop_timeout: int = 15
    """Seconds between TERM and KILL."""

    @property
    def name(self) -> str:
        return self.container

    def wanted(self, key: DigestKey) -> Attributes:
        found = tuple(sorted(f"{name}={_shown(value, key)}" for name, value in self.values))
        return dict.fromkeys(LAYERS, found)

    def query(self) -> Json:
        return {
            "kind": self.kind,
            "name": self.name,
            "access": self.access.order(),
            "names": [name for name, _ in self.values],
            "secret": [],
        }

    def order(self) -> Json:
        return {
            **self.query(),
            "values": {name: _clear(value) for name, value in self.values},
            "stop_timeout": self.stop_timeout,
        }

    def disrupts(self, observed: Attributes) -> bool:
        return bool(self.effects(observed))

    def effects(self, observed: Attributes) -> tuple[str, ...]:
        """Say that what runs is only changed by a restart."""
        running = tuple(sorted(f"{name}={value}" for name, value in self.values))
        return () if observed.get("runtime") == running else ("restarts ProxySQL",)


@dataclass(frozen=True, slots=True)
class ProxysqlOpen(Resource):
    """ProxySQL takes sessions and changes: neither PROXYSQL PAUSE nor PROXYSQL READONLY is on."""

    kind: ClassVar[str] = "proxysql-open"
    access: MysqlAccess
    traffic: int
    """Port of the applications."""

    @property
    def name(self) -> str:
        return "sessions"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"takes_sessions": True, "takes_changes": True}

    def query(self) -> Json:
        return {**Resource.query(self), "access": self.access.order(), "traffic": self.traffic}

    def order(self) -> Json:
        return self.query()


@dataclass(frozen=True, slots=True)
class ProxysqlWriter(Resource):
    """The node that new sessions are led to, chosen by its weight for a while, in memory only."""

    kind: ClassVar[str] = "proxysql-writer"
    access: MysqlAccess
    placed: Placement
    node: str
    """Address of the node that is raised above the others; empty: none is."""
    leads: str = ""
    """Address of the node that takes the writes then; empty: that is not known before."""
    weights: Row = ()
    """By `address:port`, how much each described node weighs that is not raised."""

    @property
    def name(self) -> str:
        return "writer"

    def wanted(self, key: DigestKey) -> Attributes:
        del key
        return {"raised": self.node}

    def query(self) -> Json:
        return {
            **Resource.query(self),
            "access": self.access.order(),
            "placed": self.placed.order(),
            "raised": RAISED,
        }

    def order(self) -> Json:
        weights = {place: _clear(weight) for place, weight in self.weights}
        return {**self.query(), "node": self.node, "leads": self.leads, "weights": weights}


def _whose(table: ProxysqlTable) -> Json:
    if not table.own:
        return {}
    return {"own": table.own, "ours": [_clear(dict(row)[table.own]) for row in table.rows]}


def _clear(value: Cell) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _shown(value: Cell, key: DigestKey) -> str:
    """Return what may be shown and is the same on the host."""
    return key.digest(value.reveal().encode())[:28] if isinstance(value, Secret) else value
