"""Nornir task functions that any script can run over a filtered group (CARD-2).

`tasks/<module>/__init__.py` makes its own from these: `check = checking(MODULE)`, `converge = converging(MODULE)`.
They act on one host each and know no order and no gate: the conductor adds those. What changes a host holds the leases
and is in the journal, as a verb of the command line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from keybuzz.engine.catalogue import all_modules
from keybuzz.engine.change.freeze import NO_LIFT, Freeze, frozen_among, reaching
from keybuzz.engine.change.steps import apply_host
from keybuzz.engine.look.causes import explained, of_another
from keybuzz.engine.look.describe import describe_host
from keybuzz.engine.look.judging import judged
from keybuzz.engine.look.observe import Snapshot, View, ask
from keybuzz.engine.memory.first_install import FirstInstalls
from keybuzz.engine.scripted import Changing, Scripted
from keybuzz.engine.together import Together
from keybuzz.model.core.errors import ContactError, RefusedError
from keybuzz.model.core.finding import Level
from keybuzz.model.core.live import Live, Stage
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.core.proposed import proposed
from keybuzz.model.host.docker import Image
from keybuzz.site.module import Module
from keybuzz.site.site import Site

if TYPE_CHECKING:
    from nornir.core.task import Result, Task

HostTask = Callable[["Task"], "Result"]


def _changes(task: Task, module: Module) -> tuple[Change, ...]:
    site: Site = task.nornir.config.user_defined["site"]
    host = task.host.name
    description = describe_host(task, (module,))
    observation = ask(task, description.modules.values())
    view = View(
        {host: description}, Snapshot({host: observation}), frozenset({host}), site.digest_key
    )
    live = view.live(module, site)
    return live.hosts[host].changes


def checking(module: Module) -> HostTask:
    """Return a Nornir task: what the module's checks say about the host, as a tuple of Finding.

    They judge with every member of the cluster in sight that the Nornir object has, read once for all its hosts.
    """
    together = Together(module)

    def check(task: Task) -> Result:
        from nornir.core.task import Result

        host = task.host.name
        live, found = judged(module, together.live(task))
        if host in live.unreachable:
            raise ContactError(live.unreachable[host], where=host)
        findings = tuple(finding for finding in found if finding.host == host)
        failed = any(finding.level >= Level.UNKNOWN for finding in findings)
        return Result(host=task.host, result=findings, failed=failed)

    check.__doc__ = f"Nornir task: the findings of module {module.name} about this host."
    return check


def judging(module: Module, *checks: str) -> HostTask:
    """Return a Nornir task: what these checks say of the whole cluster and of the host, such as its quorum."""
    together = Together(module)

    def judge(task: Task) -> Result:
        from nornir.core.task import Result

        host = task.host.name
        _, judgements = judged(module, together.live(task))
        found = explained(judgements, (module,))
        about = (f for f in found if f.check in checks and f.host in ("", host))
        findings = tuple(finding for finding in about if not of_another(finding))
        failed = any(finding.level >= Level.UNKNOWN for finding in findings) or not findings
        return Result(host=task.host, result=findings, failed=failed)

    judge.__doc__ = f"Nornir task: {', '.join(checks)}, judged with the whole cluster in sight."
    return judge


def stepping(module: Module, *names: str) -> HostTask:
    """Return a Nornir task: the module's next steps of these names, on the one host that they are for.

    It refuses as `kbz run` does: unless every member answers, while the module is frozen on a deployed cluster, and
    whenever the module itself says that another step comes first.
    """
    together = Together(module)

    turn = threading.Lock()
    scripted = Scripted("step", module)

    def step(task: Task) -> Result:
        # Each reads all members, and a session is for one at a time.
        with scripted.changing(task) as changing, turn:
            return take(task, changing)

    def take(task: Task, changing: Changing) -> Result:
        from nornir.core.task import Result

        done = changing.done
        site: Site = task.nornir.config.user_defined["site"]
        installs = FirstInstalls(site.settings.state / "first-installs", changing.journal)
        while (
            stage := _next(task, module, together.read(task.nornir), names, installs)
        ) is not None:
            results = apply_host(task, stage.of(task.host.name), {}, lambda event: None)
            done += results
            if any(r.outcome not in (Outcome.OK, Outcome.CHANGED) for r in results):
                return Result(host=task.host, result=tuple(done), failed=True)
            if stage.name in names[-1:] or stage.name.startswith(f"{names[-1]} "):
                break
        changed = any(result.outcome is Outcome.CHANGED for result in done)
        return Result(host=task.host, result=tuple(done), changed=changed)

    step.__doc__ = f"Nornir task: {', '.join(names)} of module {module.name}, or a refusal."
    return step


def _next(
    task: Task, module: Module, live: Live, names: tuple[str, ...], installs: FirstInstalls
) -> Stage | None:
    """Return the next step, which must be one of these, and for this host alone."""
    host = task.host.name
    if len(live.hosts) < len(live.members):
        away = sorted({server.name for server in live.members} - set(live.hosts))
        raise RefusedError(
            f"{', '.join(away)} cannot be asked: the step is for a cluster whose members all answer",
            where=host,
            hint=proposed("kbz", "health", module.name),
        )
    site: Site = task.nornir.config.user_defined["site"]
    stage = module.next_stage(live)
    said = "nothing is left to do" if stage is None else f"the next step is “{stage.name}”"
    if stage is None or not any(stage.name == n or stage.name.startswith(f"{n} ") for n in names):
        raise RefusedError(f"{said}, not {names[-1]}", where=host)
    if stage.changes and stage.hosts != (host,):
        raise RefusedError(f"{said}, and it is for {', '.join(stage.hosts)}", where=host)
    Freeze(frozenset(site.policies.freeze), NO_LIFT, installs).require_free(module, live)
    if stage.before is not None and (reason := stage.before.reason(live)) is not None:
        raise RefusedError(f"{said}, and its gate does not hold: {reason}", where=host)
    return stage


def planning(module: Module) -> HostTask:
    """Return a Nornir task: the changes that the host needs, as a tuple of Change."""

    def plan(task: Task) -> Result:
        from nornir.core.task import Result

        changes = _changes(task, module)
        return Result(host=task.host, result=changes, diff="".join(c.diff for c in changes))

    plan.__doc__ = f"Nornir task: the plan of module {module.name} for this host."
    return plan


def converging(module: Module) -> HostTask:
    """Return a Nornir task: apply what interrupts nothing; what would is left to `kbz run` and its gates."""

    scripted = Scripted("converge", module)

    def converge(task: Task) -> Result:
        from nornir.core.task import Result

        with scripted.changing(task) as changing:
            changes = _changes(task, module)
            if changes:
                _refuse_frozen(task, module, changes)
            safe = tuple(change for change in changes if _alone(change))
            if safe:
                changing.done.extend(apply_host(task, safe, {}, lambda event: None))
        results = tuple(changing.done)
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


def _refuse_frozen(task: Task, module: Module, changes: tuple[Change, ...]) -> None:
    """One host cannot prove that its cluster is virgin, so a frozen module is never changed from here (FRZ-1)."""
    site: Site = task.nornir.config.user_defined["site"]
    frozen = frozen_among(all_modules(), site.policies.freeze)
    inside = {change.resource.cluster_of for change in reaching(changes, frozen)}
    own = {module.name} if (module.frozen_as or module.group) in site.policies.freeze else set()
    for name in sorted(own | inside):
        raise RefusedError(
            f"module {name} is frozen (FRZ-1)",
            where=task.host.name,
            hint=f"{proposed('kbz', 'run', module.name)} decides over the whole cluster, and can lift the freeze",
        )


def _alone(change: Change) -> bool:
    """Return whether a change needs no other host: no interruption, nothing unread, no built image."""
    built = isinstance(change.resource, Image) and change.resource.built
    return change.action is not Action.LATER and not change.disrupts and not built
