"""The provider's load balancers are set by hand; kbz says what to set, and verifies it from outside (LB-1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from keybuzz.agent.readings.table import ask
from keybuzz.model.core.access import Access
from keybuzz.model.core.outcome import ExitCode
from keybuzz.model.core.reading import Answer
from keybuzz.model.services.load_balancer import Balancer, Probe, Verdict
from keybuzz.site.module import Entrance, Module
from keybuzz.site.site import Site

UNASKED = {443: "kbz asks nothing by TLS; port 80 leads to the same ingress"}
"""Why a port is not asked, though its module is known."""
_UNKNOWN = "the module that answers here is not in this version of kbz"
_ATTEMPTS = 2
"""For each target: a load balancer that goes round comes to every one of them."""


def balancers(site: Site) -> tuple[Balancer, ...]:
    """Return the load balancers of groups.yaml, each with all servers of its groups."""
    return tuple(
        Balancer(virtual, tuple(s for group in virtual.targets for s in site.members(group)))
        for virtual in site.catalogue.virtual_addresses
    )


def check(site: Site, modules: Iterable[Module], absent: Collection[str] = ()) -> tuple[Probe, ...]:
    """Ask every service at each target and at the load balancer itself, from where kbz runs.

    Of servers that are not in this lab nothing is asked.
    """
    known = tuple(modules)
    return tuple(
        probe
        for balancer in balancers(site)
        for port in balancer.virtual.ports
        for probe in _service(site, balancer, port, entrance_of(known, balancer, port), absent)
    )


def exit_code(probes: Iterable[Probe]) -> ExitCode:
    """Return 2 when anything is bad, or when nothing could be checked."""
    verdicts = {probe.verdict for probe in probes}
    good = Verdict.GOOD in verdicts and Verdict.BAD not in verdicts
    return ExitCode.GOOD if good else ExitCode.DIFFERENT


def entrance_of(modules: Iterable[Module], balancer: Balancer, port: int) -> Entrance | None:
    """Return how a port of a load balancer is asked; None where no module says."""
    for module in modules:
        for entrance in module.entrances:
            targets = any(module.group in server.groups for server in balancer.targets)
            if targets and entrance.port == port:
                return entrance
    return None


def _service(
    site: Site,
    balancer: Balancer,
    port: int,
    entrance: Entrance | None,
    absent: Collection[str],
) -> Iterator[Probe]:
    name, through = balancer.virtual.name, str(balancer.virtual.address)
    here = [server for server in balancer.targets if server.name not in absent]
    if entrance is None or not here:
        message = UNASKED.get(port, _UNKNOWN) if here else "no target of it is in this lab"
        yield Probe(name, port, "nowhere", through, Verdict.NOT_CHECKED, message)
        return
    places = [(server.name, str(server.address), 1) for server in here]
    places.append(("through it", through, _ATTEMPTS * len(places)))
    for place, address, times in places:
        verdict, message = _several(site, entrance, address, times)
        yield Probe(name, port, place, address, verdict, message)


def _several(site: Site, entrance: Entrance, address: str, times: int) -> tuple[Verdict, str]:
    """Ask as often as told; one bad answer is enough."""
    question = entrance.ask(site, address)
    assert question.needs is Access.LOOK, "a load balancer is only looked through"
    for number in range(1, times + 1):
        answer = Answer(question.name, **ask(question.query()))
        if wrong := answer.problem or entrance.wrong(answer):
            count = f" (attempt {number} of {times})" if times > 1 else ""
            return Verdict.BAD, f"{wrong}{count}"
    return Verdict.GOOD, f"{entrance.good}, {times} times" if times > 1 else entrance.good
