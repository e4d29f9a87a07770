"""Carries an upgrade out: the image to every member, versions.yaml, then what `kbz run` does. Each can be cut off."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from keybuzz.engine.change.run import RunRequest, run
from keybuzz.engine.change.saved_plan import require_part_of
from keybuzz.engine.images.mirror import MirrorRequest, mirror
from keybuzz.engine.look.survey import Survey
from keybuzz.engine.pace.pace import Pace
from keybuzz.engine.upgrade import record as records
from keybuzz.engine.upgrade.over import over_versions
from keybuzz.engine.upgrade.prepare import Prepared, complete
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import NothingToDoError
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.reports.report import Report
from keybuzz.site.load import require_unchanged


@dataclass(frozen=True, slots=True)
class Means:
    """What an upgrade is carried out with."""

    opened: Callable[[], AbstractContextManager[Workspace]]
    """A workspace over the site as its files are now."""
    put: Callable[[Prepared], None]
    """Writes versions.yaml, where it is still what was looked at."""
    timeout: float = 7200.0
    """Seconds for the roll."""
    pace: Pace = field(default_factory=Pace)


def carry_out(prepared: Prepared, means: Means) -> Report:
    """Do it, and return how its last part ended; after any cut the same command goes on.

    Nothing is written before every member holds the image. The record is there before versions.yaml says anything
    else, so that `--back` knows the way from the first moment on.
    """
    with means.opened() as work:
        state = work.site.settings.state
        handed = None if prepared.back else _hand_out(work, prepared)
    if handed is not None and handed.exit_code is not ExitCode.GOOD:
        return handed
    changes = prepared.after != prepared.before
    if changes:
        require_unchanged(prepared.path, prepared.before)  # the record of who has changed it stays
    if not prepared.back:
        records.write(state, prepared.record)
    if changes:
        means.put(prepared)
    with means.opened() as work:
        report = run(
            work,
            RunRequest(
                prepared.chain,
                prepared.selected,
                timeout=means.timeout,
                lifted=prepared.lifted,
                pace=means.pace,
                consent=lambda found: _as_agreed(prepared, found),
            ),
        )
    if report.exit_code is ExitCode.GOOD:
        complete(state, prepared)
    return report


def _as_agreed(prepared: Prepared, found: Survey) -> bool:
    """Let no change pass that the operator has not seen; the images were brought meanwhile. It asks no question."""
    require_part_of(prepared.found.plan, found.plan)
    return False


def _hand_out(workspace: Workspace, prepared: Prepared) -> Report | None:
    """Bring the image to every member; None where kbz builds it, and hands it out as it rolls."""
    would = over_versions(workspace, prepared.after, str(prepared.path))
    request = MirrorRequest(prepared.meant.users, prepared.selected, (prepared.meant.table.image,))
    try:
        return mirror(would, request)
    except NothingToDoError:
        return None
