"""What every gate of the rollout asks: why these hosts are not the cluster's nodes yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from keybuzz.model.core.live import HostView, Live
from keybuzz.model.core.reading import Answer, HttpGet
from keybuzz.site.site import Site
from tasks.k3s.members import Node, Place, log, looks, nodes, places

WEB = 80
"""What the provider's public load balancers lead to."""


def no_api(live: Live) -> str | None:
    """Return why no master's API is ready, with what each says; None when one is."""
    found = places(live)
    if any(place.ready for place in found.values()):
        return None
    said = [
        f"{host} {place.state or 'is not installed'}{f', {place.problem}' if place.problem else ''}"
        for host, place in found.items()
        if place.master
    ]
    return "; ".join(said) or "no master can be read"


def not_ready(live: Live, hosts: Iterable[str]) -> str | None:
    """Return why not all of these hosts are Ready nodes; a master must also be a full member and serve its API."""
    if (reason := no_api(live)) is not None:
        return reason
    known, found = nodes(live), places(live)
    for host in hosts:
        if host not in found:
            return f"{host} cannot be read: {live.unreachable.get(host, 'was not asked')}"
        place = found[host]
        if place.state != "active":
            # Ready by the API's word a moment before systemd has heard it: not yet, or a wait would hold at once.
            return f"{host}: K3s is {place.state or 'not installed'}{_said(live, place)}"
        if place.master and not place.ready:
            return f"{host}: {place.problem or 'its API is not ready'}{_said(live, place)}"
        if host not in known:
            return f"{host} is no node of the cluster yet{_said(live, place)}"
        if not known[host].ready:
            return f"{host} is not Ready ({known[host].reason}){_said(live, place)}"
        if place.master and not known[host].voter:
            return f"{host} is no full member of etcd yet"
    return None


def _said(live: Live, place: Place) -> str:
    """Return what a unit said last that does not run."""
    if place.state == "active":
        return ""
    said = log(live.hosts[place.host])
    return f" ({place.state or 'no unit'}{f': {said}' if said else ''})"


def still_ready(live: Live, hosts: Iterable[str]) -> str | None:
    """Return which of these nodes is still Ready by the API's word; None when all have fallen silent or are gone."""
    known = nodes(live)
    alive = [h for h in hosts if h in known and (known[h].ready or known[h].doubted)]
    if not alive:
        return None
    return f"{', '.join(alive)} is still Ready in the cluster, though its host holds nothing of it"


def ingress_not_ready(live: Live) -> str | None:
    """Return why the ingress does not serve on every node that is Ready, or None when it does."""
    if (reason := no_api(live)) is not None:
        return reason
    known = nodes(live)
    reasons = (_ingress_of(said.get("ingress") or {}, known) for said in looks(live))
    return next((reason for reason in reasons if reason is not None), None)


def _ingress_of(found: Mapping[str, Any], known: Mapping[str, Node]) -> str | None:
    """Return what one server says against the ingress; every server must be content with it."""
    if not {"seen", "desired", "ready", "updated"} <= found.keys():
        return "the DaemonSet of the ingress is not there"
    if not found["seen"]:
        return "the DaemonSet of the ingress has just been changed"
    alive = sum(node.ready for node in known.values())
    if found["desired"] < len(known) or min(found["ready"], found["updated"]) < alive:
        told = ", ".join(f"{found[name]} {name}" for name in ("desired", "updated", "ready"))
        return f"the ingress: {told} of {len(known)} nodes"
    return None


def ingress_silent(live: Live) -> str | None:
    """Return why the ingress does not answer on every node that is Ready, or None when it does.

    Ready is what the cluster says of its pods; a visitor asks the port of a node.
    """
    if (reason := ingress_not_ready(live)) is not None:
        return reason
    for host, node in nodes(live).items():
        view = live.hosts.get(host)
        if node.ready and view is not None and (told := unanswered(view)):
            return f"the ingress does not answer on {host}: {told}"
    return None


def unanswered(view: HostView) -> str:
    """Return what a node says instead of 200 on /healthz (/ is 404 where all is well); empty when it is well."""
    return refused(view.answer("k3s.ingress"))


def refused(answer: Answer) -> str:
    """Return what /healthz said instead of 200; empty when that was it."""
    if not answer.known:
        return answer.problem
    return "" if answer.value["status"] == 200 else f"/healthz: {answer.value['status']}"


def website_at(site: Site, address: str) -> HttpGet:
    """Return the question of the provider's load balancer to the ingress at an address."""
    del site
    return HttpGet("k3s.website", f"http://{address}:{WEB}/healthz")
