"""`accepted` of policies.yaml: read strictly, and written so that every other line and comment stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.model.core.errors import InputError
from keybuzz.site.accepted import Accepted
from keybuzz.site.accepting import with_accepted
from keybuzz.site.policies import parse_policies

OURS = Path(__file__).parents[4] / "inventory" / "policies.yaml"
GROUPS = ("redis", "rabbitmq", "minio", "galera")
ONE = Accepted(
    "drift/redis-01/container:redis",
    "0" * 8 + "-" + "0" * 16,
    "the owner's word",
    date(2026, 11, 30),
    None,
    0,
)
BAD = {
    "difference: redis": "is no id of drift",
    "state: abc": "is no digest",
    "reason: ok": "explains nothing",
    "decided: soon": "is no day",
    "until: 2027-02-30": "is no day",
    "color: red": "unknown key",
}


def read(content: bytes) -> tuple[Accepted, ...]:
    return parse_policies(content, "policies.yaml", GROUPS).accepted


def test_our_own_file_keeps_every_line() -> None:
    before = OURS.read_bytes()
    after = with_accepted(before, "policies.yaml", [ONE])
    kept = [line for line in before.splitlines() if line.strip()]
    assert [line for line in after.splitlines() if line in kept][: len(kept)] == kept
    (entry,) = read(after)
    assert entry.difference == ONE.difference


@given(
    thing=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30),
    reason=st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=40),
    until=st.none() | st.dates(date(2026, 1, 1), date(2200, 1, 1)),
)
def test_what_is_written_is_what_is_read(thing: str, reason: str, until: date | None) -> None:
    entry = Accepted(
        f"stray/redis-01/{thing}",
        "a1" * 4 + "-" + "a1" * 8,
        f"because of {reason}".strip(),
        date(2026, 1, 1),
        until,
        0,
    )
    content = with_accepted(b"freeze: [redis]\nwaivers: []\n", "p", [ONE, entry])
    assert [(e.difference, e.reason, e.until) for e in read(content)] == [
        (ONE.difference, ONE.reason, None),
        (entry.difference, entry.reason, until),
    ]


def test_the_same_difference_is_replaced_and_others_stay() -> None:
    other = Accepted(
        "stray/redis-02/unit:old.service",
        "b" * 8 + "-" + "b" * 16,
        "is removed in May",
        date(2026, 1, 1),
        None,
        0,
    )
    first = with_accepted(OURS.read_bytes(), "p", [ONE, other])
    newer = Accepted(
        ONE.difference,
        "c" * 8 + "-" + "c" * 16,
        "the owner said it again",
        date(2026, 12, 1),
        None,
        0,
    )
    found = read(with_accepted(first, "p", [newer]))
    assert [(e.difference, e.state) for e in found] == [
        (ONE.difference, "c" * 8 + "-" + "c" * 16),
        (other.difference, "b" * 8 + "-" + "b" * 16),
    ]


@pytest.mark.parametrize("line", BAD)
def test_a_bad_entry_is_named_with_its_line(line: str) -> None:
    fields = {
        "difference": "drift/redis-01/x",
        "state": "'00000000-0000000000000000'",
        "reason": "the owner's word",
        "decided": "2026-11-30",
    }
    name, _, value = line.partition(": ")
    entry = "\n    ".join(f"{key}: {text}" for key, text in {**fields, name: value}.items())
    with pytest.raises(InputError) as caught:
        read(f"freeze: []\nwaivers: []\naccepted:\n  - {entry}\n".encode())
    assert BAD[line] in str(caught.value)
    assert "policies.yaml:" in str(caught.value)


def test_one_difference_twice_is_an_error() -> None:
    content = with_accepted(b"freeze: []\nwaivers: []\n", "p", [ONE])
    entry = content[content.index(b"  - difference") :]
    with pytest.raises(InputError, match="accepted twice"):
        read(content + entry)


FILE = """\
# head
---  # start
freeze: [redis]  # four of them
waivers: []
accepted:
- difference: drift/redis-01/container:redis
  state: '00000000-0000000000000000'  # of May
  reason: "of issue #12"  # the owner
  decided: 2026-11-30

# The other one.
- difference: drift/redis-02/container:redis
  state: '00000000-0000000000000000'
  reason: the owner keeps it
  decided: 2026-11-30
  until: 2027-01-01{eol}
# The end.
"""
LATER = replace(ONE, reason="it is decided again", until=date(2027, 3, 31))
OTHER = replace(ONE, difference="drift/redis-02/container:redis")


def edited(entry: Accepted, eol: str = "") -> list[str]:
    return with_accepted(FILE.format(eol=eol).encode(), "p", [entry]).decode().splitlines()


def test_a_replaced_entry_keeps_every_comment_and_the_file_its_form() -> None:
    before, after = FILE.format(eol="").splitlines(), edited(LATER)
    assert after[:7] == [*before[:6], before[6]]
    assert after[7].split("#") == ['  reason: "it is decided again" ', " the owner"]
    assert after[8:] == [before[8], "  until: 2027-03-31", *before[9:]]


def test_what_follows_the_list_stays_behind_a_new_entry_and_one_without_its_last_field() -> None:
    before = FILE.format(eol="").splitlines()
    added = edited(replace(ONE, difference="drift/redis-03/container:redis"))
    assert added[: len(before) - 1] == before[:-1]
    assert added[len(before) - 1] == "- difference: drift/redis-03/container:redis"
    assert added[-1] == "# The end."
    gone = edited(OTHER)
    assert [line for line in gone if "until" in line] == []
    assert (gone[10], gone[-1]) == ("# The other one.", "# The end.")


def test_a_comment_that_would_be_lost_is_an_error() -> None:
    with pytest.raises(InputError, match="a comment would be lost: # until then"):
        edited(OTHER, "  # until then")
    assert edited(LATER, "  # until then")
