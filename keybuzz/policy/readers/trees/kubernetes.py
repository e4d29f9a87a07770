"""Objects of Kubernetes and of its operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from keybuzz.policy.document import Document, Image, Kind, Manifest, Setting
from keybuzz.policy.node import Node, Place
from keybuzz.policy.readers.code.shell import shell_document
from keybuzz.policy.readers.kinds import kind_of
from keybuzz.policy.readers.lines.blocks import read_blocks
from keybuzz.policy.readers.lines.haproxy import read_haproxy
from keybuzz.policy.readers.lines.tagged import read_tagged
from keybuzz.policy.readers.trees.settings import tree_commands, tree_images, tree_settings

_WITHOUT_SECRETS = frozenset(
    {"ExternalSecret", "ClusterExternalSecret", "PushSecret", "SealedSecret", "SecretProviderClass"}
)
"""Kinds that refer to secrets or hold them encrypted: no text in them is one, nor an address, but in templates."""
_TEMPLATES = (
    ("spec", "target", "template", "data"),
    ("spec", "externalSecretSpec", "target", "template", "data"),
    ("spec", "template", "data"),
)
"""Where texts of such a kind are filled in: with the addresses that the application gets."""
_PROXIES: dict[Kind, Callable[[str, str], Document]] = {
    Kind.BLOCKS: partial(read_blocks, ends_with_line=False),
    Kind.HAPROXY: read_haproxy,
    Kind.TAGGED: read_tagged,
}
"""Who reads the configurations of proxies."""
_NAMES_ONLY = frozenset({"Ingress", "HTTPRoute", "GRPCRoute", "IngressRoute", "NetworkPolicy"})
"""Kinds whose texts name hosts that they serve, or choose pods."""


def kubernetes_document(path: str, kind: Kind, text: str, root: Node) -> Document:
    """Return one object, or each of a List."""
    if root.word("kind") == "List":
        found = Document(path, kind, text)
        for item in root.all("items"):
            found = found.joined(kubernetes_document(path, kind, text, item))
        return found
    manifest = Manifest(
        root.word("apiVersion"), root.word("kind"), root.word("metadata", "name"), root
    )
    commands, given = tree_commands(root)
    settings = given + tuple(_settings(manifest))
    images = tuple(
        Image(image.text or "", image.place)
        for keys, image in root.walk()
        if keys[-1] == "image" and "spec" in keys and image.text
    )
    if manifest.kind in ("Application", "HelmRelease", "HelmChart"):
        images += tuple(tree_images(root))
    found = shell_document(path, kind, text, commands, settings)
    if manifest.kind == "ConfigMap":
        data = root.get("data")
        for name, node in data.entries if data is not None else ():
            found = found.joined(_traffic(path, text, name, node))
    return found.joined(Document(path, kind, text, images=images, manifests=(manifest,)))


def _traffic(path: str, text: str, name: str, node: Node) -> Document:
    """Return what listens and where it is sent on by a proxy's configuration that a ConfigMap holds."""
    inner = node.text or ""
    reader = _PROXIES.get(kind_of(name, inner)[0])
    if "\n" not in inner or reader is None:
        return Document(path, Kind.YAML, text)
    found = reader(name, inner)
    down, right = node.place.line - 1, node.place.column - 1

    def moved(place: Place) -> Place:
        return Place(place.line + down, place.column + right)

    binds = tuple(replace(bind, place=moved(bind.place)) for bind in found.binds)
    routes = tuple(replace(route, place=moved(route.place)) for route in found.routes)
    return Document(path, Kind.YAML, text, binds=binds, routes=routes)


def _settings(manifest: Manifest) -> list[Setting]:
    if manifest.kind in _WITHOUT_SECRETS:
        return [
            s for keys in _TEMPLATES if (n := manifest.root.get(*keys)) for s in tree_settings(n)
        ]
    if manifest.kind in ("Secret", *_NAMES_ONLY):
        return []
    kept = tuple((key, value) for key, value in manifest.root.entries if key != "metadata")
    found = list(tree_settings(Node(manifest.root.place, entries=kept)))
    return found + _endpoints(manifest)


def _endpoints(manifest: Manifest) -> list[Setting]:
    """Return the addresses of Endpoints with their port, though the two are in different lists."""
    groups = manifest.root.all("subsets") if manifest.kind == "Endpoints" else (manifest.root,)
    if manifest.kind not in ("Endpoints", "EndpointSlice"):
        return []
    found = []
    for group in groups:
        port = next((item.get("port") for item in group.all("ports")), None)
        for address in group.all("addresses") + tuple(
            text for item in group.all("endpoints") for text in item.all("addresses")
        ):
            node = address.get("ip") or address
            scope = node.place.scope
            if node.text and port is not None and port.text:
                found.append(Setting(("endpoint", "host"), node.text, node.place, scope))
                found.append(Setting(("endpoint", "port"), port.text, port.place, scope, "int"))
    return found
