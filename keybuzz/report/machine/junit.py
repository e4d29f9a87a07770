"""A sheet as JUnit XML, for the pages of a CI. Pure.

A finding or a host is a test case. Critical and different are failures, unknown is an error, warn passes and
says so in its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from keybuzz.model.core.finding import Finding, Level
from keybuzz.report.page.sheet import Sheet, module_of

_LINE = "\n\t"


@dataclass(frozen=True, slots=True)
class _Case:
    suite: str
    name: str
    kind: str = ""
    """failure, error, or nothing when it passed."""
    message: str = ""
    text: str = ""


def junit_text(sheet: Sheet, now: float) -> str:
    """Return the sheet as one `testsuites` document, a suite for each module."""
    cases = sorted(_cases(sheet), key=lambda case: case.suite)
    root = Element("testsuites", _counts(cases) | {"name": "kbz " + sheet.verb})
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for suite, group in groupby(cases, key=lambda case: case.suite):
        found = list(group)
        attributes = {"name": f"kbz.{sheet.verb}.{suite}", "timestamp": moment}
        place = SubElement(root, "testsuite", attributes | _counts(found))
        for case in found:
            _add(place, case, sheet.verb)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _cases(sheet: Sheet) -> Iterator[_Case]:
    for finding in sheet.findings:
        yield _finding(finding)
    for host, found in (sheet.differences or {}).items():
        if found:
            count = f"{len(found)} difference{'s' * (len(found) != 1)}"
            yield _Case("hosts", host, "failure", count, "\n".join(found))
        else:
            yield _Case("hosts", host)
    if not sheet.findings:
        yield from (_Case("hosts", host, "error", why) for host, why in sheet.silent.items())
    if sheet.error:
        yield _Case("kbz", sheet.verb, "error", sheet.error)


def _finding(finding: Finding) -> _Case:
    kinds = {Level.CRITICAL: "failure", Level.UNKNOWN: "error"}
    name = f"{finding.check} {finding.host}".strip()
    hint = f"→ {finding.hint}" if finding.hint and finding.level > Level.OK else ""
    text = "\n".join(filter(None, (f"{finding.level.word}: {finding.message}", hint)))
    return _Case(
        module_of(finding.check), name, kinds.get(finding.level, ""), finding.message, text
    )


def _counts(cases: Iterable[_Case]) -> dict[str, str]:
    found = list(cases)
    return {
        "tests": str(len(found)),
        "failures": str(sum(case.kind == "failure" for case in found)),
        "errors": str(sum(case.kind == "error" for case in found)),
    }


def _add(place: Element, case: _Case, verb: str) -> None:
    names = {"classname": f"kbz.{verb}.{_clean(case.suite)}", "name": _clean(case.name)}
    item = SubElement(place, "testcase", names)
    if case.kind:
        SubElement(item, case.kind, {"message": _clean(case.message)}).text = _clean(case.text)
    elif case.text:
        SubElement(item, "system-out").text = _clean(case.text)


def _clean(text: str) -> str:
    """Return a text without what XML 1.0 cannot hold."""
    return "".join(c if c.isprintable() or c in _LINE else "�" for c in text)
