"""Hooks: programs of the owner's that are told of each run, before it does anything and after its end.

They lie in `hooks/before.d` and `hooks/after.d` beside nornir_config.yaml and are called in the order of their names,
with the run as JSON on standard input. A hook that refuses before a run stops it; nothing was changed then. What goes
wrong after a run is a warning: the run has been what it has been.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keybuzz.agent.runtime.children import run as run_child
from keybuzz.agent.runtime.errors import AgentError
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.proposed import proposed
from keybuzz.model.core.redact import Redactor
from keybuzz.model.core.visible import json_visible
from keybuzz.site.credentials.store import hidden
from keybuzz.site.parameters.own import HOOK_SECONDS

if TYPE_CHECKING:
    from keybuzz.engine.cuts import Cuts
    from keybuzz.site.site import Site

FOLDER = "hooks"
BEFORE, AFTER = "before", "after"
QUIET = ("health",)
"""Verbs that call no hook: they look, and run all the time."""
SECONDS = 60.0
"""For one hook, where site.yaml has no hooks.seconds."""
_SECONDS = re.compile(r"\d{1,5}(\.\d+)?")
_LONGEST = 1 << 16
_OTHERS_WRITE = 0o022


def hooks(root: Path, moment: str) -> tuple[Path, ...]:
    """Return the hooks of a moment in their order. RefusedError for one that others could have written."""
    folder = root / FOLDER / f"{moment}.d"
    if not folder.is_dir():
        return ()
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in (folder.parent, folder, *found) if found else ():
        _require_ours(path)
    for path in found:
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise RefusedError(
                "a hook must be a program, and this is none",
                where=str(path),
                hint=f"{proposed('chmod', '700', path)}, or move it away",
            )
    return tuple(found)


def _require_ours(path: Path) -> None:
    """It runs with our rights, so no other user may write it: neither the file, nor its name in the folder."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise RefusedError(
            f"a hook must belong to root or to who runs kbz, and this belongs to user {found.st_uid}",
            where=str(path),
            hint=proposed("chown", os.geteuid(), path),
        )
    if found.st_mode & _OTHERS_WRITE:
        raise RefusedError(
            f"others may write it (mode {found.st_mode & 0o7777:04o}), and a hook runs with our rights",
            where=str(path),
            hint=proposed("chmod", "go-w", path),
        )


def run_before(site: Site, document: Mapping[str, Any]) -> None:
    """Call the hooks before a run. RefusedError by the first that does not end well, or that cannot be trusted."""
    _seconds(site)
    hooks(site.root, AFTER)  # what cannot be called afterwards is said before anything is changed
    for path in hooks(site.root, BEFORE):
        if problem := _call(site, path, {"moment": BEFORE, **document}):
            raise RefusedError(
                f"the hook {path.name} refuses the run: {problem}",
                where=str(path),
                hint="nothing was changed; see to what it says, or move it away",
            )


def run_after(site: Site, document: Mapping[str, Any], cuts: Cuts) -> tuple[str, ...]:
    """Call the hooks after a run; return a warning for each that did not end well.

    A signal cuts off the hook at work and those that would follow, and nothing else.
    """
    try:
        found = hooks(site.root, AFTER)
    except RefusedError as error:
        return (f"no hook was called after the run: {error.where}: {error.what}",)
    warnings: list[str] = []
    told = {"moment": AFTER, **document}
    for place, path in enumerate(found):
        problem = ""
        try:
            cuts.allow_from_now()
            problem = _call(site, path, told)
            cuts.forbid()
        except KeyboardInterrupt:
            left = len(found) - place - 1
            more = f"; {left} more {'was' if left == 1 else 'were'} not called" if left else ""
            return (*warnings, f"the hook {path.name} was cut off by a signal{more}")
        if problem:
            warnings.append(f"the hook {path.name} failed: {problem}")
    return tuple(warnings)


def _seconds(site: Site) -> float:
    return HOOK_SECONDS.of(site)


def _call(site: Site, path: Path, document: Mapping[str, Any]) -> str:
    """Call one hook; return what is wrong, in one line without secrets, or nothing."""
    seconds = _seconds(site)
    redactor = Redactor(hidden(site.credentials))
    text = json_visible(json.dumps(redactor.value(dict(document)), ensure_ascii=False))
    try:
        done = run_child(
            ["env", "--chdir", str(site.root), str(path)],
            stdin=text.encode(),
            timeout=seconds,
            limit=_LONGEST,
        )
    except AgentError as error:
        return redactor.text(error.what)
    if done.timed_out:
        return f"it did not end within {seconds:g} s"
    if done.exit_code == 0:
        return ""
    said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    last = redactor.text(said[-1][:200]) if said else "it said nothing"
    return f"exit {done.exit_code}: {last}"
