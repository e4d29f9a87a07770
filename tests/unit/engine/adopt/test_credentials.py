"""Every kind with a credential of a live service says which one it is, and is refused by the one rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybuzz.engine.adopt.credentials import is_another
from keybuzz.model.core.plan import Action, Change, Difference
from keybuzz.model.core.resource import Resource
from tests.unit.support.resource_values import KEY, RESOURCES

PROOFS = frozenset({"password_matches", "logs_in", "token_matches"})
KINDS = (
    "postgres-role",
    "mysql-user",
    "rabbitmq-user",
    "rabbitmq-account",
    "k3s-token",
    "minio-user",
    "patroni-rest-password",
)
ROTATIONS = {"k3s-token-rotated"}
"""The wish that a live credential changes: what `kbz secrets rotate` asks for is never refused as another one."""


@pytest.mark.parametrize("kind", sorted(set(RESOURCES) - ROTATIONS))
@settings(max_examples=3)
@given(data=st.data())
def test_every_kind_that_compares_a_credential_declares_it(kind: str, data: st.DataObject) -> None:
    resource: Resource = data.draw(RESOURCES[kind])
    compared = PROOFS & set(resource.wanted(KEY))
    assert compared == set(resource.credential_proofs)
    assert bool(compared) == (resource.credential is not None)


@pytest.mark.parametrize("kind", sorted(ROTATIONS))
@settings(max_examples=3)
@given(data=st.data())
def test_a_rotation_is_not_taken_for_another_credential(kind: str, data: st.DataObject) -> None:
    resource: Resource = data.draw(RESOURCES[kind])
    (proof,) = PROOFS & set(resource.wanted(KEY))
    differs = Change("host", "module", resource, Action.UPDATE, (Difference(proof, False, True),))
    assert not is_another(differs)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(data=st.data())
def test_a_live_service_with_another_credential_is_refused(kind: str, data: st.DataObject) -> None:
    resource: Resource = data.draw(RESOURCES[kind])
    (proof,) = resource.credential_proofs
    differs = Change("host", "module", resource, Action.UPDATE, (Difference(proof, False, True),))
    assert is_another(differs)
    assert not is_another(replace(differs, action=Action.CREATE)), "nothing lives there yet"
    unread = replace(differs, differences=(Difference(proof, None, True),))
    assert not is_another(unread)
    other = replace(differs, differences=(Difference("login", False, True),))
    assert not is_another(other)
    disabled = replace(
        differs, differences=(*differs.differences, Difference("enabled", False, True))
    )
    assert not is_another(disabled), "no password lets a disabled account in"


def test_no_module_has_a_rule_of_its_own() -> None:
    """The refusal is one function of the engine: it is asked before a run, and before each change."""
    for room in ("change/conduct", "adopt/ahead"):
        assert Path(f"keybuzz/engine/{room}.py").read_text().count("require_same(module") == 1
