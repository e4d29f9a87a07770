"""The result of a policy check as text, JSON and SARIF 2.1.0, and the page about the rules. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill
from urllib.parse import quote

from keybuzz.policy.violation import Rule, Unjudged, Verdict, Violation

FORMAT_VERSION = 1
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_WIDTH = 100
Json = dict[str, object]


def verdict_text(verdict: Verdict, rules: Sequence[Rule]) -> str:
    """Return each violation with its place, then why the rules exist, what was waived, and one last line."""
    sections = [_file_text(list(found)) for _, found in _by_path(verdict.violations)]
    broken = {violation.rule for violation in verdict.violations}
    whys = [
        fill(f"{rule.id}  {rule.why}", _WIDTH, subsequent_indent=" " * 7)
        for rule in rules
        if rule.id in broken
    ]
    if whys:
        sections.append("Why:\n" + "\n".join(whys))
    waived = [
        f"waived until {item.waiver.until}: {_place(item.violation)}: {item.violation.rule}:"
        f" {item.waiver.reason}"
        for item in verdict.waived
    ]
    sections += [
        "\n".join(part)
        for part in (waived, _unjudged_lines(verdict), [f"note: {n}" for n in verdict.notes])
        if part
    ]
    return "\n\n".join([*sections, _last_line(verdict)]) + "\n"


_MOST_UNJUDGED = 20


def _unjudged_lines(verdict: Verdict) -> list[str]:
    """Return a line for each file that no reader understood; a folder of pictures is not listed one by one."""
    lines = [f"not judged: {_one_line(i.path)}: {_one_line(i.why)}" for i in verdict.unjudged]
    left = len(lines) - _MOST_UNJUDGED
    return lines if left <= 0 else [*lines[:_MOST_UNJUDGED], f"not judged: {left} more files"]


def _by_path(violations: Sequence[Violation]) -> groupby[str, Violation]:
    return groupby(violations, key=lambda violation: violation.path)


def _file_text(violations: list[Violation]) -> str:
    lines = []
    for violation in violations:
        excerpt = f"  {_one_line(violation.excerpt)}" if violation.excerpt else ""
        lines.append(f"{_place(violation)}: {violation.rule}{excerpt}")
        lines.append(f"    {violation.message}")
        lines.append(f"    → {violation.instead}")
    return "\n".join(lines)


def _place(violation: Violation) -> str:
    return f"{violation.path}:{violation.line}:{violation.column}"


def _one_line(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


def _last_line(verdict: Verdict) -> str:
    count, files = len(verdict.violations), verdict.files
    waived = f", {len(verdict.waived)} waived" if verdict.waived else ""
    hint = "; `kbz policy explain ID` says more" if count else ""
    waived += f", {len(verdict.known)} in the baseline" if verdict.known else ""
    waived += f", {len(verdict.unjudged)} not judged" if verdict.unjudged else ""
    return (
        f"{count} violation{'s' * (count != 1)}{waived} in {files} file{'s' * (files != 1)}{hint}"
    )


def verdict_document(verdict: Verdict, rules: Sequence[Rule]) -> Json:
    """Return the result for JSON; its shape only changes together with `format_version`."""
    whys = {rule.id: rule.why for rule in rules}
    return {
        "format_version": FORMAT_VERSION,
        "files": verdict.files,
        "violations": [_violation_document(item, whys) for item in verdict.violations],
        "waived": [
            _violation_document(item.violation, whys)
            | {"reason": item.waiver.reason, "until": item.waiver.until.isoformat()}
            for item in verdict.waived
        ],
        "notes": list(verdict.notes),
        "unjudged": [item.path for item in verdict.unjudged],
        "unjudged_because": [item.why for item in verdict.unjudged],
        "in_baseline": len(verdict.known),
    }


def _violation_document(violation: Violation, whys: dict[str, str]) -> Json:
    return {
        "rule": violation.rule,
        "path": violation.path,
        "line": violation.line,
        "column": violation.column,
        "excerpt": violation.excerpt,
        "message": violation.message,
        "why": whys[violation.rule],
        "instead": violation.instead,
    }


def verdict_sarif(verdict: Verdict, rules: Sequence[Rule], version: str) -> Json:
    """Return the result as SARIF 2.1.0, one run; waived violations are suppressed results."""
    results = [_sarif_result(item, rules) for item in verdict.violations]
    for waived in verdict.waived:
        reason = f"{waived.waiver.reason} (until {waived.waiver.until})"
        suppression = {"kind": "external", "status": "accepted", "justification": reason}
        results.append(_sarif_result(waived.violation, rules) | {"suppressions": [suppression]})
    for known in verdict.known:
        suppression = {"kind": "external", "status": "accepted", "justification": "in the baseline"}
        results.append(_sarif_result(known, rules) | {"suppressions": [suppression]})
    driver = {"name": "kbz", "version": version, "rules": [_sarif_rule(rule) for rule in rules]}
    notes: list[Json] = [{"level": "note", "message": {"text": note}} for note in verdict.notes]
    notes += [_sarif_unjudged(item) for item in verdict.unjudged]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": results,
    }
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _sarif_unjudged(item: Unjudged) -> Json:
    location = {"physicalLocation": {"artifactLocation": {"uri": quote(item.path)}}}
    return {
        "level": "warning",
        "message": {"text": f"{item.path} was not judged: {item.why}"},
        "locations": [location],
    }


def _sarif_rule(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} Instead: {rule.instead}. It looks at {rule.applies_to}"},
        "defaultConfiguration": {"level": "error"},
    }


def _sarif_result(violation: Violation, rules: Sequence[Rule]) -> Json:
    region = {"startLine": violation.line, "startColumn": violation.column}
    location = {"artifactLocation": {"uri": quote(violation.path)}, "region": region}
    return {
        "ruleId": violation.rule,
        "ruleIndex": [rule.id for rule in rules].index(violation.rule),
        "level": "error",
        "message": {"text": f"{violation.message}. Instead: {violation.instead}"},
        "locations": [{"physicalLocation": location}],
    }


def rule_text(rule: Rule, width: int = _WIDTH) -> str:
    """Return everything about one rule, in lines of this width."""
    parts = (("Why", rule.why), ("Write", rule.instead), ("Looks at", rule.applies_to))
    lines = [f"{rule.id}: {rule.title}", ""]
    for name, text in parts:
        said = f"{name + ':':<10}{text}"
        lines.append(fill(said, width, subsequent_indent=" " * 10) if len(said) > width else said)
    return "\n".join(lines) + "\n"


def rules_document(rules: Sequence[Rule]) -> Json:
    """Return rules for programs."""
    return {"format_version": FORMAT_VERSION, "rules": [rule_document(rule) for rule in rules]}


def rule_document(rule: Rule) -> Json:
    """Return one rule."""
    return {
        "id": rule.id,
        "title": rule.title,
        "why": rule.why,
        "instead": rule.instead,
        "applies_to": rule.applies_to,
    }


def rules_page(rules: Sequence[Rule]) -> str:
    """Return the reference of the rules for docs/policies.md, in Markdown."""
    parts = ["| rule | holds |", "|---|---|"]
    parts += [f"| [{rule.id}](#{rule.id.lower()}) | {rule.title} |" for rule in rules]
    for rule in rules:
        parts += [
            "",
            f"### {rule.id}",
            "",
            f"**{rule.title}.** {rule.why}",
            "",
            f"- Write instead: {rule.instead}",
            f"- Looks at: {rule.applies_to}",
        ]
    return "\n".join(parts) + "\n"
