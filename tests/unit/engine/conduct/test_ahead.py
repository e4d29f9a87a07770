"""Before the first change of any module, every module of the chain is judged: a refusal leaves nothing behind."""

from __future__ import annotations

from typing import NoReturn

import pytest

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live, Stage
from tests.unit.engine.conduct.scripted import HOSTS, Make, module, one_by_one, play

__all__ = ["play"]


def half(live: Live) -> NoReturn:
    raise RefusedError("half a cluster is there", where="b")


def test_what_a_later_module_refuses_stops_the_first_change(play: Make) -> None:
    found = play(module("a"), module("b", half, virgin=lambda live: False))
    with pytest.raises(RefusedError, match="half a cluster is there") as caught:
        found.run()
    assert found.hosts.deeds == []
    assert caught.value.hint == ""


def test_what_it_requires_may_be_run_alone(play: Make) -> None:
    """A cluster that is stopped may wait for the repair of its servers' Docker."""
    found = play(module("a"), module("b", half, virgin=lambda live: False, requires=("a",)))
    with pytest.raises(RefusedError) as caught:
        found.run()
    assert "nothing was changed; kbz run a --limit " in caught.value.hint


def test_another_installation_on_a_later_modules_ground_stops_it_too(
    play: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def foreign(nornir: object, module: object, live: Live) -> None:
        raise RefusedError(f"data of {live.module} is there", where=HOSTS[0])

    monkeypatch.setattr("keybuzz.engine.adopt.ahead.require_own_ground", foreign)
    found = play(module("a"), module("b"))
    with pytest.raises(RefusedError, match="data of b is there"):
        found.run()
    assert found.hosts.deeds == []


def test_the_first_module_is_judged_at_its_own_turn_only(
    play: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "keybuzz.engine.adopt.ahead.require_own_ground",
        lambda nornir, module, live: asked.append(live.module),
    )
    play(module("a"), module("b")).run()
    assert asked == ["b"]


def test_virgin_ground_and_what_cannot_be_judged_yet_are_judged_later(play: Make) -> None:
    """A server that is not prepared yet tells little: its module is asked again at its turn."""
    turns: list[int] = []

    def unready(live: Live) -> Stage | None:
        turns.append(len(found.hosts.deeds))
        if len(found.hosts.deeds) < len(HOSTS):
            raise KeyError("not read yet")
        return one_by_one(live)

    found = play(module("a"), module("b", unready, virgin=lambda live: False))
    found.run()
    assert turns[:2] == [0, len(HOSTS)]
    refused_when_bare = module("c", half, virgin=lambda live: True)
    found = play(module("a"), refused_when_bare)
    with pytest.raises(RefusedError):
        found.run()
    assert len(found.hosts.deeds) == len(HOSTS)
