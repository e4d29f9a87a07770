"""The works of kbz that need a module of their own, each as a whole process over the engine that every verb uses.

    python -m tests.bench.kbz_works NORNIR_CONFIG FOLDER warm | check | push FROM TO

`check` asks and plans, `push` applies what was planned from the version that the last run left: one round trip each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from nornir.core.task import Result

from keybuzz.cli.support.context import enter_lab
from keybuzz.engine.change.execute import look_everywhere
from keybuzz.engine.change.steps import apply
from keybuzz.engine.look.describe import describe_all
from keybuzz.engine.look.observe import View, observe
from keybuzz.engine.look.planning import plan_host
from keybuzz.engine.memory.journal import Journal
from keybuzz.engine.nornir import make_nornir
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.access import Access
from keybuzz.model.core.content import Content
from keybuzz.model.core.outcome import Outcome
from keybuzz.model.core.plan import Change, State
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.files import Directory, File
from keybuzz.model.host.system import Sysctl
from keybuzz.model.inventory.server import Server
from keybuzz.site.load import load_site, read_configuration
from keybuzz.site.module import Description, Module
from keybuzz.site.site import Site
from keybuzz.transport.link import session
from tests.bench.things import DIRECTORIES, FILES, SETTINGS, setting, text

COMMAND = ("cat", "/proc/uptime")


def module(folder: Path, version: int, values: Mapping[str, str]) -> Module:
    """Return a module that describes every host of the stage."""

    def describe(site: Site, server: Server) -> Description:
        place = folder / str(server.address)
        resources: list[Resource] = [Directory(str(place / name)) for name in DIRECTORIES]
        resources += [File(str(place / n), Content.plain(text(n, version))) for n in FILES]
        resources += [Sysctl(name, value) for name, value in values.items()]
        return Description(tuple(resources))

    return Module("bench", 2, "Benchmark", "all", (), describe, lambda live: None, lambda live: ())


def check(work: Workspace, wanted: Module) -> None:
    """Ask every host for everything, and plan: there must be nothing to do."""
    described = describe_all(work.nornir, (wanted,))
    snapshot = observe(work.nornir, described)
    view = View(described, snapshot, frozenset(described), work.site.digest_key)
    plan = view.plan((wanted,), work.site)
    if snapshot.unreachable or plan.changes:
        sys.exit(f"not as expected: {snapshot.unreachable or plan.changes}")


def push(work: Workspace, before: Module, wanted: Module) -> None:
    """Apply the difference between two versions; each host refuses what has moved since the first."""
    key = work.site.digest_key
    old, new = (describe_all(work.nornir, (one,)) for one in (before, wanted))
    changes: dict[str, tuple[Change, ...]] = {}
    for host, described in new.items():
        known = old[host].modules["bench"].resources
        seen = {r.identity: State(r.identity, True, r.wanted(key)) for r in known}
        resources = described.modules["bench"].resources
        changes[host] = plan_host(host, "bench", resources, seen, key)
    done = work.nornir.run(task=apply, changes=changes, archives={}, listen=work.listen)
    for host, results in done.items():
        outcomes = [step.outcome for step in results[0].result]
        if outcomes != [Outcome.CHANGED] * len(FILES):
            sys.exit(f"{host}: {results[0].result}")


def warm(work: Workspace) -> None:
    """Run the health command over agents that are there, and print how long the second time took."""
    work.nornir.run(task=lambda task: session(task) and Result(host=task.host))
    for _ in range(2):
        started = time.monotonic()
        done = look_everywhere(work, ("all",), COMMAND, 60.0)
        took = time.monotonic() - started
        if any(result.exit_code != 0 for result in done):
            sys.exit(f"not as expected: {done}")
    print(f"seconds {took:.4f}")


def main() -> None:
    """Make what every verb works with, do the work, and say how many round trips it took."""
    config, folder, work, *versions = sys.argv[1:]
    configuration = read_configuration(Path(config))
    site = load_site(configuration)
    enter_lab(site)
    nornir = make_nornir(configuration, site, Access.CHANGE)
    journal = Journal(site.settings.state / "journal.sqlite")
    space = Workspace(site, nornir, journal, lambda event: None, "kbz bench")
    values = {name: setting(name) for name in SETTINGS}
    modules = [module(Path(folder), int(version), values) for version in versions]
    if work == "warm":
        warm(space)
    elif work == "check":
        check(space, *modules)
    else:
        push(space, *modules)
    print("round trips", *sorted(set(space.round_trips().values())))
    for host in nornir.inventory.hosts.values():
        host.close_connections()


if __name__ == "__main__":
    main()
