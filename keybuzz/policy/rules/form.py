"""KBZ-1 and KBZ-3: what kbz itself needs: files that can be read, and waivers that end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from keybuzz.policy.context import Context
from keybuzz.policy.document import Document
from keybuzz.policy.node import Place
from keybuzz.policy.schema import manifest_faults
from keybuzz.policy.violation import Found, Rule, each
from keybuzz.site.policies import Waiver


def _judge_form(document: Document, context: Context) -> Iterator[Found]:
    del context
    faults = list(document.faults)
    for manifest in document.manifests:
        faults += manifest_faults(manifest)
    for fault in faults:
        yield Found(document.path, fault.place, "", fault.what)


def matches(waiver: Waiver, path: str) -> bool:
    """Return whether a waiver speaks of a path."""
    return fnmatchcase(path, waiver.path)


def _judge_waivers(documents: Sequence[Document], context: Context) -> Iterator[Found]:
    for waiver in context.policies.waivers:
        if waiver.until < context.today and any(matches(waiver, d.path) for d in documents):
            message = f"the waiver of {waiver.rule} for {waiver.path} ended on {waiver.until}"
            excerpt = f"{waiver.rule} {waiver.path}"
            yield Found(context.policies.source, Place(waiver.line), excerpt, message)


KBZ_1 = Rule(
    id="KBZ-1",
    title="A file is what it says it is",
    why="What cannot be read cannot be judged, and Kubernetes or the program would refuse it too.",
    instead="correct the syntax, or the field that is named; `kubectl explain KIND.FIELD` describes it",
    applies_to="YAML files, read as Kubernetes reads them (0400 is octal, `no` is a boolean), and every fault of"
    " the objects of Kubernetes itself against their schemas (unknown keys are refused). A template with {{ }} is"
    " not read before it is rendered, a kind of an operator has no schema here, and an excerpt in Markdown need"
    " not be whole.",
    judge=each(_judge_form),
)
KBZ_3 = Rule(
    id="KBZ-3",
    title="A waiver ends",
    why="A waiver without an end is a rule that was abolished in silence.",
    instead="correct the file and remove the waiver, or ask the owner for a new date",
    applies_to="waivers of inventory/policies.yaml whose last day is over, when a file that they name is checked.",
    judge=_judge_waivers,
)
