"""Which files of a repository changed since a revision: all are judged together, these are reported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keybuzz.model.core.errors import UsageError
from keybuzz.policy.files import git, shown
from keybuzz.policy.violation import Verdict


def changed_since(revision: str, paths: Sequence[Path], base: Path) -> frozenset[str]:
    """Return the files below the paths that differ from a revision, as a check shows them; new ones too."""
    found: set[str] = set()
    for path in paths:
        folder = path if path.is_dir() else path.parent
        top = git(folder, "rev-parse", "--show-toplevel")
        if top is None:
            raise UsageError(f"{path} is in no repository of git", hint="leave --changed-since out")
        root = Path(os.fsdecode(top.rstrip(b"\n")))
        if (
            git(
                root,
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                f"{revision}^{{commit}}",
            )
            is None
        ):
            raise UsageError(
                f"git knows no revision {revision} in {root}",
                hint="fetch it, or name another one: --changed-since origin/main",
            )
        listed = git(
            root, "diff", "--name-only", "-z", "--no-ext-diff", "--end-of-options", revision
        )
        new = git(root, "ls-files", "-z", "--others", "--exclude-standard")
        names = (listed or b"").split(b"\0") + (new or b"").split(b"\0")
        found.update(shown(root / os.fsdecode(name), base) for name in names if name)
    return frozenset(found)


def only(verdict: Verdict, files: frozenset[str]) -> Verdict:
    """Return a verdict about these files alone."""
    return replace(
        verdict,
        violations=tuple(item for item in verdict.violations if item.path in files),
        waived=tuple(item for item in verdict.waived if item.violation.path in files),
        unjudged=tuple(item for item in verdict.unjudged if item.path in files),
    )
