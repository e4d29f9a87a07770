"""LB-3 and MIN-5: what listens on a load balancer's address, and how MinIO is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from keybuzz.policy.context import MINIO_PORT, Context
from keybuzz.policy.document import Bind, Command, Document
from keybuzz.policy.node import Node, Place
from keybuzz.policy.violation import Found, Rule, each


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def _shown(bind: Bind) -> str:
    return f"{bind.address}:{bind.port}" if bind.port else bind.address


def _judge_balancer(document: Document, context: Context) -> Iterator[Found]:
    """LB-3."""
    places = [(bind.address, bind.place, _shown(bind)) for bind in document.binds]
    for manifest in document.manifests:
        places += [(text, place, text) for text, place in _claimed(manifest.root)]
    for address, place, excerpt in places:
        found = _ipv4(address)
        endpoint = context.endpoint(found) if found is not None else None
        if endpoint is not None and not endpoint.on_server:
            message = f"{address} is the load balancer's own address: no server has it"
            yield Found(document.path, place, excerpt, message)


def _claimed(root: Node) -> Iterator[tuple[str, Place]]:
    """Yield the addresses that an object of Kubernetes asks for itself."""
    for keys, node in root.walk():
        if keys and keys[-1] in ("loadBalancerIP", "externalIPs", "hostIP"):
            yield node.text or "", node.place


def _judge_alias(document: Document, context: Context) -> Iterator[Found]:
    """MIN-5."""
    if context.minio is None:
        return
    official = f"http://{context.minio}:{MINIO_PORT}"
    for command in document.commands:
        found = _alias(command)
        if found is None:
            continue
        name, url, place = found
        wrong_url = "$" not in url and url.rstrip("/") != official
        if name != "minio" or wrong_url:
            what = f"the alias {name}" if name != "minio" else "the alias minio elsewhere"
            message = f"MinIO has one alias and one entry point, and this is {what}"
            yield Found(document.path, place, f"{name} {_without_user(url)}", message)
    for setting in document.settings:
        if setting.key.startswith("MC_HOST_") and setting.key != "MC_HOST_minio":
            message = f"MinIO has one alias, and this is {setting.key.removeprefix('MC_HOST_')}"
            yield Found(document.path, setting.place, setting.key, message)


def _alias(command: Command) -> tuple[str, str, Place] | None:
    """Return the name, address and place of an alias that a command sets, or None."""
    texts = command.texts
    if not any(re.fullmatch(r"(?:\S*/)?mc(?:li)?(?::\S+)?", text) for text in texts):
        return None
    for verb in (("alias", "set"), ("config", "host", "add")):
        for position in range(len(texts) - len(verb) - 1):
            if texts[position : position + len(verb)] == verb:
                words = command.words[position + len(verb) :]
                return words[0].text, words[1].text, words[0].place
    return None


def _without_user(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


LB_3 = Rule(
    id="LB-3",
    title="Nothing listens on a load balancer's address",
    why="The provider's load balancer has 10.0.0.10 and 10.0.0.20; no server has them. A program that binds to"
    " one does not start, or takes the address away.",
    instead="listen on 0.0.0.0: the firewall closes the port to all others",
    applies_to="bind lines of HAProxy, published ports of compose files and docker, settings named bind,"
    " listen, ifaces or interfaces, `ip address add`, and loadBalancerIP, externalIPs and hostIP of"
    " manifests.",
    judge=each(_judge_balancer),
)
MIN_5 = Rule(
    id="MIN-5",
    title="MinIO has one alias: minio, at its one entry point",
    why="Scripts that name different entry points test and fill different nodes, and it stays unknown which one an"
    " incident is about.",
    instead='mc alias set minio http://10.0.0.134:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"',
    applies_to="`mc alias set`, `mc config host add` and MC_HOST_… in shell, Dockerfiles, compose files,"
    " manifests and environment files.",
    judge=each(_judge_alias),
)
