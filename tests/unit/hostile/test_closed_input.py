"""A closed standard input (`<&-`) is like one that is no terminal: what must be typed is refused in words."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from keybuzz.cli.change import drill, recover
from keybuzz.cli.site import hosts
from keybuzz.cli.support.typed_name import at_terminal, require_typed
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.outcome import ExitCode
from tests.unit.support.site_values import memory_site
from tests.unit.transport.test_vouched import key_of

SERVER = memory_site().servers[0]


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.fixture(params=[lambda: None, closed, io.StringIO], ids=["none", "closed", "a pipe"])
def nobody(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", request.param())


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    "ask",
    [
        lambda: require_typed("redis", None, "the disks are deleted"),
        lambda: hosts._confirm(SERVER, key_of(1), None),
        lambda: drill._require_confirmed("redis", ""),
        lambda: recover._asking("")("redis", "redis-01"),
    ],
    ids=["typed name", "hosts trust", "drill", "recover"],
)
def test_nobody_at_the_terminal_is_refused_in_words(ask: Callable[[], object]) -> None:
    assert not at_terminal()
    with pytest.raises(RefusedError) as caught:
        ask()
    assert caught.value.code is ExitCode.REFUSED
    assert int(caught.value.code) == 3
