"""A table of bad files: each is refused with its rule's id, at its place, and with nothing beside it."""

from __future__ import annotations

from collections import Counter

import pytest

from keybuzz.policy.check import check_text
from keybuzz.policy.registry import ids
from tests.unit.support.policy_bad import TABLE
from tests.unit.support.policy_values import Bad, context


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: f"{bad.rule}:{bad.marked[:60]!r}")
def test_a_bad_file_is_refused_with_its_rule_and_place(bad: Bad) -> None:
    found = check_text(bad.path, bad.text, context())
    assert [(item.rule, item.path, (item.line, item.column)) for item in found] == [
        (bad.rule, bad.path, bad.place)
    ]
    assert found[0].message
    assert found[0].instead


def test_the_table_is_long_and_every_rule_over_files_is_in_it() -> None:
    counts = Counter(bad.rule for bad in TABLE)
    assert len(TABLE) >= 100
    assert set(counts) == set(ids()) - {"KBZ-3"}
    assert len(set(TABLE)) == len(TABLE)
