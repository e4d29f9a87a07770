"""Whether all nodes hold the same rows: replication that is broken, or was never true, shows nowhere else. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from keybuzz.model.core.finding import Finding, Level, unknown
from keybuzz.model.core.reading import Answer
from keybuzz.model.inventory.server import Server
from keybuzz.model.services.mysql_checksums import MysqlChecksums
from keybuzz.site.module import Likeness
from keybuzz.site.site import Site
from tasks.galera import values

_REPLICATED = ("InnoDB", "SEQUENCE", "")
"""Engines whose rows Galera replicates; a sequence is one over InnoDB, and a broken table has none."""


def ask(site: Site, server: Server) -> MysqlChecksums:
    """Return the question to one node."""
    return MysqlChecksums("galera.checksums", values.access(site, server))


def contents(answer: Answer) -> Mapping[str, str]:
    """Return a node's checksums by table, without tables that were too large to be read."""
    if not answer.known or answer.value["denied"]:
        raise ValueError(answer.problem or answer.value["denied"])
    tables = answer.value["tables"].items()
    return {name: table["checksum"] or "not read" for name, table in tables}


def alone(host: str, answer: Answer) -> tuple[Finding, ...]:
    """Judge the engines of one node's tables."""
    check = "galera.tables.replicated"
    if not answer.known or answer.value["denied"]:
        return (unknown(check, answer.problem or answer.value["denied"], host),)
    found = [
        f"{name} ({table['engine']}, about {table['rows']} rows)"
        for name, table in sorted(answer.value["tables"].items())
        if table["engine"] not in _REPLICATED
    ]
    if not found:
        return (Finding(check, Level.OK, "every table is replicated", host),)
    text = f"not replicated: {', '.join(found[:5])}" + (
        f" and {len(found) - 5} more" if len(found) > 5 else ""
    )
    hint = "its rows are on this node only: its owner copies them into a table with ENGINE=InnoDB"
    return (Finding(check, Level.WARN, text, host, hint),)


def say(level: Level, message: str, host: str, hint: str) -> Finding:
    """Return the finding of a comparison."""
    return Finding("galera.data.alike", level, message, host, hint)


LIKENESS = Likeness(say, ask, contents, alone)
