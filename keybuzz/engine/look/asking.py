"""One question to each of some hosts, over the sessions that are open, outside of a survey."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from keybuzz.engine.look.heard import answer_to
from keybuzz.model.core.errors import sentence_of
from keybuzz.model.core.reading import Answer, Reading
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from keybuzz.transport.link import session
from keybuzz.transport.replies import ProbeReply

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.task import Result, Task

Question = Callable[[Site, Server], Reading]


def ask_each(
    nornir: Nornir, hosts: Iterable[str], question: Question, timeout: float
) -> dict[str, Answer]:
    """Return each host's answer; a host that does not answer has one with a problem."""
    asked = frozenset(hosts)
    chosen = nornir.filter(filter_func=lambda host: host.name in asked)
    chosen.data.reset_failed_hosts()
    found = chosen.run(task=_ask, question=question, timeout=timeout, on_failed=True)
    chosen.data.reset_failed_hosts()
    return {
        host: results[0].result
        if results[0].exception is None
        else Answer("no answer", problem=sentence_of(results[0].exception))
        for host, results in sorted(found.items())
    }


def _ask(task: Task, question: Question, timeout: float) -> Result:
    from nornir.core.task import Result

    site: Site = task.nornir.config.user_defined["site"]
    reading = question(site, site.server(task.host.name))
    payload = {"key": site.digest_key.key.hex(), "resources": [], "readings": [reading.query()]}
    opened = session(task)
    reply = opened.request("probe", payload, ProbeReply, timeout=timeout)
    if len(reply.answers) != 1:
        raise opened.misspoke("it does not answer what was asked")
    return Result(host=task.host, result=answer_to(reading, reply.answers[0], None))
