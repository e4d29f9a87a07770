"""Before the next module: what stops it on the selected hosts, and what is no matter of theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.proof import require_healthy
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.reading import Answer
from tests.unit.tasks.healthy import healthy, with_answers

MODULES = {module.name: module for module in all_modules()}


def one_silent(name: str) -> tuple[Live, str]:
    """Return a cluster in which nothing is answered by the service of one member, and that member."""
    live = healthy(name)
    silent = list(live.hosts)[-1]
    said = {one: Answer(one, problem="Connection refused") for one in live.hosts[silent].answers}
    return with_answers(live, silent, said), silent


@pytest.mark.parametrize("name", ["patroni", "redis"])
def test_a_silent_member_that_was_not_selected_stops_no_other(name: str) -> None:
    """What is not known of the whole cluster for its silence is no verdict about those that answer."""
    live, silent = one_silent(name)
    selected = frozenset(live.hosts) - {silent}
    require_healthy(MODULES[name], replace(live, selected=selected))


@pytest.mark.parametrize("name", ["patroni", "redis"])
def test_one_that_was_selected_is_named_by_its_own_finding(name: str) -> None:
    live, silent = one_silent(name)
    with pytest.raises(RefusedError) as refused:
        require_healthy(MODULES[name], replace(live, selected=frozenset(live.hosts)))
    assert refused.value.where == silent
    assert "could not be read" not in str(refused.value)
