"""The worker: asks the hosts of one shard with its own site, keys and secrets, and tells of each as it answers."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keybuzz.engine.look.observe import Questions, questions, replied
from keybuzz.engine.shards.contract import (
    Accepted,
    Ended,
    HostReply,
    HostSilent,
    Message,
    Refused,
    Spec,
)
from keybuzz.engine.shards.fingerprint import difference, program
from keybuzz.engine.shards.remade import remade
from keybuzz.model.core.access import Access
from keybuzz.model.core.errors import ContactError, sentence_of
from keybuzz.model.core.secret import sha256
from keybuzz.site.module import Module
from keybuzz.transport.replies import Limits, share
from keybuzz.transport.runner import BoundedRunner

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task

_GRACE = 10.0
"""Seconds that a worker waits longer than its controller before it ends by itself."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A worker's own view of the site."""

    nornir: Nornir
    parts: Mapping[str, str]
    """Digests of the site's parts."""
    modules: tuple[Module, ...]
    """All that there are."""


def serve(spec: Spec, ground: Ground, tell: Callable[[Message], None]) -> None:
    """Do what the Spec says, and tell; refuse when the worker is of another program or of another site."""
    if (refusal := refused(spec, ground.parts)) is not None:
        tell(refusal)
        return
    end_in_time(spec.deadline + _GRACE)
    tell(Accepted(program(), os.getpid(), platform.python_version()))
    nornir = ground.nornir.with_runner(BoundedRunner(spec.num_workers))
    chosen = nornir.filter(filter_func=lambda host: host.name in spec.hosts)
    chosen.run(task=_answer, spec=spec, modules=ground.modules, limits=share(spec.of), tell=tell)
    for host in sorted(set(spec.hosts) - set(chosen.inventory.hosts)):
        tell(HostSilent(host, False, "the worker's inventory does not have it"))
    chosen.close_connections(on_good=True, on_failed=True)
    tell(Ended(len(spec.hosts)))


def refused(spec: Spec, parts: Mapping[str, str]) -> Refused | None:
    """Return why this worker asks nothing for this controller; None when it may."""
    if spec.kbz != program():
        return Refused(
            f"its kbz is {program()}, and that of the controller {spec.kbz}",
            "install the same kbz on both",
        )
    if found := difference(spec.site, parts):
        return Refused(
            f"it has {found} than the controller",
            "bring both to the same commit, secrets and digest key (docs/scale.md)",
        )
    return None


def asked_digest(wanted: Questions) -> str:
    """Return a digest of what is asked, by which the controller knows that it means the same."""
    return sha256("\n".join(wanted.names).encode())


def end_in_time(seconds: float) -> None:
    """End this process then, whatever it is doing: its controller does not listen any more."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _answer(
    task: Task,
    spec: Spec,
    modules: tuple[Module, ...],
    limits: Limits,
    tell: Callable[[Message], None],
) -> Result:
    """Nornir task: ask the host, and tell what it says. It does not fail: that, too, is told."""
    from nornir.core.task import Result

    host = task.host.name
    try:
        wanted = questions(remade(task, spec.hosts[host], modules), Access.LOOK)
        reply, between = replied(task, wanted, limits)
        found: Message = HostReply(host, asked_digest(wanted), between, reply.states, reply.answers)
    except ContactError as error:
        found = HostSilent(host, True, error.sentence)
    except Exception as error:
        found = HostSilent(host, False, sentence_of(error))
    tell(found)
    return Result(host=task.host)
