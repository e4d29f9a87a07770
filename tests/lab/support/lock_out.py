"""Applies, by the product's own step, a firewall that lets nobody in: the host must take it back."""

from __future__ import annotations

import sys

from nornir.core.task import Result, Task

from keybuzz import init
from keybuzz.engine.change.steps import apply_host
from keybuzz.engine.look.observe import ask
from keybuzz.engine.look.planning import plan_host
from keybuzz.model.host.system import Firewall
from keybuzz.site.module import Description


def lock_out(task: Task) -> Result:
    """Plan and apply a firewall without any rule of ours."""
    closed = Firewall(rules=())
    observed = ask(task, [Description((closed,))])
    key = task.nornir.config.user_defined["site"].digest_key
    changes = plan_host(task.host.name, "base", (closed,), observed.states, key)
    return Result(host=task.host, result=apply_host(task, changes, {}, lambda event: None))


def main(config: str, host: str) -> None:
    """Print how the step ended."""
    nornir = init(config)
    results = nornir.filter(name=host).run(task=lock_out)
    for step in results[host][0].result or []:
        print(f"outcome {step.outcome.value}: {step.what}\n{step.hint}")
    nornir.close_connections()


if __name__ == "__main__":
    main(*sys.argv[1:])
