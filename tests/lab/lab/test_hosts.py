"""Host keys: a rebuilt host is refused until somebody forgets and trusts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.conftest import Kbz

pytestmark = pytest.mark.lab

HOST = "db-slave-02"


def test_a_ping_needs_no_key_and_tells_a_closed_port(kbz: Kbz) -> None:
    pinned = kbz.root / "ssh" / "known_hosts"
    before = pinned.read_text()
    try:
        pinned.write_text("")
        assert kbz.good("hosts", "ping", "--limit", "db").code == 0
        closed = kbz("hosts", "ping", "--limit", HOST, "--port", "9")
        assert closed.code == 4
        assert closed.stdout.startswith(f"no connection on port 9: {HOST}\n")
    finally:
        pinned.write_text(before)


def test_an_unknown_host_is_refused_until_its_key_is_trusted(kbz: Kbz) -> None:
    pinned = kbz.root / "ssh" / "known_hosts"
    before = pinned.read_text()
    try:
        kbz.good("hosts", "forget", HOST)
        others = [line for line in before.splitlines() if not line.startswith("10.0.0.122 ")]
        assert pinned.read_text().splitlines() == others
        refused = kbz("exec", "--limit", HOST, "--", "true")
        assert refused.code == 4
        assert f"kbz hosts trust {HOST}" in refused.stdout
        unseen = kbz("hosts", "trust", HOST)
        assert unseen.code == 3
        wrong = kbz("hosts", "trust", HOST, "--fingerprint", "SHA256:" + "A" * 43)
        assert wrong.code == 3
        assert pinned.read_text().splitlines() == others
        public = kbz.on(HOST, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        kbz.good("hosts", "trust", HOST, "--fingerprint", public)
        assert kbz.good("exec", "--limit", HOST, "--", "true").code == 0
    finally:
        pinned.write_text(before)


def test_a_key_that_changed_is_never_replaced_by_trust_alone(kbz: Kbz) -> None:
    pinned = kbz.root / "ssh" / "known_hosts"
    before = pinned.read_text()
    made = subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(kbz.root / "other")], check=False
    )
    assert made.returncode == 0
    kind, blob = (kbz.root / "other.pub").read_text().split()[:2]
    try:
        kept = [line for line in before.splitlines() if not line.startswith("10.0.0.122 ")]
        pinned.write_text("\n".join([*kept, f"10.0.0.122 {kind} {blob}"]) + "\n")
        changed = pinned.read_text()
        done = kbz("hosts", "trust", HOST)
        assert done.code == 3
        assert f"kbz hosts forget {HOST}" in done.stderr
        assert pinned.read_text() == changed
    finally:
        pinned.write_text(before)


def test_workers_find_what_this_machine_finds(kbz: Kbz) -> None:
    """`runner.plugin: kbz_sharded`, each host in a shard of its own: the same plan, by workers' own connections."""
    own = "  plugin: kbz_bounded\n  options:\n    num_workers: 50\n"
    section = (
        "  plugin: kbz_sharded\n  options: {back_end: process, num_workers: 8, shard_size: 1}\n"
    )
    text = kbz.config.read_text()
    assert own in text
    sharded = kbz.config.with_name("sharded.yaml")
    sharded.write_text(text.replace(own, section))
    by_workers = replace(kbz, config=sharded)
    try:
        assert by_workers.good("workers", "check").stdout.count("ready") == 1
        for verb, code in (("plan", 2), ("health", 0)):
            here, there = (
                made(verb, "base", "--limit", "db", "--json") for made in (kbz, by_workers)
            )
            assert (here.code, there.code) == (code, code), there.stderr
            said, same = json.loads(here.stdout), json.loads(there.stdout)
            for document in (said, same):
                assert {item["outcome"] for item in document["hosts"].values()} == {"ok"}
            assert told(same) == told(said)
    finally:
        sharded.unlink()


def told(document: dict[str, Any]) -> tuple[Any, list[tuple[str, str, str]]]:
    """Return the plan, and each finding but for its words: some hold seconds."""
    found = sorted((f["check"], f["host"], f["level"]) for f in document["findings"])
    return document["plan"], found
