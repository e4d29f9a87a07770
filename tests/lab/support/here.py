"""Reads and writes one resource on a lab host through the local connection plugin: no SSH is in between.

So the host is to kbz what install-01 is. The agent's Python is one that first enters the host.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from nornir.core.task import Result, Task

from keybuzz import init
from keybuzz.engine.change.steps import apply_host
from keybuzz.engine.look.observe import ask
from keybuzz.engine.look.planning import plan_host
from keybuzz.lab.hosts.host import entry
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.site.module import Description
from tasks.base import MODULE


def one(task: Task, identity: str, write: bool) -> Result:
    """Plan the resource of module base, and apply it."""
    site = task.nornir.config.user_defined["site"]
    described = MODULE.describe(site, site.server(task.host.name)).resources
    resource = next(item for item in described if item.identity == identity)
    state = ask(task, [Description((resource,))]).states[identity]
    lines = [f"{name}={value}" for name, value in sorted(state.attributes.items())]
    if write:
        changes = plan_host(task.host.name, "base", (resource,), {identity: state}, site.digest_key)
        steps = apply_host(task, changes, {}, lambda event: None)
        lines += [f"outcome {step.outcome.value} {step.what}" for step in steps]
    return Result(host=task.host, result="\n".join(lines))


def main(config: str, settings: LabSettings, host: str, identity: str, write: bool) -> None:
    """Print the state, and how the step ended."""
    words = " ".join(shlex.quote(word) for word in entry(settings, host))
    python = settings.root / f"python-in-{host}"
    python.write_text(f'#!/bin/sh\nexec {words} python3 "$@"\n')
    python.chmod(0o755)
    nornir = init(config).filter(name=host)
    nornir.inventory.hosts[host].data["connection"] = "kbz_local"
    extras = nornir.inventory.hosts[host].connection_options["kbz_local"].extras
    assert extras is not None
    extras["python"] = str(python)
    results = nornir.run(task=one, identity=identity, write=write)
    print(results[host][0].result or results[host][0].exception)
    nornir.close_connections()


if __name__ == "__main__":
    place = LabSettings(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    main(sys.argv[1], place, sys.argv[5], sys.argv[6], sys.argv[7] == "write")
