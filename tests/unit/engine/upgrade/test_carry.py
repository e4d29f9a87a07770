"""Two upgrades of one image that were prepared at the same time: the way back of the first one stays."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keybuzz.engine.upgrade import carry, record
from keybuzz.engine.upgrade.record import Record
from keybuzz.model.core.errors import RefusedError
from keybuzz.site.versions import Entry

FIRST = Record("redis", "redis:7.4.1-alpine", "redis:7.2.5-alpine", {"redis": Entry()})
SECOND = Record("redis", "redis:7.4.2-alpine", "redis:7.2.5-alpine", {"redis": Entry()})


def test_the_record_of_who_changed_versions_yaml_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, state = tmp_path / "versions.yaml", tmp_path / "state"
    state.mkdir(mode=0o700)
    record.write(state, FIRST)
    versions.write_bytes(b"what the first one has written")
    put: list[object] = []
    work = SimpleNamespace(site=SimpleNamespace(settings=SimpleNamespace(state=state)))
    means = carry.Means(lambda: nullcontext(cast("Any", work)), put.append)
    before, after = b"what both have looked at", b"what the second one would write"
    second = SimpleNamespace(back=False, path=versions, before=before, after=after, record=SECOND)
    monkeypatch.setattr(carry, "_hand_out", lambda *_: None)
    with pytest.raises(RefusedError, match="has changed since it was looked at"):
        carry.carry_out(cast("Any", second), means)
    assert record.read(state, "redis") == FIRST
    assert put == []
