"""Words of hosts in what people read: nothing in them steers a terminal, and they write no line of their own."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybuzz.cli.support.output import document_text
from keybuzz.engine import events
from keybuzz.engine.change.execute import HostExecution
from keybuzz.engine.memory.journal import HostRecord
from keybuzz.model.core.errors import ContactError, RefusedError, StepError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.live import Member, Topology
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change, Difference, Plan
from keybuzz.model.core.record import report_document
from keybuzz.model.core.visible import LONGEST, json_visible, one_line, visible
from keybuzz.model.reports.drift import DriftItem
from keybuzz.model.reports.report import HostReport, Report
from keybuzz.report.machine.junit import junit_text
from keybuzz.report.machine.nagios import nagios_line
from keybuzz.report.machine.prometheus import prometheus_text
from keybuzz.report.page.sheet import sheet_of
from keybuzz.report.text.execution import execution_text
from keybuzz.report.text.progress import sentence
from keybuzz.report.text.report import report_text
from tests.unit.support.scripted_hosts import fleet

HOST = "redis-01"
FORGED = "critical base.reachable  install-01: all is lost"
HOSTILE = (
    f"\n{FORGED}",
    f"\r\n{FORGED}\r\n",
    f"\x85{FORGED}",
    f"\u2028{FORGED}",
    "\x1b[2J\x1b[1;1H",
    "\x9b2J",
    "\x1b]0;title\x07",
    "\u202eevil\u202c",
    "\u2066\u2069",
    "\u200bzero",
    "\ud800",
    "\x00\x08\x7f",
    "a | b=1;;;0",
)


def shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def assert_calm(text: str, kept: str = "\n\t") -> None:
    assert [c for c in text if not shown(c) and c not in kept] == []


@given(st.text())
def test_a_visible_text_has_nothing_that_a_terminal_acts_on_and_as_many_lines(text: str) -> None:
    found = visible(text)
    assert_calm(found)
    assert found.count("\n") == text.count("\n")
    assert visible(found) == found


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    assert_calm(one_line(text), kept="")
    assert len(one_line("\n" * 10_000)) < LONGEST + 100


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_the_same_without_raw_characters(value: object) -> None:
    text = json_visible(json.dumps(value, ensure_ascii=False, indent=2))
    assert_calm(text, kept="\n")
    assert json.loads(text) == value


def a_report(word: str) -> Report:
    """Return a report in which every word of a host is that one."""
    resource = next(iter(fleet()[HOST].modules.values())).resources[0]
    change = Change(
        HOST,
        "redis",
        resource,
        Action.UPDATE,
        (Difference("mode", word, "0644"),),
        diff=f"--- a\n+++ b\n-{word}\n",
        reason=word,
    )
    return Report(
        verb="plan",
        modules=("redis",),
        hosts={HOST: HostReport(HOST, Outcome.FAILED, what=word, hint=word)},
        plan=Plan({HOST: (change,)}),
        findings=(Finding("redis.node.answers", Level.CRITICAL, word, HOST, word),),
        topologies=(Topology("redis", (Member(HOST, word, word, (("lag", word),)),)),),
        seconds=1.0,
        error=str(ContactError(word, where=HOST, hint=word)),
    )


@pytest.mark.parametrize("verb", ["plan", "drift", "health", "run"])
def test_no_word_of_a_host_gets_a_line_by_the_width_of_the_screen(verb: str) -> None:
    """A long sentence goes on in the next line: never at its beginning, where kbz's own words are."""
    for length in range(20, 140):
        found = visible(report_text(replace(a_report(f"{'x' * length} {FORGED}"), verb=verb)))
        assert not [line for line in found.splitlines() if line.startswith(FORGED)], length


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("verb", ["plan", "drift", "health", "run"])
def test_no_word_of_a_host_writes_a_line_in_a_report(verb: str, word: str) -> None:
    found = visible(report_text(replace(a_report(word), verb=verb)))
    calm = report_text(replace(a_report(one_line(word)), verb=verb))
    assert_calm(found)
    assert not any(line.startswith(FORGED) for line in found.splitlines())
    extra = (
        word.count("\n") if verb in ("plan", "drift") else 0
    )  # in the diff, each behind its sign
    assert abs(found.count("\n") - calm.count("\n")) <= extra


@pytest.mark.parametrize("word", HOSTILE)
def test_no_word_of_a_host_gets_into_a_machine_s_form(word: str) -> None:
    report = replace(a_report(word), verb="health")
    text = document_text(report_document(report))
    assert_calm(text, kept="\n")
    assert json.loads(text)["verb"] == "health"
    sheet = sheet_of(report)
    line, _ = nagios_line(sheet)
    assert_calm(line, kept="")
    assert line.count("|") == 1
    metrics = visible(prometheus_text(sheet, 0.0))
    assert_calm(metrics, kept="\n")
    assert not any(row.startswith(FORGED) for row in metrics.splitlines())
    page = junit_text(sheet, 0.0)
    assert_calm(page)
    assert ElementTree.fromstring(page).tag == "testsuites"  # our own text


@pytest.mark.parametrize("word", HOSTILE)
def test_no_word_of_a_host_writes_a_line_of_progress_or_of_the_journal(word: str) -> None:
    told = (
        events.HostsLost((HOST,), word),
        events.StepEnded(HOST, "file:/x", Outcome.FAILED, word, word),
        events.Postponed("redis", word),
        events.NotLed("redis", word),
        events.GateWaiting("gate", word),
        events.ImageWork("redis:7", word),
        events.Drilled(word),
    )
    for event in told:
        assert_calm(sentence(event) or "", kept="")
    assert_calm(HostRecord(HOST, Outcome.FAILED, 0, word).what, kept="")
    item = DriftItem(f"stray/{HOST}/container:{word}", HOST, word)
    assert_calm(item.identity + item.what, kept="")
    for kind in (ContactError, StepError, RefusedError):
        error = kind(word, where=word, hint=word)
        assert_calm(error.sentence, kept="")
        assert str(error).count("\n") == 1


@pytest.mark.parametrize("word", HOSTILE)
def test_each_line_of_a_command_s_output_stands_behind_its_host(word: str) -> None:
    result = HostExecution(HOST, Outcome.FAILED, 1, f"{word}\n{word}", word, word)
    text = execution_text((result,))
    assert_calm(text)
    *lines, last = text.splitlines()
    assert all(line.startswith(f"{HOST} ") for line in lines)
    assert last == "0 of 1 hosts: exit 0"
