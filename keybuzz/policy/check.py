"""Documents against all rules, and waivers over what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from keybuzz.policy.context import Context
from keybuzz.policy.document import Document
from keybuzz.policy.readers.read import read_document
from keybuzz.policy.registry import rules
from keybuzz.policy.rules.form import matches
from keybuzz.policy.violation import Found, Rule, Unjudged, Verdict, Violation, Waived
from keybuzz.site.policies import Waiver


def check_text(path: str, content: str, context: Context) -> tuple[Violation, ...]:
    """Return what is wrong in one file that stands alone, after waivers."""
    return check_documents((read_document(path, content),), context).violations


def check_documents(
    documents: Sequence[Document],
    context: Context,
    notes: Sequence[str] = (),
    unread: Sequence[Unjudged] = (),
) -> Verdict:
    """Return what is wrong in files that belong together: a Deployment in one, its HPA in another."""
    violations: list[Violation] = []
    waived: list[Waived] = []
    for violation in judged_by(rules(), documents, context):
        waiver = _waiver(violation, context)
        if waiver is None:
            violations.append(violation)
        else:
            waived.append(Waived(violation, waiver))
    said = [*notes, *_far_waivers(documents, context)]
    if context.secrets is None:
        what = "SEC-2 had no credential store to compare with, only names and forms"
        said.append(f"{what} ({context.no_secrets})")
    return Verdict(
        tuple(violations), tuple(waived), len(documents), tuple(said), _unjudged(documents, unread)
    )


def _unjudged(documents: Sequence[Document], unread: Sequence[Unjudged]) -> tuple[Unjudged, ...]:
    found = [Unjudged(d.path, d.unjudged) for d in documents if d.unjudged]
    return tuple(sorted([*found, *unread], key=lambda item: item.path))


def judged_by(
    all_rules: Sequence[Rule], documents: Sequence[Document], context: Context
) -> tuple[Violation, ...]:
    """Return one violation for each rule and place, the one that says most, in the order of paths and lines."""
    found = {
        _violation(rule, item): None
        for rule in all_rules
        for item in rule.judge(documents, context)
    }
    unique = {(v.rule, v.path, v.line, v.column): v for v in reversed(found)}
    return tuple(sorted(unique.values(), key=lambda v: (v.path, v.line, v.column, v.rule)))


def _violation(rule: Rule, found: Found) -> Violation:
    return Violation(
        rule.id,
        found.path,
        found.place.line,
        found.place.column,
        found.excerpt,
        found.message,
        found.instead or rule.instead,
        found.edits,
    )


def _waiver(violation: Violation, context: Context) -> Waiver | None:
    for waiver in context.policies.waivers:
        applies = waiver.rule == violation.rule and matches(waiver, violation.path)
        if applies and context.today <= waiver.until:
            return waiver
    return None


def _far_waivers(documents: Iterable[Document], context: Context) -> Iterable[str]:
    """Yield a note for each waiver that is over and speaks of none of these files."""
    paths = [document.path for document in documents]
    for waiver in context.policies.waivers:
        if waiver.until < context.today and not any(matches(waiver, path) for path in paths):
            place = f"{context.policies.source}:{waiver.line}"
            yield f"{place}: the waiver of {waiver.rule} for {waiver.path} is over (no file here)"
