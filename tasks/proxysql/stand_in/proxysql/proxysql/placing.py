"""Which hostgroups each node is in: what one check of the Galera monitor does to the rows that run.

As in 2.6.4 each check moves its own node, and then weighs only the nodes that are in the writers' hostgroup already.
So a load holds until the next check of each node, and the writer moves when the check of a heavier one comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Node = tuple[str, int]
Place = tuple[int, Node]
_GONE = 0.3
"""Seconds after which another load finds no trace of a row that one took away."""


@dataclass(frozen=True)
class Groups:
    """One row of mysql_galera_hostgroups."""

    writer: int
    backup: int
    reader: int
    offline: int
    most: int
    also: int
    """writer_is_also_reader."""


@dataclass
class Row:
    """One row that runs."""

    weight: int
    status: str = "ONLINE"


@dataclass
class Placing:
    """The rows that run, by hostgroup and node."""

    rows: dict[Place, Row] = field(default_factory=dict)
    _left: dict[Place, tuple[int, float]] = field(default_factory=dict)
    """Writers' rows that a load took away: weight and time. The next check brings them back as they were."""

    def load(self, loaded: dict[Place, Row], groups: Groups | None, now: float) -> None:
        """Take what was loaded, as it is."""
        left: dict[Place, tuple[int, float]] = {}
        for place, row in self.rows.items():
            if (
                groups
                and place[0] == groups.writer
                and place not in loaded
                and row.status == "ONLINE"
            ):
                weight, at = self._left.get(place, (row.weight, now))
                # Two loads at once find the row still there; after a while it has gone for good.
                if place not in self._left or now - at < _GONE:
                    left[place] = (weight, at)
        self._left = left
        self.rows = {place: Row(row.weight, row.status) for place, row in loaded.items()}

    def serves(self, node: Node, groups: Groups) -> None:
        """The node is Synced and takes writes."""
        found = self.rows.get((groups.writer, node))
        reads = (groups.reader, node) in self.rows
        writers = [place for place in self._online() if place[0] == groups.writer]
        settled = groups.also == 2 or reads == bool(groups.also)
        if found and found.status == "ONLINE" and settled and len(writers) <= groups.most:
            return
        if (weight := self._taken(node, groups)) is None:
            return
        self._put((groups.writer, node), weight)
        if groups.also:
            self._put((groups.reader, node), self.rows[groups.writer, node].weight)
        self._converge(groups, ())

    def reads(self, node: Node, groups: Groups) -> None:
        """The node is Synced and read_only."""
        if (weight := self._taken(node, groups)) is not None:
            self._put((groups.reader, node), weight)
            self._converge(groups, ())

    def away(self, node: Node, groups: Groups, sound: tuple[Node, ...]) -> None:
        """The node serves no session; `sound` are those whose newest check was good."""
        if (weight := self._taken(node, groups)) is not None:
            self._put((groups.offline, node), weight)
            self._converge(groups, sound)

    def _taken(self, node: Node, groups: Groups) -> int | None:
        """Take the node's rows away; return its weight, None for a node that is in none of the groups."""
        order = (groups.writer, groups.backup, groups.reader, groups.offline)
        mine = [self.rows.pop((group, node)) for group in order if (group, node) in self.rows]
        return mine[0].weight if mine else None

    def _put(self, place: Place, weight: int) -> None:
        weight = self._left.get(place, (weight, 0.0))[0]
        self.rows.setdefault(place, Row(weight))

    def _online(self) -> list[Place]:
        """Return the rows that serve: the heaviest first, then the last by name, then by port."""
        found = [place for place, row in self.rows.items() if row.status == "ONLINE"]
        return sorted(found, key=lambda place: (self.rows[place].weight, place[1]), reverse=True)

    def _converge(self, groups: Groups, sound: tuple[Node, ...]) -> None:
        online = self._online()
        writers = [node for group, node in online if group == groups.writer]
        backups = [node for group, node in online if group == groups.backup]
        for node in writers[groups.most :]:
            row = self.rows[groups.writer, node]
            row.status = "SHUNNED"
            self.rows.setdefault((groups.backup, node), Row(row.weight))
        for node in backups[: max(0, groups.most - len(writers))]:
            self.rows[groups.writer, node] = self.rows.pop((groups.backup, node))
        if not writers and not backups:
            self._last_resort(groups, sound)
        if groups.also == 2:
            for group, node in self._online():
                if group == groups.writer:
                    self.rows.pop((groups.reader, node), None)

    def _last_resort(self, groups: Groups, sound: tuple[Node, ...]) -> None:
        """Without a writer the heaviest whose newest check was good becomes one."""
        known = [place for place in self.rows if place[1] in sound]
        for _, node in sorted(known, key=lambda p: (self.rows[p].weight, p[1]), reverse=True)[:1]:
            weight = self._taken(node, groups)
            self._put((groups.writer, node), weight or 0)
            if groups.also:
                self._put((groups.reader, node), weight or 0)
