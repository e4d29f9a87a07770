"""Patroni's store: settings are patched, a slot is made, and a bound of the owner's is never lowered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from keybuzz.model.core.secret import DigestKey, Secret
from tasks.patroni.agent.patroni import (
    read_patroni_settings,
    read_patroni_slot,
    write_patroni_settings,
    write_patroni_slot,
)
from tasks.patroni.service.resources import PatroniSettings, PatroniSlot

CONTEXT: Any = None
BOUND = "max_slot_wal_keep_size"


@dataclass
class Store:
    """Patroni's store, patched as Patroni does it: what is named replaces what is there."""

    url: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def slot(self, most: str = "10GB") -> PatroniSlot:
        return PatroniSlot((self.url,), "kbz_backup", most, "patroni", Secret("P", "a password"))

    def as_described(self, slot: PatroniSlot) -> bool:
        found = read_patroni_slot(slot.query(), CONTEXT)
        return bool(found["present"]) and found["attributes"] == slot.wanted(DigestKey(b"k"))

    @property
    def bound(self) -> object:
        return self.settings["postgresql"]["parameters"].get(BOUND)


def patched(found: dict[str, Any], patch: dict[str, Any]) -> None:
    """Patch as Patroni does: what reads the same stays as it is, a number where a text was written."""
    for name, value in patch.items():
        if isinstance(value, dict):
            patched(found.setdefault(name, {}), value)
        elif name not in found or str(found[name]) != str(value):
            found[name] = value


@contextmanager
def patroni(bound: object) -> Iterator[Store]:
    """Serve the store of a cluster whose owner has set this bound; None for none."""
    parameters = {"work_mem": "4MB"} if bound is None else {"work_mem": "4MB", BOUND: bound}
    store = Store(settings={"ttl": 30, "postgresql": {"parameters": parameters}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(store.settings)

        def do_PATCH(self) -> None:
            patched(
                store.settings, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            )
            self._answer(store.settings)

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="patroni")
        thread.start()
        store.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield store
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize("bound", [-1, "-1", "10GB", "10240MB", 10240, "20GB", "1TB", "20971520kB"])
def test_a_bound_that_is_as_large_or_lifted_stays(bound: object) -> None:
    with patroni(bound) as store:
        assert not store.as_described(store.slot()), "the slot is not there yet"
        write_patroni_slot(store.slot().order(), CONTEXT)
        assert store.bound == bound
        assert store.settings["slots"] == {"kbz_backup": {"type": "physical"}}
        assert store.as_described(store.slot())


@pytest.mark.parametrize("bound", [None, "1GB", 1024, "10239MB", "0", "", "much", True])
def test_a_smaller_one_or_none_is_set_and_all_else_stays(bound: object) -> None:
    with patroni(bound) as store:
        store.settings["slots"] = {"kbz_backup": {"type": "physical"}, "other": {"type": "logical"}}
        assert not store.as_described(store.slot())
        write_patroni_slot(store.slot().order(), CONTEXT)
        assert store.bound == "10GB"
        assert store.settings["postgresql"]["parameters"]["work_mem"] == "4MB"
        assert store.settings["slots"]["other"] == {"type": "logical"}
        assert store.settings["ttl"] == 30
        assert store.as_described(store.slot())


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        (50, "50", True),
        ("50", 50, True),
        (50, 50, True),
        ("256MB", "256MB", True),
        (True, True, True),
        (100, "50", False),
        ("1.50", "1.5", False),
        ("256MB", "256", False),
        (None, "50", False),
        (1, True, False),
    ],
)
def test_a_number_and_its_text_are_the_same_setting(
    there: str | int | None, wanted: str | int, same: bool
) -> None:
    """Older scripts wrote numbers; Patroni keeps them where a text is written, and the run never ended."""
    described = PatroniSettings("", (("postgresql.parameters.x", wanted),), "u", Secret("P", "p"))
    with patroni(None) as store:
        if there is not None:
            store.settings["postgresql"]["parameters"]["x"] = there
        asked = replace(described, url=store.url)

        def as_described() -> bool:
            found = read_patroni_settings(asked.query(), CONTEXT)["attributes"]
            return found == asked.wanted(DigestKey(b"k"))

        assert as_described() is same
        write_patroni_settings(asked.order(), CONTEXT)
        assert as_described()
