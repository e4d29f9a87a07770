"""Progress on a terminal: one live line below lines that stay whole, whatever the width is."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterator

import pytest

from keybuzz.engine import events
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Plan
from keybuzz.report.text.progress import Detail, LiveLine

HOSTS = tuple(f"k8s-worker-{number:02}" for number in range(1, 13))
LOST = "its address does not answer: no route to host, and no other way is known to this machine"
_PIECE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Terminal(io.StringIO):
    """What a terminal shows of what was written: the sequences that a live line needs, and no other."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        lines, at, column = [""], 0, 0
        for number, code, back, down, text in _PIECE.findall(self.getvalue()):
            if text:
                old = lines[at].ljust(column)
                lines[at] = old[:column] + text + old[column + len(text) :]
                column += len(text)
            elif back or down:
                column = 0
                at += bool(down)
                lines += [""] * (at + 1 - len(lines))
            elif code == "A":
                at = max(0, at - int(number or 1))
            elif code == "K":
                assert number == "2", "only whole lines are erased"
                lines[at] = ""
            else:
                assert code in "mhl", code
        return [line.rstrip() for line in lines]


@pytest.fixture(params=[60, 100, 160])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def until(holds: Callable[[], bool]) -> None:
    """Wait until the live line, which is painted some times a second, says it."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def install() -> Iterator[events.Event]:
    """What a first installation begins with, up to the middle of a stage."""
    yield events.Reading(48, "base")
    yield events.HostsLost(HOSTS[:2], LOST)
    yield events.Planned(Plan({}), 46, 2)
    yield events.StageStarted("base", "packages", HOSTS, 12)
    for host in HOSTS[:3]:
        yield events.StepStarted(host, "package:jq")
    for host in HOSTS[:2]:
        yield events.StepEnded(host, "package:jq", Outcome.CHANGED)


def test_a_stage_is_one_line_that_says_how_far_it_is_and_what_is_waited_for(
    terminal: Terminal,
) -> None:
    live = LiveLine(terminal)
    for event in install():
        live(event)
    wanted = f"base: packages: 2 of 12; waiting for {HOSTS[2]} package:jq"[:50]
    until(lambda: any(wanted in line for line in terminal.screen()))
    live(events.StageEnded("base", "packages", HOSTS, 12, 12))
    live.close()
    shown = terminal.screen()
    assert not any("waiting for" in line for line in shown), "the live line goes"
    assert [line for line in shown if "packages" in line] == [
        line for line in shown if "✓ base: packages: 12 of 12 on 12 hosts" in line
    ]


@pytest.mark.parametrize("detail", Detail)
def test_nothing_is_painted_over_and_no_word_is_cut(terminal: Terminal, detail: Detail) -> None:
    live = LiveLine(terminal, detail)
    for event in install():
        live(event)
        until(lambda: bool(terminal.getvalue()))
    live.close()
    shown = terminal.screen()
    words = " ".join(" ".join(shown).split())
    assert "reading 48 hosts (base)" in words
    assert f"unreachable: {LOST}" in words
    assert "nothing to change on 46 hosts; 2 hosts could not be read" in words
    assert max(map(len, shown)) <= int(os.environ["COLUMNS"])
    steps = [line for line in shown if "✓ k8s-worker" in line]
    assert len(steps) == (2 if detail is Detail.STEPS else 0)


def beside() -> Iterator[events.Event]:
    """Two modules at work, each in the middle of a stage."""
    for module, host in (("redis", "redis-01"), ("rabbitmq", "queue-01")):
        yield events.Beside(module, events.ModuleBegun(module))
        yield events.Beside(module, events.StageStarted(module, "packages", (host,), 3))
        yield events.Beside(module, events.StepStarted(host, "package:jq"))
    yield events.Beside("redis", events.StepEnded("redis-01", "package:jq", Outcome.CHANGED))
    yield events.Beside("redis", events.StageEnded("redis", "packages", ("redis-01",), 3, 3))
    yield events.Beside("redis", events.GateWaiting("whole", "0 leaders"))


def test_modules_side_by_side_have_a_line_each(terminal: Terminal) -> None:
    live = LiveLine(terminal)
    for event in beside():
        live(event)
    wanted = ["redis: … whole: 0 leaders", "rabbitmq: packages: 0 of 3; waiting for queue-01"]
    until(lambda: all(any(text in line for line in terminal.screen()) for text in wanted))
    screen = [line for line in terminal.screen() if line]
    assert [text in line for line, text in zip(screen[-2:], wanted, strict=True)] == [True, True]
    for module in ("redis", "rabbitmq"):
        live(events.Beside(module, events.ModuleEnded(module, 1.0)))
    live.close()
    kept = "\n".join(terminal.screen())
    assert "✓ rabbitmq: done after 1.0 s" in kept
    assert "waiting for" not in kept
