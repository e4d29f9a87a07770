"""`maintenance` of policies.yaml: written by the verb, read with each problem by its line, and taken out again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from keybuzz.model.core.errors import InputError
from keybuzz.model.inventory.maintenance import Maintenance
from keybuzz.site.files.maintenance import with_entry, without_entry
from keybuzz.site.policies import parse_policies

PLAIN = b"# Decided by the owner.\nfreeze:\n  - redis\nwaivers: []\n"
ONE = Maintenance(
    "redis-01", "a new disk", datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, 4, tzinfo=UTC)
)
TWO = Maintenance("redis-02", "a new kernel", ONE.since, ONE.until)


def read(content: bytes) -> dict[str, Maintenance]:
    found = parse_policies(content, "policies.yaml", {"redis"}).maintenance
    return {entry.host: entry for entry in found}


def test_an_entry_is_written_read_and_taken_out_again() -> None:
    written = with_entry(PLAIN, "policies.yaml", ONE)
    assert written.startswith(PLAIN.rstrip(b"\n"))
    [found] = read(written).values()
    assert (found.host, found.reason, found.until) == (ONE.host, ONE.reason, ONE.until)
    both = with_entry(written, "policies.yaml", TWO)
    assert set(read(both)) == {"redis-01", "redis-02"}
    assert set(read(without_entry(both, "policies.yaml", "redis-01"))) == {"redis-02"}
    assert read(without_entry(written, "policies.yaml", "redis-01")) == {}


@pytest.mark.parametrize("gone", [("a",), ("b",), ("c",), ("a", "b"), ("c", "a"), ("a", "b", "c")])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_each_comment_stays_whichever_entry_is_taken_out(gone: tuple[str, ...], blank: str) -> None:
    above = b"freeze: []\n# About the list.\nmaintenance: # Beside it.\n"
    text = above + b"".join(entry(host, f"  # Of {host}.\n") for host in "abc")
    text += f"{blank}# About the waivers.\nwaivers: []\n".encode()
    for host in gone:
        text = without_entry(text, "policies.yaml", host)
    assert set(read(text)) == set("abc") - set(gone)
    marks = [
        "# About the list.",
        "# Beside it.",
        *(f"# Of {host}." for host in "abc"),
        "# About the waivers.",
    ]
    places = [text.decode().index(mark) for mark in marks]
    assert places == sorted(places)
    left = [name for name in "abc" if name not in gone]
    for name in left:
        assert text.decode().index(f"# Of {name}.") < text.decode().index(f"host: {name}")


def entry(host: str, comment: str) -> bytes:
    times = "    since: 2027-01-01T00:00:00+00:00\n    until: 2027-01-01T04:00:00+00:00\n"
    return f"{comment}  - host: {host}\n    reason: a new disk\n{times}".encode()


def test_the_same_host_again_gets_the_new_end() -> None:
    longer = Maintenance(ONE.host, "it takes longer", ONE.since, datetime(2027, 1, 2, tzinfo=UTC))
    twice = with_entry(with_entry(PLAIN, "policies.yaml", ONE), "policies.yaml", longer)
    [found] = read(twice).values()
    assert (found.reason, found.until) == (longer.reason, longer.until)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("until: tomorrow", "until is 'tomorrow', which is no moment with its zone"),
        ("until: 2027-01-01T04:00:00", "which is no moment with its zone"),
        ("until: 9999-12-31T23:59:00-12:00", "which is no moment with its zone"),
    ],
)
def test_what_is_no_moment_is_told_with_its_line(text: str, what: str) -> None:
    written = with_entry(PLAIN, "policies.yaml", ONE).decode()
    line = next(line for line in written.splitlines() if "until:" in line)
    edited = written.replace(line.strip(), text)
    with pytest.raises(InputError, match=what):
        read(edited.encode())


def test_a_host_twice_is_refused() -> None:
    both = with_entry(with_entry(PLAIN, "policies.yaml", ONE), "policies.yaml", TWO)
    with pytest.raises(InputError, match="in maintenance twice"):
        read(both.replace(b"redis-02", b"redis-01"))
