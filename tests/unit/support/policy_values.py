"""A context over the real inventory with planted secrets, and files whose wrong place is marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.policy.check import check_documents
from keybuzz.policy.context import Context, context_of, known_secrets
from keybuzz.policy.files import read_paths
from keybuzz.policy.readers.read import read_document
from keybuzz.policy.violation import Verdict
from keybuzz.site.policies import Policies, Waiver
from tests.unit.support.site_values import memory_site

MARK = "§"
"""Stands in a bad text right before the place that must be named; it is taken out before the check."""
TODAY = date(2026, 1, 15)
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "shop"
KNOWN = "Zk4vQ9sLw2XrT7bN1mYc8HdPe"
AWKWARD = "p@ss/w:rd with=edges"
"""Known values of the store: one as it is generated, one full of what separates words."""


class Bad(NamedTuple):
    """A file that breaks one rule, at the mark."""

    rule: str
    path: str
    marked: str

    @property
    def text(self) -> str:
        return self.marked.replace(MARK, "")

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of the mark, counted from 1."""
        before = self.marked[: self.marked.index(MARK)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")


@lru_cache(maxsize=1)
def context() -> Context:
    """Return the context of the real site on a fixed day."""
    secrets = {
        "REDIS_PASSWORD": Secret("REDIS_PASSWORD", KNOWN),
        "MINIO_ROOT_PASSWORD": Secret("MINIO_ROOT_PASSWORD", AWKWARD),
        "POSTGRES_SUPERUSER": Secret("POSTGRES_SUPERUSER", "kb_admin_of_all"),
    }
    known = known_secrets(DigestKey(b"k" * 32), secrets)
    return replace(context_of(memory_site(), TODAY), secrets=known)


def waiving(*waivers: Waiver) -> Context:
    """Return the context with these waivers."""
    return replace(context(), policies=Policies(waivers=waivers, source="policies.yaml"))


def judged(files: Mapping[str, str], using: Context | None = None) -> Verdict:
    """Check texts together."""
    documents = tuple(read_document(path, text) for path, text in files.items())
    return check_documents(documents, using or context())


def example() -> dict[str, str]:
    """Return the clean example application as path to text."""
    read = read_paths([EXAMPLE], EXAMPLE)
    return {document.path: document.text for document in read.documents}
