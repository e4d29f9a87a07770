"""What upstream wants before RabbitMQ's next series, as its nodes say it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keybuzz.model.core.proposed import on_host
from keybuzz.model.core.reading import Answer
from keybuzz.model.host.upgrades import Version
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Readiness
from keybuzz.site.site import Site
from tasks.rabbitmq import values
from tasks.rabbitmq.service.readings import RabbitmqFlags

_READING = "rabbitmq.flags"
_FOUR = (4, 0)
_NAMED = 5


def _ask(site: Site, server: Server) -> RabbitmqFlags:
    return RabbitmqFlags(_READING, values.access(site, server))


def missing(after: Version, answers: Mapping[str, Answer]) -> tuple[str, str] | None:
    """Return what keeps the nodes from a series, and what to do; None where nothing does."""
    for host, answer in sorted(answers.items()):
        if not answer.known:
            return f"{host} does not say which feature flags are enabled ({answer.problem})", ""
    if found := _first(answers, lambda said: said["off"]):
        host, names = found
        enable = on_host(host, *_CTL, "enable_feature_flag", "all")
        return f"feature flags are not enabled that the next series needs: {_listed(names)}", enable
    if after < _FOUR:
        return None
    if found := _first(answers, lambda said: [n for n in said["tried"] if n == "khepri_db"]):
        why = "khepri_db is enabled, and 4.x does not take Khepri's data of 3.13"
        return (
            why,
            "export the definitions, and import them into a new cluster (rabbitmq.com/docs/upgrade)",
        )
    if found := _first(answers, lambda said: said["mirrored"]):
        why = f"policies mirror classic queues, of which 4.0 keeps one copy: {_listed(found[1])}"
        return why, "set each of them again without its ha- keys: what else it says is still needed"
    return None


_CTL = ("docker", "exec", values.CONTAINER, "rabbitmqctl")


def _first(
    answers: Mapping[str, Answer], pick: Callable[[Mapping[str, list[str]]], list[str]]
) -> tuple[str, list[str]] | None:
    return next(
        (
            (host, names)
            for host, answer in sorted(answers.items())
            if (names := pick(answer.value))
        ),
        None,
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


READINESS = Readiness("rabbitmq", _ask, missing)
