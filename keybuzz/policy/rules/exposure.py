"""LB-3, MIN-4 and MIN-5: what listens where, and how MinIO is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from keybuzz.policy.context import MINIO_PORT, Context
from keybuzz.policy.document import Bind, Command, Document, Manifest, Node, Place
from keybuzz.policy.violation import Found, Rule, each
from keybuzz.site.groups import FLEET_NETWORK

_MINIO = re.compile(r"minio", re.I)
_OPEN_TYPES = ("NodePort", "LoadBalancer")


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
        if endpoint is not None and endpoint.address != context.minio:
            message = f"{address} is the load balancer's own address: no server has it"
            yield Found(document.path, place, excerpt, message)


def _claimed(root: Node) -> Iterator[tuple[str, Place]]:
    """Yield the addresses that an object of Kubernetes asks for itself."""
    for keys, node in root.walk():
        if keys and keys[-1] in ("loadBalancerIP", "externalIPs", "hostIP"):
            yield node.text or "", node.place


def _judge_exposure(document: Document, context: Context) -> Iterator[Found]:
    """MIN-4."""
    for bind in document.binds:
        if _is_minio(bind.of, context) and _is_open(bind.address):
            message = f"MinIO is opened to every network on port {bind.port}"
            yield Found(document.path, bind.place, _shown(bind) or bind.port, message)
    for manifest in document.manifests:
        if manifest.kind == "Service":
            yield from _service(document, manifest)
        elif manifest.kind == "Ingress":
            yield from _ingress(document, manifest, context)


def _is_minio(words: str, context: Context) -> bool:
    if _MINIO.search(words):
        return True
    return any(word.partition(":")[0] in context.minio_nodes for word in words.split())


def _is_open(address: str) -> bool:
    found = _ipv4(address)
    if found is None:
        return address in ("", "*", "::", "0")
    return not (found in FLEET_NETWORK or found.is_loopback)


def _service(document: Document, manifest: Manifest) -> Iterator[Found]:
    selector = manifest.root.get("spec", "selector")
    words = [manifest.name, *(node.text or "" for _, node in (selector.walk() if selector else ()))]
    kind = manifest.root.get("spec", "type")
    if _MINIO.search(" ".join(words)) and kind is not None and kind.text in _OPEN_TYPES:
        message = f"the Service {manifest.name} of type {kind.text} opens MinIO outside the cluster"
        yield Found(document.path, kind.place, f"type: {kind.text}", message)


def _ingress(document: Document, manifest: Manifest, context: Context) -> Iterator[Found]:
    for keys, node in manifest.root.walk():
        text = node.text or ""
        host = keys[-1] == "host" and (text.lower() in context.minio_nodes or _MINIO.search(text))
        backend = keys[-2:] == ("service", "name") and _MINIO.search(text)
        if host or backend:
            message = f"the Ingress {manifest.name} puts MinIO on the Internet"
            yield Found(document.path, node.place, text, message)


def _judge_alias(document: Document, context: Context) -> Iterator[Found]:
    """MIN-5."""
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
    instead="listen on 0.0.0.0: the firewall closes the port to everyone else",
    applies_to="bind lines of HAProxy, published ports of compose files and docker, settings named bind,"
    " listen, ifaces or interfaces, `ip address add`, and loadBalancerIP, externalIPs and hostIP of"
    " manifests.",
    judge=each(_judge_balancer),
)
MIN_4 = Rule(
    id="MIN-4",
    title="MinIO is never exposed",
    why="It holds the files of all customers, and s3.keybuzz.io is internal. Docker opens a published port past"
    " the firewall.",
    instead="keep it on the three nodes' private addresses, port 9000; for people outside, let the"
    " application hand out what they may see",
    applies_to="Ingress, and Service of type NodePort or LoadBalancer; published ports and bind lines in front"
    " of MinIO that are not on the private network.",
    judge=each(_judge_exposure),
)
MIN_5 = Rule(
    id="MIN-5",
    title="MinIO has one alias: minio, at its one entry point",
    why="Scripts that name different entry points test and fill different nodes, and nobody knows which one an"
    " incident is about.",
    instead='mc alias set minio http://10.0.0.134:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"',
    applies_to="`mc alias set`, `mc config host add` and MC_HOST_… in shell, Dockerfiles, compose files,"
    " manifests and environment files.",
    judge=each(_judge_alias),
)
