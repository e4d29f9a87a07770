"""What must be true when a module has nothing more to do, before the next one begins, and for a gate. Pure."""

from __future__ import annotations

from keybuzz.engine.look.causes import explained, of_another
from keybuzz.engine.look.judging import stopping
from keybuzz.model.core.errors import KbzError, RefusedError, StepError, sentence_of
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Gate, Live, Stage
from keybuzz.model.core.proposed import proposed
from keybuzz.site.module import Module


def require_healthy(module: Module, live: Live) -> None:
    """Raise RefusedError when a required module is not healthy on the selected hosts (ORD-2).

    A host that cannot be reached is reported as such by the run and stops no other host; nor does a member that was not
    selected, nor what is not known of the cluster for its silence.
    """
    told_only = {info.id for info in module.check_infos if not info.gates}
    for finding in stopping(explained(module.checks(live), (module,))):
        if finding.check in told_only or of_another(finding):
            continue
        elsewhere = finding.host and finding.host not in live.selected
        if elsewhere or finding.host in live.unreachable:
            continue
        raise RefusedError(
            f"module {module.name} is required first and is not healthy: "
            f"{finding.check}: {finding.message}",
            where=finding.host,
            hint=finding.hint
            or proposed("kbz", "run", module.name, "--limit", finding.host or module.group),
        )


def require_done(module: Module, live: Live) -> None:
    """Raise StepError when a change is left on a host that could be read."""
    for change in live.changes():
        raise StepError(
            f"{change.identity} is still not as described: {change.reason or 'no stage takes it'}",
            where=change.host,
            hint=proposed("kbz", "health", module.name),
        )


def changed_back(module: Module, stage: Stage) -> StepError:
    """Return the error for a stage that was applied and is needed again."""
    change = stage.changes[0]
    parts = ", ".join(
        f"{item.attribute} is {item.observed!r}, wanted {item.wanted!r}"
        for item in change.differences[:2]
    )
    return StepError(
        f"stage “{stage.name}” was applied and the hosts still differ: "
        f"{change.identity} on {change.host} ({parts})",
        where=module.name,
        hint="kbz plan shows the difference; something else changes it back",
    )


def hopeless(gate: Gate, live: Live) -> str | None:
    """Return why a gate can never hold; what cannot be judged proves nothing."""
    try:
        return gate.hopeless(live)
    except KbzError:
        raise
    except Exception:
        return None


def lasting(module: Module, live: Live) -> str | None:
    """Return what keeps a gate from ever holding by the module's own checks; what cannot be judged proves nothing."""
    lasting = {info.id for info in module.check_infos if info.lasting}
    try:
        found = module.checks(live) if lasting else ()
    except Exception:
        return None
    for finding in found:
        if finding.level is Level.CRITICAL and finding.check in lasting:
            where = f"{finding.host}: " if finding.host else ""
            way_out = f"; {finding.hint}" if finding.hint else ""
            return f"{where}{finding.check}: {finding.message}{way_out}"
    return None


def why_not(gate: Gate, live: Live) -> str | None:
    """Return why a gate does not hold: also when what a host says cannot be judged."""
    try:
        return gate.reason(live)
    except KbzError:
        raise
    except Exception as error:
        return f"what the hosts say cannot be judged: {sentence_of(error)}"
