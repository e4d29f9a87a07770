"""`kbz health --deep`: write, read back and remove through the official endpoints, as an application does.

A probe writes in a place of its own name only. What a killed one left is found and removed by the next.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from keybuzz.engine.drill.client import client_of
from keybuzz.engine.look.causes import explained
from keybuzz.engine.look.likeness import compared
from keybuzz.engine.memory.lock import leases
from keybuzz.engine.workspace import Workspace
from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.finding import Finding, Level
from keybuzz.model.reports.drill import Workload
from keybuzz.model.reports.report import Report
from keybuzz.site.drill import Client, NotSentError, UnconfirmedError
from keybuzz.site.module import Module

PLACE = "kbz_probe"
"""Table, key or queue of the probe; never a drill's, which may be at work."""
_WAIT = 60.0
"""Seconds for another probe to end: two would remove each other's writes."""


def with_probes(work: Workspace, report: Report, modules: Iterable[Module]) -> Report:
    """Return the report with a finding for each official endpoint of these modules, all tried at once."""
    asked = tuple(modules)
    chosen = tuple(module for module in asked if module.probe is not None)
    alike = tuple(module for module in asked if module.likeness is not None)
    if not chosen and not alike:
        return report
    started = time.monotonic()
    folder = work.site.settings.state / "leases"
    with leases(folder, ("deep-probe",), work.command, _WAIT), ThreadPoolExecutor() as pool:
        # The pool is left only when every probe has removed what it wrote, after Ctrl-C too.
        found = tuple(pool.map(lambda module: probe(module.name, _workload(work, module)), chosen))
    same = tuple(finding for module in alike for finding in compared(work, module))
    return replace(
        report,
        findings=explained((*report.findings, *found, *same), asked),
        seconds=report.seconds + time.monotonic() - started,
    )


def _workload(work: Workspace, module: Module) -> Workload:
    assert module.probe is not None  # only such modules come here
    return replace(module.probe(work.site), place=PLACE)


def probe(name: str, workload: Workload) -> Finding:
    """Try one endpoint. Whatever happens, what was written is removed before this returns, if anything can be."""
    check, where = f"{name}.probe", f"{workload.address}:{workload.port}"
    try:
        client = client_of(workload)
    except RefusedError as error:
        return Finding(
            check, Level.UNKNOWN, f"{where} was not tried: {error.what}", hint=error.hint
        )
    began = time.monotonic()
    try:
        left = _left(client)
        try:
            wrong = _write(client)
        finally:
            client.remove()
    except (NotSentError, UnconfirmedError) as error:
        return Finding(check, Level.CRITICAL, f"through {where}: {error.what}", hint="kbz lb check")
    finally:
        client.close()
    if wrong:
        return Finding(check, Level.CRITICAL, f"through {where}: {wrong}", hint="kbz lb check")
    text = f"written, read back and removed through {where} in {time.monotonic() - began:.2f} s"
    if left:
        text += "; what an earlier probe had left was removed too"
    return Finding(check, Level.OK, text)


def _left(client: Client) -> bool:
    """Return whether a killed probe left something: its place is there, and holds a number."""
    with suppress(UnconfirmedError):  # no such place, which is how it should be
        return bool(client.read())
    return False


def _write(client: Client) -> str:
    """Write one number that was not written before; return what is wrong, or nothing."""
    number = secrets.randbelow(2**31)
    client.prepare()
    client.write(number)
    found = client.read()
    return "" if number in found else "what was written and confirmed is not there"
