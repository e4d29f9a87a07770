"""What a lease tells others of the command that holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.drift.drift import DriftRequest, drift
from keybuzz.engine.memory.claims import claimed, claimed_when_met
from keybuzz.engine.memory.forgetful import open_journal
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import KbzError
from tests.unit.engine.memory.test_forgetful import HOSTS, REDIS
from tests.unit.support.scripted_hosts import SITE, Script, scripted
from tests.unit.support.site_values import planted

UNKNOWN = "NeedleOfNoStore1"


def workspace(state: Path, command: str) -> Workspace:
    site = replace(SITE, settings=replace(SITE.settings, state=state))
    journal = open_journal(state / "journal.sqlite", 2)
    return Workspace(site, scripted(Script()), journal, lambda event: None, command)


@pytest.mark.parametrize("secret", [planted("REDIS_PASSWORD"), UNKNOWN])
def test_a_secret_that_was_typed_is_told_to_nobody(tmp_path: Path, secret: str) -> None:
    typed = workspace(tmp_path, f"kbz exec --limit redis -- redis-cli --pass {secret} INFO")
    with claimed_when_met(typed, "kbz exec", HOSTS):
        assert secret not in (tmp_path / "leases" / "redis.lease").read_text()
        report = drift(workspace(tmp_path, "kbz drift"), DriftRequest(REDIS, HOSTS, all_modules()))
        assert any("kbz exec" in warning for warning in report.warnings)
        assert not [warning for warning in report.warnings if secret in warning]
        with (
            pytest.raises(KbzError, match="kbz exec") as refused,
            claimed(workspace(tmp_path, "kbz run redis"), "kbz run redis", HOSTS),
        ):
            raise AssertionError("it began")
    assert secret not in str(refused.value)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite*"))
    assert secret.encode() not in kept
