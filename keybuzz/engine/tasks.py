"""Nornir task functions that any script can run over a filtered group (CARD-2).

`tasks/<module>/__init__.py` makes its own from these: `check = checking(MODULE)`, `converge = converging(MODULE)`.
They act on one host each and know no order and no gate: the conductor adds those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from keybuzz.engine.change.steps import apply_host
from keybuzz.engine.look.describe import describe_host
from keybuzz.engine.look.observe import Snapshot, View, ask
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Image
from keybuzz.site.module import Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core.task import Result, Task

HostTask = Callable[["Task"], "Result"]


def _look(task: Task, module: Module) -> tuple[tuple[Change, ...], tuple[Finding, ...]]:
    site: Site = task.nornir.config.user_defined["site"]
    host = task.host.name
    description = describe_host(task, (module,))
    observation = ask(task, description.modules.values())
    view = View(
        {host: description}, Snapshot({host: observation}), frozenset({host}), site.digest_key
    )
    live = view.live(module, site)
    findings = tuple(f for f in module.checks(live) if f.host == host)
    return live.hosts[host].changes, findings


def checking(module: Module) -> HostTask:
    """Return a Nornir task: what the module's checks say about the host, as a tuple of Finding."""

    def check(task: Task) -> Result:
        from nornir.core.task import Result

        _, findings = _look(task, module)
        failed = any(finding.level >= Level.UNKNOWN for finding in findings)
        return Result(host=task.host, result=findings, failed=failed)

    check.__doc__ = f"Nornir task: the findings of module {module.name} about this host."
    return check


def planning(module: Module) -> HostTask:
    """Return a Nornir task: the changes that the host needs, as a tuple of Change."""

    def plan(task: Task) -> Result:
        from nornir.core.task import Result

        changes, _ = _look(task, module)
        return Result(host=task.host, result=changes, diff="".join(c.diff for c in changes))

    plan.__doc__ = f"Nornir task: the plan of module {module.name} for this host."
    return plan


def converging(module: Module) -> HostTask:
    """Return a Nornir task: apply what interrupts nothing; what would is left to `kbz run` and its gates."""

    def converge(task: Task) -> Result:
        from nornir.core.task import Result

        changes, _ = _look(task, module)
        if changes:
            _refuse_frozen(task, module)
        safe = tuple(change for change in changes if _alone(change))
        results = apply_host(task, safe, {}, lambda event: None) if safe else ()
        return Result(
            host=task.host,
            result=results,
            changed=any(result.outcome is Outcome.CHANGED for result in results),
            failed=any(r.outcome not in (Outcome.OK, Outcome.CHANGED) for r in results),
        )

    converge.__doc__ = (
        f"Nornir task: module {module.name} on this host, as far as no gate is needed."
    )
    return converge


def _refuse_frozen(task: Task, module: Module) -> None:
    """One host cannot prove that its cluster is virgin, so a frozen module is never changed from here (FRZ-1)."""
    site: Site = task.nornir.config.user_defined["site"]
    if (module.frozen_as or module.group) in site.policies.freeze:
        raise RefusedError(
            f"module {module.name} is frozen (FRZ-1)",
            where=task.host.name,
            hint=f"{proposed('kbz', 'run', module.name)} decides over the whole cluster, and can lift the freeze",
        )


def _alone(change: Change) -> bool:
    """Return whether a change needs no other host: no interruption, nothing unread, no built image."""
    built = isinstance(change.resource, Image) and change.resource.built
    return change.action is not Action.LATER and not change.disrupts and not built
