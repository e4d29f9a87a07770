"""`kbz explain`: what an id means, why it is there, what to do, and where more is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

from keybuzz.model.core.outcome import ExitCode
from keybuzz.policy.violation import Rule
from keybuzz.report.exit_codes import CODES
from keybuzz.report.runbooks import Section
from keybuzz.report.screen.fit import WIDTH, fit
from keybuzz.report.text.policy import rule_document, rule_text
from keybuzz.site.parameters.parameter import Parameter

_INDENT = 10
_HANGING = "\x1f"
"""Between the indent of a line's rest and the line, until the width is known."""
_REQUIREMENT = re.compile(r"(?m)^\| ([A-Z0-9]+-\d+) \| (.+?) \| ")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]*)(#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Explained:
    """What an id means, or every id there is. A requirement may be a rule too."""

    checks: Mapping[str, Section] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)
    """What each says, by id."""
    codes: tuple[ExitCode, ...] = ()
    parameters: Mapping[str, Parameter[Any]] = field(default_factory=dict)
    """Those of site.yaml, by name."""


def explained_text(word: str, found: Explained, width: int = WIDTH) -> str:
    """Return what there is to say about one id, in lines of this width."""
    return _fitted(_explained_text(word, found, width), width)


def _explained_text(word: str, found: Explained, width: int) -> str:
    if word in found.checks:
        return section_text(found.checks[word])
    if found.checks:
        return page_text(f"The checks of {word}", found.checks.values())
    parts = [requirement_text(name, says) for name, says in found.requirements.items()]
    parts += [rule_text(rule, width) for rule in found.rules.values()]
    parts += [code_text(code) for code in found.codes]
    parts += [parameter_text(parameter) for parameter in found.parameters.values()]
    return "\n".join(parts)


def explained_document(found: Explained) -> dict[str, Any]:
    """Return the same for programs: what is not meant is empty."""
    return {
        "format_version": 1,
        "verb": "explain",
        "checks": [
            {
                "id": section.id,
                "page": section.page,
                "levels": list(section.levels),
                "means": section.means,
                "why": section.why or None,
                "steps": list(section.steps),
            }
            for section in found.checks.values()
        ],
        "rules": [rule_document(rule) for rule in found.rules.values()],
        "requirements": [{"id": name, "says": says} for name, says in found.requirements.items()],
        "exit_codes": [
            {
                "code": int(code),
                "title": CODES[code].title,
                "means": CODES[code].means,
                "next_step": CODES[code].next_step,
            }
            for code in found.codes
        ],
        "parameters": [
            {
                "name": parameter.name,
                "means": parameter.meaning,
                "form": parameter.form.words,
                "default": parameter.default,
            }
            for parameter in found.parameters.values()
        ],
    }


def requirements(text: str) -> dict[str, str]:
    """Return the rows of docs/requirements.md by id."""
    return dict(_REQUIREMENT.findall(text))


def section_text(section: Section) -> str:
    """Return everything about one check."""
    return "\n".join(
        [
            f"{section.id}: a check of {section.page} ({', '.join(section.levels)})",
            "",
            _part("Means", section.means),
            *([_part("Why", section.why)] if section.why else []),
            *_steps(section.steps),
            _part("More", f"docs/runbooks/{section.page}.md"),
            "",
        ]
    )


def page_text(title: str, found: Iterable[Section]) -> str:
    """Return the checks of one module, a line each."""
    lines = [title, ""]
    lines += [_filled(f"  {item.id:<30} {_plain(item.means)}", 33) for item in found]
    return "\n".join([*lines, "", "kbz explain ID says more about one of them."]) + "\n"


def code_text(code: ExitCode) -> str:
    """Return what an exit code means."""
    info = CODES[code]
    parts = [_part("Means", info.means), _part("Do", info.next_step)]
    more = _part("More", "docs/reference/exit-codes.md")
    return "\n".join([f"exit {int(code)}: {info.title}", "", *parts, more, ""])


def parameter_text(parameter: Parameter[Any]) -> str:
    """Return everything about a parameter of site.yaml."""
    default = "none: site.yaml must have it" if parameter.default is None else parameter.default
    parts = [
        _part("Means", parameter.meaning),
        _part("Form", f"{parameter.form.words}."),
        _part("Default", default),
        _part("More", "docs/reference/parameters.md"),
    ]
    return "\n".join([f"{parameter.name}: a parameter of site.yaml", "", *parts, ""])


def requirement_text(name: str, sentence: str) -> str:
    """Return a requirement."""
    lines = [f"{name}: a requirement", "", _part("Says", sentence)]
    return "\n".join([*lines, _part("More", "docs/requirements.md"), ""])


def overview(known: Explained, width: int = WIDTH) -> str:
    """Return every id that can be explained."""
    return _fitted(_overview(known), width)


def _overview(known: Explained) -> str:
    pages = sorted({section.page for section in known.checks.values()})
    lines = ["checks"]
    for page in pages:
        names = ", ".join(name for name, section in known.checks.items() if section.page == page)
        lines.append(_list(names))
    for title, words in (
        ("rules of kbz policy", known.rules),
        ("requirements", known.requirements),
        ("exit codes", [str(int(code)) for code in known.codes]),
        ("parameters of site.yaml", known.parameters),
    ):
        lines += ["", title, _list(", ".join(words))]
    return "\n".join(lines) + "\n"


def _list(words: str) -> str:
    return _filled(f"  {words}", 2)


def _steps(steps: Iterable[str]) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        word = "Do:" if number == 1 else ""
        yield _filled(f"{word:<{_INDENT}}{number}. {_plain(step)}", _INDENT + 3)


def _part(word: str, text: str) -> str:
    return _filled(f"{word + ':':<{_INDENT}}{_plain(text)}", _INDENT)


def _filled(text: str, indent: int) -> str:
    """Return a line that is broken, where it is too long, with its rest this far to the right."""
    return f"{indent}{_HANGING}{text}"


def _fitted(text: str, width: int) -> str:
    lines = []
    for line in text.split("\n"):
        indent, hanging, words = line.partition(_HANGING)
        if not hanging:
            lines.append(fit(line, width))
        elif len(words) <= width:
            lines.append(words)
        else:
            margin = " " * min(int(indent), width // 2)
            lines.append(fill(words, width, subsequent_indent=margin, break_on_hyphens=False))
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return Markdown as a terminal shows it: a link becomes its words and its page, seen from docs/."""

    def shown(match: re.Match[str]) -> str:
        page = match[2].removeprefix("../")
        place = f"docs/{page}" if match[2].startswith("../") else f"docs/runbooks/{page}"
        return match[1] if match[1] in match[2] else f"{match[1]} ({place})"

    return _LINK.sub(shown, text)
